//! Two nodes that talk reach each other directly exactly where hole punching can work, and lose nothing on the way.

use wattle_scenarios::{Scenario, run};

/// Edges, and for each whether its mapping varies by destination, whether it lets only known endpoints in, and whether UDP
/// passes at all.
const EDGES: [(&str, bool, bool, bool); 8] = [
    ("", false, false, true),
    ("nat ei/ei", false, false, true),
    ("nat ei/ad", false, false, true),
    ("nat ei/apd", false, true, true),
    ("nat ad/apd", true, true, true),
    ("nat apd/apd", true, true, true),
    ("firewall", false, true, true),
    ("only443", false, true, false),
];

fn story(a: &str, b: &str, expectation: &str) -> String {
    let mut story = String::new();
    for (name, site, edge) in [("a", "x", a), ("b", "y", b)] {
        story += &if edge.is_empty() {
            format!("node {name} open\n")
        } else {
            format!("site {site} {edge}\nnode {name} in {site}\n")
        };
    }
    let rest = "at 10s talk a b for 60s every 200ms\nat 15s expect {} a b\nat 69s expect {} a b\nuntil 70s\n";
    story + &rest.replace("{}", expectation)
}

#[test]
fn every_pair_of_edges_is_direct_if_it_can_be() {
    for (a, varies_a, strict_a, udp_a) in EDGES {
        for (b, varies_b, strict_b, udp_b) in EDGES {
            let possible = udp_a && udp_b && !(varies_a && (varies_b || strict_b) || varies_b && strict_a);
            let text = story(a, b, if possible { "direct" } else { "relayed" });
            let report = run(&Scenario::parse(&text).unwrap());
            assert!(report.violations.is_empty(), "{a:?} and {b:?}: {}", report.violations.join("\n"));
            assert_eq!(report.said.0, report.said.1, "{a:?} and {b:?} lost packets");
        }
    }
}
