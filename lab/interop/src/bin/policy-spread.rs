//! How soon a change of policy is obeyed by many official nodes: a row of JSON for each round.
//!
//! The clock runs from before the administrator's command starts until the packet filter of each node holds the new
//! rules, as the node itself tells. `cargo xtask bench spread` runs it.
#![forbid(unsafe_code)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;
use wattle_interop::{Control, Talker, have, tools};
use wattle_netns::Lab;

const ROUNDS: u16 = 5;
const PATIENCE: Duration = Duration::from_secs(900);

fn main() {
    let number: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(200);
    match measure(number) {
        Some(rows) => println!("{}", Value::Array(rows)),
        None => std::process::exit(1),
    }
}

/// `None`, with the reason printed, where something is missing.
fn measure(number: usize) -> Option<Vec<Value>> {
    let mut lab = Lab::for_test()?;
    let probe = have(tools::tsnet_probe())?;
    let server = lab.public_host("control").expect("a host");
    let control = have(Control::start(&server))?;
    // Each round has one rule more, by which a node's own words tell that it obeys it.
    let policy = |rules: u16| {
        let rule = |port: u16| json!({ "action": "accept", "src": ["*"], "dst": [format!("*:{port}")] });
        let acls: Vec<Value> = (1..=rules).map(rule).collect();
        json!({ "tagOwners": { "tag:web": [] }, "acls": acls }).to_string()
    };
    control.set_policy(&policy(1));
    let host = lab.public_host("crowd").expect("a host");
    let folder = TempDir::new().expect("a folder");
    let mut crowd = Talker::crowd(&host, &probe, &control, folder.path());
    let (own, tagged) = (control.key(None), control.key(Some("tag:web")));
    let invite =
        |at: usize| json!({ "name": format!("n{at}"), "key": if at.is_multiple_of(4) { &tagged } else { &own } });
    let invites: Vec<Value> = (0..number).map(invite).collect();
    let start = milliseconds();
    crowd.ask(&json!({ "do": "join", "members": invites }), PATIENCE).expect("all join");
    eprintln!("{number} official nodes joined in {} ms", milliseconds() - start);
    std::thread::sleep(Duration::from_secs(10));
    let mut rows = Vec::new();
    for round in 0..ROUNDS {
        let rules = 2 + round;
        crowd.ask(&json!({ "do": "await", "rules": rules }), PATIENCE).expect("the crowd listens");
        let start = milliseconds();
        control.set_policy(&policy(rules));
        let set = milliseconds() - start;
        std::thread::sleep(Duration::from_secs(10));
        let answer = crowd.ask(&json!({ "do": "times" }), PATIENCE).expect("the crowd tells");
        let times = answer["times"].as_object().cloned().unwrap_or_default();
        let mut after: Vec<i64> = times.values().filter_map(Value::as_i64).map(|at| at - start).collect();
        after.sort_unstable();
        let at = |part: usize| after.get((after.len() * part / 100).min(after.len().saturating_sub(1))).copied();
        rows.push(json!({
            "round": round, "nodes": number, "told": after.len(), "command_ms": set,
            "first_ms": after.first(), "median_ms": at(50), "p99_ms": at(99), "last_ms": after.last(),
        }));
    }
    Some(rows)
}

fn milliseconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
