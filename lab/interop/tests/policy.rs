//! A crowd of official nodes (`tailscale.com/tsnet`) under policies of ours: each sees whom it should, reaches what it
//! may and nothing else, and follows when the policy changes.
//!
//! The scenarios are those that people rely on (headscale `integration/acl_test.go` and `route_test.go` name them).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use wattle_interop::{Control, Talker, eventually, have, tools};
use wattle_netns::Lab;

const PATIENCE: Duration = Duration::from_secs(120);
/// One question: the crowd gives up earlier itself.
const QUESTION: Duration = Duration::from_secs(180);

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";
const CAROL: &str = "carol@example.org";

/// Who reaches, or sees, whom.
type Pairs = BTreeMap<String, BTreeSet<String>>;

/// Who reaches whom, as tests write it.
type Reach<'a> = (&'a str, &'a [&'a str]);

struct Crowd {
    control: Control,
    crowd: Talker,
    addresses: BTreeMap<String, String>,
    _folder: TempDir,
    _lab: Lab,
}

/// The members: two machines of alice, one each of bob and carol, a web server, a database and a router.
const MEMBERS: [&str; 7] = ["alice1", "alice2", "bob", "carol", "web", "db", "router"];

impl Crowd {
    /// `None`, with the reason printed, where something is missing.
    fn gather() -> Option<Self> {
        let mut lab = Lab::for_test()?;
        let probe = have(tools::tsnet_probe())?;
        let server = lab.public_host("control").expect("a host");
        let control = have(Control::start(&server))?;
        for user in [BOB, CAROL] {
            control.administrate(&["users", "create", user]);
        }
        control.set_policy(&json!({ "tagOwners": { "tag:web": [], "tag:db": [], "tag:router": [] } }).to_string());
        let host = lab.public_host("crowd").expect("a host");
        let folder = TempDir::new().expect("a folder");
        let mut crowd = Talker::crowd(&host, &probe, &control, folder.path());
        let key = |owner: [&str; 2]| control.key_for(owner);
        let invite = |name: &str, key: String| json!({ "name": name, "key": key });
        let mut router = invite("router", key(["--tag", "tag:router"]));
        router["routes"] = json!(["10.20.0.0/16", "0.0.0.0/0", "::/0"]);
        let members = json!([
            invite("alice1", key(["--user", ALICE])),
            invite("alice2", key(["--user", ALICE])),
            invite("bob", key(["--user", BOB])),
            invite("carol", key(["--user", CAROL])),
            invite("web", key(["--tag", "tag:web"])),
            invite("db", key(["--tag", "tag:db"])),
            router,
        ]);
        let joined = crowd.ask(&json!({ "do": "join", "members": members }), QUESTION).expect("all join");
        let addresses = joined["ips"].as_object().expect("they have addresses").iter();
        let addresses = addresses.map(|(name, ips)| (name.clone(), ips[0].as_str().unwrap_or_default().to_owned()));
        Some(Self { control, crowd, addresses: addresses.collect(), _folder: folder, _lab: lab })
    }

    fn pairs(&mut self, question: &Value) -> Result<Pairs, String> {
        let answer = self.crowd.ask(question, QUESTION)?;
        serde_json::from_value(answer["pairs"].clone()).map_err(|error| error.to_string())
    }

    /// Puts a policy in force and waits until everybody reaches on each port just whom they may, and sees no one but
    /// those and the ones they are reached by.
    fn hold(&mut self, what: &str, policy: &Value, reach: &[(u16, &[Reach<'_>])]) {
        let mut policy = policy.clone();
        policy["tagOwners"] = json!({ "tag:web": [], "tag:db": [], "tag:router": [ALICE] });
        self.control.set_policy(&policy.to_string());
        let mut visible: Pairs = MEMBERS.iter().map(|name| ((*name).to_owned(), BTreeSet::new())).collect();
        for (port, pairs) in reach {
            let wanted = spread(pairs);
            for (from, reached) in &wanted {
                for to in reached {
                    visible.entry(from.clone()).or_default().insert(to.clone());
                    visible.entry(to.clone()).or_default().insert(from.clone());
                }
            }
            eventually(&format!("{what}, port {port}"), PATIENCE, || {
                let got = self.pairs(&json!({ "do": "reach", "port": port }))?;
                if got == wanted { Ok(()) } else { Err(format!("got {got:?}\nwanted {wanted:?}")) }
            });
        }
        eventually(&format!("{what}: nobody else is seen"), PATIENCE, || {
            let seen = self.pairs(&json!({ "do": "peers" }))?;
            let nodes = |seen: &BTreeSet<String>| -> BTreeSet<String> {
                seen.iter().filter(|name| !name.contains(' ')).cloned().collect()
            };
            let seen: Pairs = seen.iter().map(|(name, seen)| (name.clone(), nodes(seen))).collect();
            if seen == visible { Ok(()) } else { Err(format!("seen {seen:?}\nwanted {visible:?}")) }
        });
    }
}

/// Everybody, also who reaches nobody. `*` is everybody else.
fn spread(pairs: &[Reach<'_>]) -> Pairs {
    let mut all: Pairs = MEMBERS.iter().map(|name| ((*name).to_owned(), BTreeSet::new())).collect();
    for (from, to) in pairs {
        let everybody = || MEMBERS.iter().filter(|name| *name != from).map(|name| (*name).to_owned());
        let reached = all.entry((*from).to_owned()).or_default();
        match to {
            ["*"] => reached.extend(everybody()),
            some => reached.extend(some.iter().map(|name| (*name).to_owned())),
        }
    }
    all
}

fn acl(src: &[&str], dst: &[&str]) -> Value {
    json!({ "action": "accept", "src": src, "dst": dst })
}

#[test]
fn official_nodes_obey_what_policies_say() {
    let Some(mut crowd) = Crowd::gather() else { return };
    let everybody: Vec<Reach<'_>> = MEMBERS.iter().map(|name| (*name, &["*"][..])).collect();

    crowd.hold("without rules everything is allowed", &json!({}), &[(80, &everybody)]);
    crowd.hold("an empty list allows nothing", &json!({ "acls": [] }), &[(80, &[])]);
    crowd.hold("one port of everybody", &json!({ "acls": [acl(&["*"], &["*:80"])] }), &[(80, &everybody), (8080, &[])]);
    crowd.hold(
        "one way, by user",
        &json!({ "acls": [acl(&[ALICE], &[&format!("{BOB}:80")])] }),
        &[(80, &[("alice1", &["bob"]), ("alice2", &["bob"])]), (8080, &[])],
    );
    let web = crowd.addresses["web"].clone();
    crowd.hold(
        "every word for one machine: tag, host, address",
        &json!({
            "hosts": { "website": web },
            "acls": [acl(&["bob@example.com"], &["tag:web:80"]), acl(&[CAROL], &["website:80"]), acl(&["tag:db"], &[&format!("{web}:80")])],
        }),
        &[(80, &[("bob", &["web"]), ("carol", &["web"]), ("db", &["web"])])],
    );
    crowd.hold(
        "groups, with members who are not there",
        &json!({
            "groups": { "group:staff": [ALICE, BOB, "nobody@example.com"], "group:none": ["gone@example.com"] },
            "acls": [acl(&["group:staff"], &["tag:db:80"]), acl(&["group:none"], &["*:*"])],
        }),
        &[(80, &[("alice1", &["db"]), ("alice2", &["db"]), ("bob", &["db"])])],
    );
    crowd.hold(
        "own machines, and tagged ones apart from them",
        &json!({ "acls": [
            acl(&["autogroup:member"], &["autogroup:self:*"]),
            acl(&["autogroup:tagged"], &["autogroup:tagged:8080"]),
            acl(&["user:*@example.org"], &["tag:web:80"]),
        ] }),
        &[
            (80, &[("alice1", &["alice2"]), ("alice2", &["alice1"]), ("carol", &["web"])]),
            (
                8080,
                &[
                    ("alice1", &["alice2"]),
                    ("alice2", &["alice1"]),
                    ("web", &["db", "router"]),
                    ("db", &["web", "router"]),
                    ("router", &["web", "db"]),
                ],
            ),
        ],
    );
    crowd.hold(
        "grants",
        &json!({ "grants": [
            { "src": [BOB], "dst": ["tag:web", "tag:db"], "ip": ["tcp:80"] },
            { "src": ["tag:db"], "dst": ["tag:web"], "ip": ["8080-8090"] },
        ] }),
        &[(80, &[("bob", &["web", "db"])]), (8080, &[("db", &["web"])])],
    );
    // Back and forth several times: it always converges.
    for round in 0..3 {
        let (from, to) = if round % 2 == 0 { ("alice1", "bob") } else { ("bob", "alice1") };
        let (src, dst) = (crowd.addresses[from].clone(), format!("{}:80", crowd.addresses[to]));
        crowd.hold("swapped", &json!({ "acls": [acl(&[&src], &[&dst])] }), &[(80, &[(from, &[to])])]);
    }
    crowd.hold(
        "a tag before it is given",
        &json!({ "acls": [acl(&["tag:web"], &["tag:db:80"])] }),
        &[(80, &[("web", &["db"])])],
    );
    crowd.control.administrate(&["nodes", "tag", "bob", "tag:web"]);
    eventually("whoever is given a tag reaches what it reaches", PATIENCE, || {
        let got = crowd.pairs(&json!({ "do": "reach", "port": 80 }))?;
        let wanted = spread(&[("web", &["db"]), ("bob", &["db"])]);
        if got == wanted { Ok(()) } else { Err(format!("{got:?}")) }
    });

    grants_give_capabilities(&mut crowd);
    routes_are_shown_to_whoever_may_reach_them(&mut crowd);
}

fn grants_give_capabilities(crowd: &mut Crowd) {
    let policy = json!({
        "tagOwners": { "tag:web": [], "tag:db": [], "tag:router": [] },
        "grants": [{
            "src": [CAROL], "dst": ["tag:db"],
            "app": { "example.com/cap/wattle": [{ "role": "reader" }], "tailscale.com/cap/drive": [{ "shares": ["*"] }] },
        }],
    });
    crowd.control.set_policy(&policy.to_string());
    let held = |crowd: &mut Crowd, from: &str, to: &str| -> Result<String, String> {
        let held = crowd.pairs(&json!({ "do": "caps", "from": from, "to": to }))?;
        Ok(held.into_values().flatten().collect::<Vec<_>>().join("; "))
    };
    eventually("the database knows what carol may do, and carol that she may share", PATIENCE, || {
        let (db, carol) = (held(crowd, "carol", "db")?, held(crowd, "db", "carol")?);
        let role = db.contains("example.com/cap/wattle") && db.contains("reader") && db.contains("cap/drive ");
        if role && carol.contains("cap/drive-sharer") { Ok(()) } else { Err(format!("{db:?} and {carol:?}")) }
    });
}

/// A subnet and an exit node that the policy approves: who may reach into them sees them, nobody else.
fn routes_are_shown_to_whoever_may_reach_them(crowd: &mut Crowd) {
    let policy = |approvers: Value| {
        json!({
            "tagOwners": { "tag:web": [], "tag:db": [], "tag:router": [] },
            "autoApprovers": approvers,
            "acls": [
                acl(&[ALICE], &["10.20.1.0/24:*", "tag:router:1"]),
                acl(&[CAROL], &["autogroup:internet:*"]),
                acl(&["tag:db"], &["tag:router:1"]),
            ],
        })
        .to_string()
    };
    crowd.control.set_policy(&policy(json!({})));
    let wait = |crowd: &mut Crowd, what: &str, wanted: &[(&str, &[&str])]| {
        eventually(what, PATIENCE, || {
            let seen = crowd.pairs(&json!({ "do": "peers" }))?;
            for (member, routes) in wanted {
                let shown = seen.get(*member).into_iter().flatten().filter(|name| name.contains(' '));
                let shown: Vec<&str> = shown.map(String::as_str).collect();
                if shown != *routes {
                    return Err(format!("{member} is shown {shown:?}, not {routes:?}"));
                }
            }
            Ok(())
        });
    };
    wait(crowd, "nothing is approved", &[("alice1", &[]), ("carol", &[]), ("db", &[])]);
    crowd
        .control
        .set_policy(&policy(json!({ "routes": { "10.0.0.0/8": ["tag:router"] }, "exitNode": ["tag:router"] })));
    wait(
        crowd,
        "the policy approves",
        &[
            ("alice1", &["router 10.20.0.0/16"]),
            ("alice2", &["router 10.20.0.0/16"]),
            ("carol", &["router 0.0.0.0/0", "router ::/0"]),
            ("db", &[]),
            ("web", &[]),
        ],
    );
}
