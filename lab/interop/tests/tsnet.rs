//! A node of official Go code (`tailscale.com/tsnet`, see `lab/interop/go`) in our tailnet: both sides dial, each knows
//! who calls, keys expire, policy changes.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use wattle_interop::{Control, Member, Talker, eventually, have, tools, web};
use wattle_netns::{Host, Lab, Nat};

const PATIENCE: Duration = Duration::from_secs(90);
/// One question to the official node: it gives up after ten seconds itself.
const QUESTION: Duration = Duration::from_secs(20);

/// An official node and a node of ours in one tailnet.
struct Pair {
    control: Control,
    ours: Member,
    official: Talker,
    official_address: SocketAddr,
    _folder: TempDir,
    _lab: Lab,
}

/// `None`, with the reason printed, where something is missing.
fn pair(our_tag: Option<&str>, official_tag: Option<&str>) -> Option<Pair> {
    let mut lab = Lab::for_test()?;
    let probe = have(tools::tsnet_probe())?;
    let server = lab.public_host("control").expect("a host");
    let control = have(Control::start(&server))?;
    let host = lab.host_behind("ours", Nat::PortRestricted).expect("a host");
    let ours = have(Member::join(&host, &control, &control.key(our_tag)))?;
    let theirs = lab.host_behind("official", Nat::PortRestricted).expect("a host");
    let folder = TempDir::new().expect("a folder");
    let official = start(&theirs, &control, &control.key(official_tag), &folder, &probe);
    let status = official.answer(PATIENCE).unwrap_or_else(|why| panic!("the official node does not join: {why}"));
    assert_eq!(status["state"], "Running");
    let address = status["ips"][0].as_str().expect("it has an address");
    let official_address = format!("{address}:80").parse().expect("an address");
    eventually("our node sees the official one", PATIENCE, || ours.peer("official"));
    Some(Pair { control, ours, official, official_address, _folder: folder, _lab: lab })
}

fn start(host: &Host, control: &Control, key: &str, folder: &TempDir, probe: &std::path::Path) -> Talker {
    let mut command = host.command(probe);
    command.args(["-control", control.url(), "-key", key, "-hostname", "official", "-dir"]).arg(folder.path());
    command.env("TS_NO_LOGS_NO_SUPPORT", "1").env("HOME", folder.path()).env("WATTLE_INTEROP_VERBOSE", "1");
    Talker::start("official", folder.path(), &mut command)
}

impl Pair {
    fn we_fetch(&self) -> Result<String, String> {
        web::fetch(self.ours.host(), self.official_address, "/", "official")
    }

    fn they_fetch(&mut self, host: &str) -> Result<String, String> {
        let url = format!("http://{host}/");
        let answer = self.official.ask(&json!({"do": "get", "address": url}), QUESTION)?;
        Ok(answer["body"].as_str().unwrap_or_default().to_owned())
    }

    fn their_status(&mut self) -> Result<Value, String> {
        self.official.ask(&json!({"do": "status"}), QUESTION)
    }
}

#[test]
fn both_sides_dial_and_know_who_calls() {
    let Some(mut pair) = pair(None, None) else { return };
    let _page = web::serve(pair.ours.host(), 80, "served by wattle");
    // The official node greets its caller by name: WhoIs from our map.
    assert_eq!(eventually("we fetch", PATIENCE, || pair.we_fetch()), "hello ours");
    let address = pair.ours.address().to_string();
    assert_eq!(eventually("it fetches by address", PATIENCE, || pair.they_fetch(&address)), "served by wattle");
    let name = format!("ours.{}", pair.ours.suffix());
    assert_eq!(eventually("it fetches by name", PATIENCE, || pair.they_fetch(&name)), "served by wattle");

    let who = pair.official.ask(&json!({"do": "whois", "address": address}), QUESTION).expect("it knows us");
    assert_eq!(who["node"], "ours");
    let who = pair.ours.ask(&["whois", "--json", &pair.official_address.ip().to_string()]).expect("we know it");
    assert!(who.contains("official"), "{who}");

    let status = pair.their_status().expect("it has a status");
    let peers = status["peers"].as_array().cloned().unwrap_or_default();
    assert_eq!(peers.iter().filter(|peer| peer["name"] == "ours").count(), 1, "{status}");
    eventually("both see each other online", PATIENCE, || {
        let they_see = pair.their_status()?["peers"][0]["online"] == true;
        let we_see = pair.ours.peer("official")?["Online"] == true;
        if they_see && we_see { Ok(()) } else { Err(format!("they {they_see}, we {we_see}")) }
    });
    eventually("the path becomes direct, seen from both ends", PATIENCE, || {
        let peer = pair.ours.peer("official")?;
        let status = pair.their_status()?;
        let direct = |address: &Value| address.as_str().is_some_and(|address| !address.is_empty());
        let _traffic = pair.we_fetch()?;
        let both = direct(&peer["CurAddr"]) && direct(&status["peers"][0]["direct"]);
        if both { Ok(()) } else { Err(format!("{} and {}", peer["CurAddr"], status["peers"])) }
    });
}

#[test]
fn an_expired_key_ends_the_membership() {
    let Some(mut pair) = pair(None, None) else { return };
    eventually("we fetch", PATIENCE, || pair.we_fetch());
    pair.control.administrate(&["nodes", "expire", "official"]);
    eventually("the official node sees that it must sign in again", PATIENCE, || {
        let status = pair.their_status()?;
        if status["state"] == "NeedsLogin" { Ok(()) } else { Err(status["state"].to_string()) }
    });
    eventually("our node does not talk to it any more", PATIENCE, || match pair.we_fetch() {
        Ok(page) => Err(format!("it still serves {page:?}")),
        Err(_) => Ok(()),
    });
}

#[test]
fn a_changed_policy_is_obeyed_at_once() {
    let Some(mut pair) = pair(Some("tag:ours"), Some("tag:official")) else { return };
    let _page = web::serve(pair.ours.host(), 80, "served by wattle");
    let address = pair.ours.address().to_string();
    let policy = |src: &str, dst: &str| {
        json!({
            "tagOwners": {"tag:ours": [], "tag:official": []},
            "acls": [{"action": "accept", "src": [src], "dst": [format!("{dst}:80")]}],
        })
        .to_string()
    };
    pair.control.set_policy(&policy("tag:ours", "tag:official"));
    eventually("we may fetch, it may not", PATIENCE, || match (pair.we_fetch(), pair.they_fetch(&address)) {
        (Ok(_), Err(_)) => Ok(()),
        both => Err(format!("{both:?}")),
    });
    pair.control.set_policy(&policy("tag:official", "tag:ours"));
    eventually("it may fetch, we may not", PATIENCE, || match (pair.we_fetch(), pair.they_fetch(&address)) {
        (Err(_), Ok(_)) => Ok(()),
        both => Err(format!("{both:?}")),
    });
    let who = pair.official.ask(&json!({"do": "whois", "address": address}), QUESTION).expect("it knows us");
    assert_eq!(who["tags"], json!(["tag:ours"]));
}
