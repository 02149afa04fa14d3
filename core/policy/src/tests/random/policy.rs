//! Random policies, as text: every part of the language, and nothing that is refused.

use proptest::collection::vec;
use proptest::prelude::*;

use super::rules::{acl, grant, ssh, steering};
use super::words::{MACHINES, POSTURES, PREFIXES, Text, USERS, always, field, list, object, one, people, place, rules};

/// What every policy defines.
const DEFINITIONS: &str = r#"
    "groups": {
        "group:staff": ["ann@example.com", "dee@", "gone@example.com"],
        "group:example": ["user:*@example.com"],
        "group:mixed": ["cid@other.org", "user:*@EXAMPLE.com"],
        "group:empty": [],
    },
    "hosts": { "web": "100.64.0.1", "net": "10.1.0.0/16", "six": "fd7a:115c:a1e0::2", "dns": "8.8.8.8" },
"#;

const CONDITIONS: [&str; 12] = [
    "node:os == 'linux'",
    "node:os != 'linux'",
    "node:os IN ['linux', 'macos']",
    "node:os NOT IN ['windows']",
    "node:tsVersion >= '1.50'",
    "node:tsVersion < '1.102'",
    "custom:tier > 1",
    "custom:tier <= 2",
    "custom:tier IS SET",
    "custom:managed NOT SET",
    "custom:managed == true",
    "ip:country == 'DE'",
];

/// Promises of all kinds; some are kept.
fn tests() -> Text {
    let source =
        prop_oneof![3 => people(), 2 => one(&MACHINES), 3 => place(), 1 => one(&["*", "autogroup:self"])].boxed();
    let target = || {
        let words = [
            "tag:a",
            "tag:b",
            "ann@example.com",
            "group:staff",
            "autogroup:member",
            "web",
            "six",
            "dns",
            "100.64.0.3",
            "10.1.2.3",
            "*",
            "[fd7a:115c:a1e0::1]",
            "ipset:one",
            "autogroup:self",
            "svc:web",
        ];
        (one(&words), one(&["22", "80", "443", "53"])).prop_map(|(word, port)| format!("{word}:{port}")).boxed()
    };
    let attributes = one(&[r#"{ "node:os": "linux", "custom:tier": 2 }"#, r#"{ "node:tsVersion": "1.60" }"#]);
    let promises = prop_oneof![
        always("accept", list(target(), 1..=1)),
        always("deny", list(target(), 1..=2)),
        (always("accept", list(target(), 1..=2)), always("deny", list(target(), 1..=2))).prop_map(|(a, d)| a + &d),
    ];
    object(vec![
        always("src", source.prop_map(|word| format!("\"{word}\"")).boxed()),
        field("proto", 0.4, one(&["\"tcp\"", "\"udp\"", "\"sctp\""])),
        promises.boxed(),
        field("srcPostureAttrs", 0.2, attributes),
    ])
}

fn ssh_tests() -> Text {
    let source = prop_oneof![
        2 => one(&USERS),
        3 => one(&["tag:a", "tag:b", "group:staff", "group:example", "web", "100.64.0.3", "100.64.0.0/30", "host:net"]),
        1 => one(&["autogroup:member", "autogroup:tagged", "autogroup:admin"]),
    ];
    let target =
        one(&["tag:a", "tag:b", "autogroup:self", "autogroup:member", "ann@example.com", "web", "100.64.0.3", "*"]);
    let users = || list(one(&["root", "ubuntu", "ann", "bob"]), 1..=2);
    let promises = prop_oneof![
        always("accept", users()),
        always("deny", users()),
        always("check", users()),
        (always("accept", users()), always("check", users())).prop_map(|(accept, check)| accept + &check),
    ];
    object(vec![
        always("src", source.prop_map(|word| format!("\"{word}\"")).boxed()),
        always("dst", list(target, 1..=2)),
        promises.boxed(),
    ])
}

fn attributes() -> Text {
    let target = prop_oneof![3 => people(), 3 => one(&MACHINES), 3 => place(), 1 => one(&["*"])].boxed();
    object(vec![
        always("target", list(target, 1..=2)),
        field("attr", 0.8, list(one(&["funnel", "custom:a", "custom:b", "nextdns:abc"]), 1..=2)),
        field("app", 0.3, one(&[r#"{ "example.com/a": [1] }"#, r#"{ "example.com/a": ["two"], "custom:a": [{}] }"#])),
        field("ipPool", 0.1, list(one(&["100.81.0.0/16"]), 1..=1)),
    ])
}

fn ip_sets() -> Text {
    let plain = prop_oneof![
        4 => one(&PREFIXES),
        2 => one(&["web", "host:net", "dns", "100.64.0.2-100.64.0.6", "10.1.0.9-10.1.2.7", "fd00:1::5-fd00:1::99", "autogroup:internet"]),
    ]
    .boxed();
    let set = |inner: &[&'static str]| {
        let target =
            if inner.is_empty() { plain.clone() } else { prop_oneof![3 => plain.clone(), 2 => one(inner)].boxed() };
        let part = (one(&["", "add ", "add ", "remove "]), target).prop_map(|(how, what)| format!("{how}{what}"));
        list(part.boxed(), 0..=4)
    };
    object(vec![
        always("ipset:one", set(&[])),
        always("ipset:two", set(&["ipset:one"])),
        always("ipset:three", set(&["ipset:four", "ipset:two"])),
        always("ipset:four", set(&[])),
    ])
}

fn owners() -> Text {
    list(prop_oneof![3 => people(), 2 => one(&["tag:a", "tag:b", "tag:c"])].boxed(), 0..=2)
}

/// `acls`, at times after so many others, which are about nobody, that no word of bits holds them all.
fn many_rules() -> Text {
    let others = r#"{ "action": "accept", "src": ["gone@example.com"], "dst": ["gone@example.com:1"] }, "#;
    let number = prop_oneof![19 => Just(0usize), 1 => 60..66usize];
    let rules = (number, vec(acl(), 0..=5));
    let rules =
        rules.prop_map(move |(number, rules)| format!("[{}{}]", others.repeat(number), rules.join(",\n        ")));
    field("acls", 0.8, rules.boxed())
}

/// A policy. Rules are many, so that they meet.
pub(crate) fn policies() -> Text {
    let posture = || list(one(&CONDITIONS), 1..=2);
    let parts = vec![
        Just(DEFINITIONS.to_owned()).boxed(),
        always("ipsets", ip_sets()),
        always("tagOwners", object(["tag:a", "tag:b", "tag:c"].map(|tag| always(tag, owners())).into())),
        always("postures", object(POSTURES.map(|name| always(name, posture())).into())),
        field("defaultSrcPosture", 0.1, list(one(&POSTURES), 1..=1)),
        field(
            "autoApprovers",
            0.8,
            object(vec![
                field(
                    "routes",
                    0.9,
                    object(
                        ["10.0.0.0/8", "10.1.2.0/24", "0.0.0.0/0", "fd00:1::/48"]
                            .map(|route| field(route, 0.6, owners()))
                            .into(),
                    ),
                ),
                field("exitNode", 0.8, owners()),
                field("services", 0.2, object(vec![always("svc:web", owners())])),
            ]),
        ),
        prop_oneof![
            5 => (many_rules(), rules("grants", 0.8, grant(), 0..=5)).prop_map(|(acls, grants)| acls + &grants),
            1 => rules("grants", 0.95,  prop_oneof![4 => steering(), 1 => grant()].boxed(), 2..=5),
        ]
        .boxed(),
        rules("nodeAttrs", 0.7, attributes(), 0..=3),
        rules("ssh", 0.8, ssh(), 0..=4),
        rules("tests", 0.7, tests(), 0..=4),
        rules("sshTests", 0.7, ssh_tests(), 0..=3),
        field("randomizeClientPort", 0.2, one(&["true", "false"])),
        field("disableIPv4", 0.2, one(&["true", "false"])),
        field("oneCGNATRoute", 0.2, one(&["\"mac-always\"", "\"mac-never\"", "\"\""])),
    ];
    parts.prop_map(|parts| format!("{{{}}}", parts.join("\n    "))).boxed()
}
