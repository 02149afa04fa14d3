//! A policy changes while two hundred members hold their streams: all are told at once, and each only what is different for
//! it. The time is printed; `cargo xtask bench` judges times.

use std::path::Path;
use std::time::{Duration, Instant};

use wattle_swarm::{Member, Server, Swarm};
use wattle_wire::control::MapResponse;

const EACH: usize = 100;
const PATIENCE: Duration = Duration::from_secs(60);

const ALICE: &str = r#"{"action": "accept", "src": ["alice@example.com"], "dst": ["alice@example.com:22"]}"#;
const ALICE_ELSEWHERE: &str =
    r#"{"action": "accept", "src": ["alice@example.com"], "dst": ["alice@example.com:2222"]}"#;
const BOB: &str = r#"{"action": "accept", "src": ["bob@example.com"], "dst": ["bob@example.com:22"]}"#;
const ALICE_TO_BOB: &str = r#"{"action": "accept", "src": ["alice@example.com"], "dst": ["bob@example.com:443"]}"#;
const BOB_TO_ALL: &str = r#"{"action": "accept", "src": ["bob@example.com"], "dst": ["*:53"]}"#;

struct Tailnet {
    server: Server,
    folder: tempfile::TempDir,
    alice: Swarm,
    bob: Swarm,
}

impl Tailnet {
    fn policy(&self, rules: &[&str]) -> Instant {
        let file = self.folder.path().join("policy.hujson");
        write(&file, &format!(r#"{{"acls": [{}]}}"#, rules.join(", ")));
        let started = Instant::now();
        self.server.verb(&["policy", "set", &file.to_string_lossy()]).expect("the policy is taken");
        started
    }

    async fn wait_for_peers(&mut self, alice: usize, bob: usize) {
        for (swarm, peers) in [(&mut self.alice, alice), (&mut self.bob, bob)] {
            for member in swarm.members_mut() {
                let complete = member.wait_for(|view| view.map.self_node.is_some() && view.map.peers.len() == peers);
                tokio::time::timeout(PATIENCE, complete).await.expect("they come in time").expect("the stream goes on");
            }
        }
    }

    /// How many frames each member has received.
    fn marks(&self) -> [Vec<usize>; 2] {
        [&self.alice, &self.bob].map(|swarm| swarm.members().iter().map(|member| member.view().frames).collect())
    }
}

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).expect("the folder is writable");
}

/// What a member was told since, in all: peers that came, and rules that came and went.
fn told(member: &Member, mark: usize) -> (Vec<MapResponse>, usize, usize, usize) {
    let messages = member.view().messages_after(mark).expect("all frames are kept");
    let peers = messages.iter().map(|message| message.peers_changed.len()).sum();
    let rules = || messages.iter().flat_map(|message| message.packet_filters.values());
    let (came, went) = (rules().flatten().count(), rules().filter(|rules| rules.is_none()).count());
    (messages, peers, came, went)
}

/// Nothing that a change of packet rules does not touch.
fn assert_nothing_else(messages: &[MapResponse]) {
    for message in messages {
        assert!(message.node.is_none() && message.peers.is_empty() && message.packet_filter.is_none());
        assert!(message.dns_config.is_none() && message.derp_map.is_none() && message.ssh_policy.is_none());
        assert!(message.debug.is_none() && message.domain.is_empty() && message.peers_removed.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_change_reaches_all_members_and_only_what_changed_is_sent() {
    if std::env::var("WATTLE_LABS").is_ok_and(|wish| wish == "off") {
        eprintln!("skipped: WATTLE_LABS=off");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), 18_082).unwrap();
    let [alice, bob] = ["alice@example.com", "bob@example.com"].map(|user| server.reusable_key(user).unwrap());
    let join = |key: &str| Swarm::join(&server.url(), key, EACH).unwrap();
    let (alice, bob) = (join(&alice), join(&bob));
    let mut tailnet = Tailnet { server, folder, alice, bob };
    tailnet.wait_for_peers(2 * EACH - 1, 2 * EACH - 1).await;
    tailnet.policy(&[ALICE, BOB]);
    tailnet.wait_for_peers(EACH - 1, EACH - 1).await;

    // A rule before the others: Bob's members let something more in, and all see all.
    let [alice_marks, bob_marks] = tailnet.marks();
    let started = tailnet.policy(&[ALICE_TO_BOB, ALICE, BOB]);
    let answered = started.elapsed();
    tailnet.wait_for_peers(2 * EACH - 1, 2 * EACH - 1).await;
    let members = || tailnet.alice.members().iter().chain(tailnet.bob.members());
    let last = members().map(|member| member.view().latest.back().unwrap().at).max().unwrap();
    println!(
        "{} members know of a policy {:.0} ms after it was handed in, {:.0} ms after it was in force",
        2 * EACH,
        (last - started).as_secs_f64() * 1000.0,
        (last.saturating_duration_since(started + answered)).as_secs_f64() * 1000.0
    );
    for (member, mark) in tailnet.alice.members().iter().zip(&alice_marks) {
        let (messages, peers, came, went) = told(member, *mark);
        assert_eq!((peers, came, went), (EACH, 0, 0), "Alice's members obey as before");
        assert_nothing_else(&messages);
    }
    for (member, mark) in tailnet.bob.members().iter().zip(&bob_marks) {
        let (messages, peers, came, went) = told(member, *mark);
        assert_eq!((peers, came, went), (EACH, 1, 0), "Bob's members obey one rule more");
        assert_nothing_else(&messages);
    }

    // Two changes: the first is about Alice's members only, the second about all.
    let [alice_marks, bob_marks] = tailnet.marks();
    tailnet.policy(&[ALICE_TO_BOB, ALICE_ELSEWHERE, BOB]);
    for (member, mark) in tailnet.alice.members_mut().iter_mut().zip(&alice_marks) {
        let told = member.wait_for(|view| view.frames > *mark);
        tokio::time::timeout(PATIENCE, told).await.unwrap().unwrap();
    }
    tailnet.policy(&[ALICE_TO_BOB, ALICE_ELSEWHERE, BOB, BOB_TO_ALL]);
    for (swarm, marks, wanted) in [(&mut tailnet.alice, alice_marks, (2, 1)), (&mut tailnet.bob, bob_marks, (1, 0))] {
        for (member, mark) in swarm.members_mut().iter_mut().zip(marks) {
            let complete = member.wait_for(|view| {
                let messages = view.messages_after(mark).unwrap();
                let rules = messages.iter().flat_map(|message| message.packet_filters.values());
                rules.flatten().count() == wanted.0
            });
            tokio::time::timeout(PATIENCE, complete).await.expect("they come in time").expect("the stream goes on");
            let (messages, peers, came, went) = told(member, mark);
            assert_eq!((peers, came, went), (0, wanted.0, wanted.1));
            assert_nothing_else(&messages);
        }
    }
}
