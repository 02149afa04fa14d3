//! What a node costs that has nothing to say.

use wattle_scenarios::{Scenario, run};

#[test]
fn an_idle_node_with_a_thousand_peers_is_silent_and_hardly_wakes() {
    let story = |length: u64| {
        let text =
            format!("site home nat ei/apd\nnode a in home\nidle-peers 1000\nat 20s expect silent\nuntil {length}s");
        run(&Scenario::parse(&text).unwrap())
    };
    let (short, long) = (story(30), story(90));
    assert_eq!((short.violations, long.violations), (Vec::new(), Vec::new()));
    assert_eq!(short.datagrams, long.datagrams, "a minute more costs no datagram");
    let wakes = long.wakes[0] - short.wakes[0];
    assert!(wakes <= 60, "{wakes} wake-ups in a minute");
}
