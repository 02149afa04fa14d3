//! Any bytes as a policy: refused like a compiler refuses, or compiled and asked everything about a small tailnet.
//!
//! What follows the last zero byte of the input is no text: it says which nodes change, and into what.

mod answers;
mod tailnet;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use wattle_filter::{CapabilityTable, Facts, Filter};
use wattle_netmap::{FilterRule, NodeId, Prefix};
use wattle_packet::protocol;
use wattle_policy::{PacketCache, PacketRule, Policy, Problems, Roster, difference, hujson, limits};

use self::answers::Answers;
use self::tailnet::{NODES, Tailnet};

const CHANGES_MAX: usize = 16;
/// What is asked of filters: some of it stands in the seeds.
const QUESTIONS: [(u8, u16); 7] = [
    (protocol::TCP, 22),
    (protocol::TCP, 443),
    (protocol::TCP, 8050),
    (protocol::UDP, 53),
    (protocol::SCTP, 1),
    (protocol::ICMP, 0),
    (47, 0),
];

/// Reads, compiles, asks, changes nodes, asks again.
pub fn run(input: &[u8]) {
    let (text, changes) = match input.iter().rposition(|byte| *byte == 0) {
        Some(zero) => (&input[..zero], &input[zero + 1..]),
        None => (input, &[][..]),
    };
    let policy = match Policy::parse(text) {
        Ok(policy) => Arc::new(policy),
        Err(problems) => return check_problems(&problems, text),
    };
    let mut tailnet = Tailnet::default();
    let mut roster = Roster::new(policy.clone());
    for node in 0..NODES {
        roster.insert(tailnet::id(node), &tailnet.subject(node));
    }
    let first = roster.clone();
    change(&mut roster, &mut tailnet, changes);
    let at_once =
        Roster::with_nodes(policy.clone(), tailnet.present().map(|node| (tailnet::id(node), tailnet.subject(node))));
    let answers = Answers::of(&roster, &tailnet);
    assert_eq!(answers, Answers::of(&at_once, &tailnet), "node by node is not all at once");
    check_access(&roster, &tailnet);
    check_tests(&roster, text);
    check_matrix(&first, &roster);
    if let Ok(text) = hujson::format(text) {
        let policy =
            Policy::parse(text.as_bytes()).unwrap_or_else(|problems| panic!("laid out and refused: {problems}"));
        let subjects = tailnet.present().map(|node| (tailnet::id(node), tailnet.subject(node)));
        let again = Roster::with_nodes(Arc::new(policy), subjects);
        assert_eq!(answers, Answers::of(&again, &tailnet), "laid out, it means something else: {text}");
    }
}

fn check_problems(problems: &Problems, text: &[u8]) {
    assert!((1..=limits::PROBLEMS_MAX).contains(&problems.0.len()), "{} problems", problems.0.len());
    for problem in &problems.0 {
        // A problem at the end of the text is about the byte that should follow.
        let within = problem.at.start <= problem.at.end && problem.at.end as usize <= text.len() + 1;
        assert!(within, "{problem:?} is elsewhere");
        let place = hujson::position(text, problem.at.start as usize);
        assert_eq!((place.line, place.column), (problem.line, problem.column), "{problem:?}");
        assert!(!problem.message.is_empty(), "{problem:?} says nothing");
    }
    for shown in [problems.report("policy.hujson"), problems.to_string()] {
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "would steer a terminal: {shown:?}");
    }
}

/// Changes nodes one by one. Whoever is not told of a change must have nothing to obey that changed.
fn change(roster: &mut Roster, tailnet: &mut Tailnet, changes: &[u8]) {
    let mut cache = PacketCache::default();
    for choice in changes.iter().take(CHANGES_MAX) {
        let node = tailnet.turn(*choice);
        let before = rules(roster);
        let shift = match tailnet.is_present(node) {
            true => roster.insert(tailnet::id(node), &tailnet.subject(node)),
            false => roster.remove(tailnet::id(node)),
        };
        assert_eq!(shift.after.as_ref(), roster.class(tailnet::id(node)), "the shift tells of another class");
        let after = rules(roster);
        for (id, rules) in &after {
            let chunks = roster.chunks_for(*id, &mut cache);
            assert!(chunks.is_sorted_by(|a, b| a.number < b.number), "chunks of one number: {chunks:?}");
            let cached: Vec<FilterRule> =
                chunks.iter().flat_map(|chunk| &chunk.rules).map(PacketRule::to_filter_rule).collect();
            assert_eq!(&cached, rules, "a list was kept that is not true any more");
            let class = roster.class(*id).expect("a node of the roster has a class");
            let told = *id == tailnet::id(node) || class.heeds(&shift);
            assert!(told || before.get(id) == Some(rules), "node {id:?} is not told that {node} changed its rules");
        }
    }
}

fn rules(roster: &Roster) -> BTreeMap<NodeId, Vec<FilterRule>> {
    let ids = (0..NODES).map(tailnet::id).filter(|id| roster.class(*id).is_some());
    ids.map(|id| (id, roster.rules_for(id))).collect()
}

/// What a node's filter lets in comes from nodes that it sees, and has an explanation; and nothing else has.
fn check_access(roster: &Roster, tailnet: &Tailnet) {
    for node in tailnet.present() {
        let (id, subject) = (tailnet::id(node), tailnet.subject(node));
        let rules = roster.rules_for(id);
        let rules: Vec<&FilterRule> = rules.iter().collect();
        let local: Vec<Prefix> = subject.addresses.iter().map(|address| Prefix::from(*address)).collect();
        let capabilities = CapabilityTable::default();
        let filter =
            Filter::compile(&Facts { rules: &rules, local: &local, capabilities: &capabilities, shields_up: false });
        for other in tailnet.present().filter(|other| *other != node) {
            let (from_id, from) = (tailnet::id(other), tailnet.subject(other));
            let class = |id| roster.class(id).expect("a node of the roster has a class");
            assert_eq!(class(id).sees(class(from_id)), class(from_id).sees(class(id)), "to see is mutual");
            for (protocol, port) in QUESTIONS {
                for (source, destination) in from.addresses.iter().zip(subject.addresses) {
                    // Each version of IP has an ICMP of its own.
                    if matches!((protocol, destination.is_ipv4()), (1, false) | (58, true)) {
                        continue;
                    }
                    let allowed = filter.allows(protocol, *source, SocketAddr::new(*destination, port));
                    let question = || format!("{protocol} from {other} {source} to {node} {destination} {port}");
                    assert!(
                        !allowed || class(from_id).reaches(class(id)),
                        "lets in what it does not see: {}",
                        question()
                    );
                    let explanation = roster.explain(from_id, *destination, protocol, Some(port));
                    assert_eq!(!explanation.allowed.is_empty(), allowed, "{}: {explanation:?}", question());
                }
            }
        }
    }
}

fn check_tests(roster: &Roster, text: &[u8]) {
    let failures = roster.run_tests();
    for failure in &failures {
        assert!(failure.at.end as usize <= text.len() && !failure.message.is_empty(), "{failure:?}");
    }
    assert_eq!(failures, roster.run_tests(), "tests fail now and then");
}

fn check_matrix(before: &Roster, after: &Roster) {
    for cell in after.matrix() {
        assert!(!cell.access.is_empty() && !cell.rules.is_empty() && !cell.who.is_empty(), "an empty cell: {cell:?}");
        assert!(!cell.access.to_string().is_empty());
    }
    assert_eq!(difference(after, after), [], "a policy differs from itself");
    for gain in difference(before, after) {
        assert!(!gain.access.is_empty(), "nothing gained or lost: {gain:?}");
    }
}
