//! Several official routers of one network under our policies: one is in charge, another takes over when it goes, and
//! `via` gives each source a router of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use wattle_interop::{Control, Talker, eventually, have, tools};
use wattle_netns::Lab;

const PATIENCE: Duration = Duration::from_secs(120);
const QUESTION: Duration = Duration::from_secs(120);
const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";
const NETWORK: &str = "10.20.0.0/16";

/// Two people and two routers of the same network.
struct Network {
    control: Control,
    crowd: Talker,
    invites: BTreeMap<&'static str, Value>,
    _folder: TempDir,
    _lab: Lab,
}

impl Network {
    /// `None`, with the reason printed, where something is missing.
    fn build() -> Option<Self> {
        let mut lab = Lab::for_test()?;
        let probe = have(tools::tsnet_probe())?;
        let server = lab.public_host("control").expect("a host");
        let control = have(Control::start(&server))?;
        control.administrate(&["users", "create", BOB]);
        control.set_policy(&policy(&json!([])));
        let host = lab.public_host("crowd").expect("a host");
        let folder = TempDir::new().expect("a folder");
        let mut crowd = Talker::crowd(&host, &probe, &control, folder.path());
        let invite = |name: &str, owner: [&str; 2], routes: &[&str]| json!({ "name": name, "key": control.key_for(owner), "routes": routes });
        let invites = BTreeMap::from([
            ("alice", invite("alice", ["--user", ALICE], &[])),
            ("bob", invite("bob", ["--user", BOB], &[])),
            ("left", invite("left", ["--tag", "tag:left"], &[NETWORK])),
            ("right", invite("right", ["--tag", "tag:right"], &[NETWORK])),
        ]);
        let all: Vec<&Value> = invites.values().collect();
        crowd.ask(&json!({ "do": "join", "members": all }), QUESTION).expect("all join");
        Some(Self { control, crowd, invites, _folder: folder, _lab: lab })
    }

    /// The routers that lead a member into the network, as it is told.
    fn routers(&mut self, member: &str) -> Result<Vec<String>, String> {
        let answer = self.crowd.ask(&json!({ "do": "peers" }), QUESTION)?;
        let seen = answer["pairs"][member].as_array().cloned().unwrap_or_default();
        let led = seen.iter().filter_map(|name| name.as_str()?.strip_suffix(NETWORK));
        Ok(led.map(|router| router.trim().to_owned()).collect())
    }

    /// Waits until a member is led by one router, and says which.
    fn router(&mut self, member: &str, fits: impl Fn(&str) -> bool) -> String {
        eventually(&format!("{member} is led by one router"), PATIENCE, || match self.routers(member)?.as_slice() {
            [one] if fits(one) => Ok(one.clone()),
            other => Err(format!("{other:?}")),
        })
    }
}

/// Both routers are approved; `grants` say who may reach what by way of whom.
fn policy(grants: &Value) -> String {
    json!({
        "tagOwners": { "tag:left": [], "tag:right": [] },
        "autoApprovers": { "routes": { "10.0.0.0/8": ["tag:left", "tag:right"] } },
        "grants": grants,
    })
    .to_string()
}

#[test]
fn routers_take_over_from_each_other_and_via_chooses_among_them() {
    let Some(mut network) = Network::build() else { return };
    let open = json!([{ "src": [ALICE], "dst": [NETWORK], "ip": ["*"] }]);
    network.control.set_policy(&policy(&open));
    let first = network.router("alice", |_| true);
    assert_eq!(network.routers("bob"), Ok(Vec::new()), "bob may not reach it");

    network.crowd.ask(&json!({ "do": "leave", "from": first }), QUESTION).expect("the router goes");
    let second = network.router("alice", |router| router != first);
    let again = network.invites.get(first.as_str()).expect("it was invited").clone();
    network.crowd.ask(&json!({ "do": "join", "members": [again] }), QUESTION).expect("the router comes back");
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(network.routers("alice"), Ok(vec![second]), "who took over stays in charge");

    let steered = json!([
        { "src": [ALICE], "dst": [NETWORK], "ip": ["*"], "via": ["tag:left"] },
        { "src": [BOB], "dst": [NETWORK], "ip": ["*"], "via": ["tag:right"] },
    ]);
    network.control.set_policy(&policy(&steered));
    network.router("alice", |router| router == "left");
    network.router("bob", |router| router == "right");
}
