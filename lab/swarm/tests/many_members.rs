//! Two hundred members on one server: all see all, and an idle server is idle.

use std::time::Duration;

use wattle_swarm::{Server, Swarm};

const MEMBERS: usize = 200;
const IDLE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_members_see_each_other() {
    if std::env::var("WATTLE_LABS").is_ok_and(|wish| wish == "off") {
        eprintln!("skipped: WATTLE_LABS=off");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), 18_080).unwrap();
    let key = server.reusable_key("swarm").unwrap();
    let mut swarm = Swarm::join(&server.url(), &key, MEMBERS).unwrap();
    let took = swarm.all_see_all(Duration::from_secs(60)).await.unwrap();
    println!("{MEMBERS} members see each other after {:.2} s", took.as_secs_f64());

    // Reports of endpoints have been passed on by now; from here on nothing happens.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = server.processor_time().unwrap();
    tokio::time::sleep(IDLE).await;
    let used = server.processor_time().unwrap() - before;
    println!("the idle server used {:.2} % of a core", 100.0 * used.as_secs_f64() / IDLE.as_secs_f64());

    let addresses: std::collections::BTreeSet<_> = swarm
        .members()
        .iter()
        .filter_map(|member| member.view().map.self_node.as_ref().and_then(|node| node.ipv4()))
        .collect();
    assert_eq!(addresses.len(), MEMBERS, "every member has an address of its own");

    // They find each other again when the server comes back.
    let frames: Vec<usize> = swarm.members().iter().map(|member| member.view().frames).collect();
    server.kill_and_restart().unwrap();
    for (member, frames) in swarm.members_mut().iter_mut().zip(frames) {
        let fresh = member.wait_for(|view| view.frames > frames && view.map.peers.len() == MEMBERS - 1);
        tokio::time::timeout(Duration::from_secs(60), fresh).await.unwrap().unwrap();
    }
    let after: std::collections::BTreeSet<_> = swarm
        .members()
        .iter()
        .filter_map(|member| member.view().map.self_node.as_ref().and_then(|node| node.ipv4()))
        .collect();
    assert_eq!(after, addresses, "addresses survive a restart");
}
