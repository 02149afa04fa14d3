//! What lines mean, and that every verb explains itself.

use super::*;
use clap::CommandFactory;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(argv::normalise(line.split_whitespace().map(OsString::from)))
}

#[test]
fn the_definitions_are_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_verb_has_help_with_a_sentence() {
    for verb in Cli::command().get_subcommands() {
        assert!(verb.get_about().is_some_and(|about| about.to_string().len() > 10), "{}", verb.get_name());
        for flag in verb.get_arguments().filter(|flag| !flag.is_hide_set() && flag.get_id() != "help") {
            assert!(flag.get_help().is_some(), "{} {}", verb.get_name(), flag.get_id());
        }
    }
}

#[test]
fn lines_of_the_official_client_are_understood() {
    for line in [
        "wattle up",
        "wattle up -authkey k -login-server=http://127.0.0.1 --accept-routes --accept-dns=false -ssh --reset",
        "wattle up --advertise-exit-node --advertise-routes=10.0.0.0/8 --operator=ana --timeout 30s --json --qr",
        "wattle up --auth-key=file:/k --accept-risk=all --force-reauth --exit-node= --snat-subnet-routes=false",
        "wattle login -login-server https://x --auth-key k --timeout=1m30s",
        "wattle down --accept-risk=lose-ssh --reason x",
        "wattle logout",
        "wattle set -hostname a --exit-node=birch --exit-node-allow-lan-access",
        "wattle status --json --peers=false --self=false --active",
        "wattle ip -4 birch",
        "wattle ip --1",
        "wattle ping --c 3 -tsmp --until-direct=false --timeout 500ms 100.64.0.1",
        "wattle ping -c 3 -icmp birch",
        "wattle netcheck --format=json-line --every 10s -verbose",
        "wattle whois --json --proto tcp 100.64.0.1:80",
        "wattle version --daemon --json",
        "wattle debug prefs",
        "wattle daemon -statedir /tmp/x -port 0 --tun wattle1 --verbose",
        "wattled --state-dir /tmp/x --socket /s",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn the_socket_may_stand_before_or_after_the_verb() {
    for line in ["wattle -socket /s status", "wattle status --socket=/s"] {
        assert_eq!(parse(line).unwrap().socket, PathBuf::from("/s"));
    }
}

#[test]
fn nonsense_is_a_usage_error() {
    for line in ["wattle", "wattle dance", "wattle ip -4 -6", "wattle ping", "wattle up extra", "wattle up --timeout 5"]
    {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
    assert_eq!(parse("wattle --help").unwrap_err().exit_code(), 0);
    assert_eq!(parse("wattle up -h").unwrap_err().exit_code(), 0);
}

#[test]
fn without_a_daemon_each_verb_says_how_to_start_it() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("wattled.sock");
    for verb in [
        "up",
        "down",
        "set --ssh",
        "login",
        "logout",
        "status",
        "ip",
        "ping x",
        "netcheck",
        "whois 1.2.3.4",
        "debug prefs",
    ] {
        let cli = parse(&format!("wattle --socket {} {verb}", socket.display())).unwrap();
        let sentence = execute(cli).unwrap_err().to_string();
        assert!(sentence.starts_with("the daemon is not running: start it with"), "{verb}: {sentence}");
        assert!(!sentence.contains('\n'));
    }
}
