//! What `up` and `set` make of flags and of what was set before.

use super::*;
use clap::Parser;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

/// The settings that a line of flags spells.
fn read(line: &str) -> Settings {
    Line::try_parse_from(std::iter::once("x").chain(line.split_whitespace())).unwrap().settings
}

fn applied(line: &str) -> anyhow::Result<Prefs> {
    let mut prefs = Prefs::default();
    read(line).apply(&mut prefs, &Status::default()).map(|()| prefs)
}

#[test]
fn switches_stand_alone_or_with_a_value() {
    assert!(applied("--accept-routes").unwrap().route_all);
    assert!(!applied("--accept-dns=false").unwrap().corp_dns);
    assert!(applied("--snat-subnet-routes=F").unwrap().no_snat);
    assert!(Line::try_parse_from(["x", "--ssh=maybe"]).is_err());
    assert_eq!(read("--ssh=false --hostname x").mentioned(), ["ssh", "hostname"]);
    assert_eq!(read("").mentioned(), [""; 0]);
}

#[test]
fn lists_are_split_and_checked() {
    let prefs = applied("--advertise-tags tag:b,tag:a --advertise-routes 10.0.0.0/8,192.168.1.1").unwrap();
    assert_eq!(prefs.advertise_tags, ["tag:b", "tag:a"]);
    let routes: Vec<String> = prefs.advertise_routes.iter().map(ToString::to_string).collect();
    assert_eq!(routes, ["10.0.0.0/8", "192.168.1.1/32"]);
    let problem = |line: &str| applied(line).unwrap_err().to_string();
    assert_eq!(problem("--advertise-tags server"), "\"server\" is no tag: tags look like tag:server");
    let masked = "10.1.0.0/8 has bits set behind its length: did you mean 10.0.0.0/8?";
    assert_eq!(problem("--advertise-routes 10.1.0.0/8"), masked);
    assert_eq!(problem("--advertise-routes lan"), "\"lan\" is no route: write a prefix, such as 10.0.0.0/8");
}

#[test]
fn offering_an_exit_and_offering_routes_do_not_undo_each_other() {
    let mut prefs = applied("--advertise-exit-node --advertise-routes=10.0.0.0/8").unwrap();
    assert_eq!(prefs.advertise_routes.len(), 3);
    read("--advertise-routes=").apply(&mut prefs, &Status::default()).unwrap();
    assert!(offers_exit(&prefs) && prefs.advertise_routes.len() == 2);
    read("--advertise-exit-node=false").apply(&mut prefs, &Status::default()).unwrap();
    assert!(prefs.advertise_routes.is_empty());
}

#[test]
fn a_server_is_a_whole_url() {
    assert_eq!(applied("--login-server https://mesh.example.com/").unwrap().control_url, "https://mesh.example.com");
    for url in ["mesh.example.com", "ftp://x", "https://"] {
        assert!(applied(&format!("--login-server {url}")).is_err(), "{url}");
    }
}

#[test]
fn host_names_and_exit_nodes_that_cannot_be_are_refused() {
    assert!(applied("--hostname not_a_name").is_err());
    assert!(applied("--exit-node-allow-lan-access").is_err());
    assert_eq!(applied("--exit-node laptop").unwrap_err().to_string(), "no peer is named laptop");
    assert!(applied("--exit-node 100.64.0.9").unwrap().exit_node_ip.is_some());
}

#[test]
fn what_was_forgotten_is_named_and_can_be_written_out() {
    let current = applied("--hostname attic --advertise-routes 10.0.0.0/8 --ssh --accept-dns=false").unwrap();
    let wanted = applied("--ssh").unwrap();
    let lost = forgotten(&current, &wanted, &["ssh"]);
    assert_eq!(lost, ["accept-dns", "hostname", "advertise-routes"]);
    let flags = as_flags(&current, &lost);
    assert_eq!(flags, ["--accept-dns=false", "--hostname=attic", "--advertise-routes=10.0.0.0/8"]);
    assert_eq!(applied(&format!("--ssh {}", flags.join(" "))).unwrap(), current);
}

#[test]
fn a_change_touches_only_its_fields() {
    let change = change(applied("--ssh --hostname attic").unwrap(), &["hostname"]);
    let mut prefs = Prefs::default();
    change.apply_to(&mut prefs);
    assert_eq!(prefs, Prefs { hostname: "attic".to_owned(), ..Prefs::default() });
}

#[test]
fn values_are_quoted_for_the_shell() {
    assert_eq!(quoted("10.0.0.0/8,tag:a"), "10.0.0.0/8,tag:a");
    assert_eq!(quoted("it's; rm"), r"'it'\''s; rm'");
}
