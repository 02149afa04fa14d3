//! The server is killed fifty times while members join: what it acknowledged, it still knows.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use wattle_keys::NodePublic;
use wattle_swarm::{Server, Swarm};

const ROUNDS: u64 = 50;
const JOINING: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_to_kill_nine() {
    if std::env::var("WATTLE_LABS").is_ok_and(|wish| wish == "off") {
        eprintln!("skipped: WATTLE_LABS=off");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), 18_081).unwrap();
    let key = server.reusable_key("swarm").unwrap();
    let mut acknowledged: BTreeMap<NodePublic, Option<IpAddr>> = BTreeMap::new();
    for round in 0..ROUNDS {
        let swarm = Swarm::join(&server.url(), &key, JOINING).unwrap();
        // Each round is cut at another point, from "nobody has connected" to "all have their maps".
        tokio::time::sleep(Duration::from_millis(round * 97 % 150)).await;
        server.kill().unwrap();
        for member in swarm.members() {
            let view = member.view();
            if let Some(key) = view.key {
                acknowledged.insert(key, view.map.self_node.as_ref().and_then(|node| node.ipv4()));
            }
        }
        drop(swarm);
        server.restart().unwrap();
    }
    println!("{} registrations were acknowledged in {ROUNDS} rounds", acknowledged.len());
    assert!(acknowledged.len() > 10, "the rounds are long enough for some to be acknowledged");

    let listed = server.verb(&["nodes", "list"]).unwrap();
    let nodes = listed.as_array().or_else(|| listed["nodes"].as_array()).unwrap();
    let text = |value: &serde_json::Value| value.to_string();
    for (key, address) in &acknowledged {
        let node = nodes.iter().find(|node| text(node).contains(&key.to_string()));
        let node = node.unwrap_or_else(|| panic!("{key} was acknowledged and is not listed"));
        if let Some(address) = address {
            assert!(text(node).contains(&address.to_string()), "{key} has lost {address}: {node}");
        }
    }
}
