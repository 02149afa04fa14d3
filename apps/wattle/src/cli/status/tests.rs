//! The texts of `status`.

use super::*;
use wattle_keys::NodePrivate;
use wattle_wire::control::UserProfile;

fn node(name: &str, address: &str, user_id: u64) -> PeerStatus {
    PeerStatus {
        dns_name: format!("{name}.example.ts.net."),
        host_name: name.to_owned(),
        os: "linux".to_owned(),
        tailscale_ips: vec![address.parse().unwrap()],
        online: true,
        user_id,
        ..PeerStatus::default()
    }
}

fn example() -> Status {
    let ana = UserProfile { id: 1, login_name: "ana@example.com".to_owned(), ..UserProfile::default() };
    let direct = PeerStatus {
        active: true,
        cur_addr: "192.0.2.7:41641".to_owned(),
        relay: "home".to_owned(),
        tx_bytes: 100,
        rx_bytes: 2000,
        ..node("birch", "100.64.0.3", 1)
    };
    let relayed = PeerStatus {
        active: true,
        relay: "home".to_owned(),
        exit_node: true,
        tags: vec!["tag:exit".to_owned()],
        ..node("alder", "100.64.0.4", 2)
    };
    let away = PeerStatus {
        online: false,
        last_seen: Some(UnixTime::from_secs(1_000_000 - 7300)),
        dns_name: String::new(),
        ..node("cedar phone", "100.64.0.5", 9)
    };
    let key = |number: u8| NodePrivate::from_bytes([number; 32]).public();
    Status {
        backend_state: "Running".to_owned(),
        magic_dns_suffix: "example.ts.net".to_owned(),
        self_status: Some(Box::new(node("ash", "100.64.0.1", 1))),
        user: [(1, ana)].into(),
        peer: [(key(1), away), (key(2), direct), (key(3), relayed)].into(),
        ..Status::default()
    }
}

fn show() -> Show {
    Show { json: false, active: false, own: true, peers: true, header: false }
}

#[test]
fn a_line_a_node_sorted_by_name_with_the_way_to_it() {
    let text = show().text(&example(), UnixTime::from_secs(1_000_000));
    assert_eq!(
        text,
        "100.64.0.1      ash                  ana@         linux   -\n\
         100.64.0.4      alder                tagged-devices linux   active; exit node; relay \"home\"\n\
         100.64.0.3      birch                ana@         linux   active; direct 192.0.2.7:41641, tx 100 rx 2000\n\
         100.64.0.5      (\"cedar phone\")      9            linux   offline; last seen 2h ago\n"
    );
}

#[test]
fn a_path_tells_how_long_it_stands_and_a_relayed_one_why_it_is() {
    let now = UnixTime::from_secs(1_000_000);
    let mut status = example();
    for peer in status.peer.values_mut().filter(|peer| peer.active) {
        match peer.cur_addr.as_str() {
            "" => peer.why_not_direct = "no direct path answers".to_owned(),
            _ => peer.path_since = Some(UnixTime::from_secs(1_000_000 - 240)),
        }
    }
    let text = show().text(&status, now);
    assert!(text.contains("active; direct 192.0.2.7:41641, tx 100 rx 2000, for 4m\n"), "{text}");
    assert!(text.ends_with("\n# Why not direct:\n#     - alder: no direct path answers\n"), "{text}");
}

#[test]
fn parts_can_be_left_out_and_complaints_follow() {
    let status = Status { health: vec!["no relay answers".to_owned()], ..example() };
    let text = Show { peers: false, header: true, ..show() }.text(&status, UnixTime::from_secs(1_000_000));
    assert_eq!(
        text,
        "Address         Name                 Owner        System  Connection\n\
         100.64.0.1      ash                  ana@         linux   -\n\n# Health check:\n#     - no relay answers\n"
    );
}

#[test]
fn a_node_that_is_not_connected_says_so_and_what_to_do() {
    let told = |state: &str, auth_url: &str| {
        disconnected(&Status { backend_state: state.to_owned(), auth_url: auth_url.to_owned(), ..Status::default() })
    };
    assert_eq!(told("Running", ""), None);
    assert_eq!(told("Starting", ""), None);
    assert_eq!(told("Stopped", "").unwrap(), "Wattle is stopped.");
    assert_eq!(told("NeedsLogin", "https://x/a").unwrap(), "Logged out.\nLog in at: https://x/a");
    assert!(told("NeedsMachineAuth", "").unwrap().contains("approved"));
    assert_eq!(told("Dreaming", "").unwrap(), "unexpected state: Dreaming");
}

#[test]
fn names_and_addresses_mean_the_same_node() {
    let status = example();
    for text in ["birch", "BIRCH", "birch.example.ts.net", "birch.example.ts.net.", "100.64.0.3"] {
        let found = crate::cli::target::find(&status, text).unwrap().unwrap();
        assert_eq!((found.address.to_string().as_str(), found.is_self), ("100.64.0.3", false), "{text}");
    }
    assert!(crate::cli::target::find(&status, "ash").unwrap().unwrap().is_self);
    assert_eq!(crate::cli::target::find(&status, "bir").unwrap(), None);
    assert_eq!(crate::cli::target::find(&status, "").unwrap(), None);
}

#[test]
fn times_are_told_in_one_unit() {
    let now = UnixTime::from_secs(1_000_000);
    let before = |seconds: i64| ago(now, UnixTime::from_secs(1_000_000 - seconds));
    assert_eq!((before(5), before(120), before(7200)), ("just now".into(), "2m ago".into(), "2h ago".into()));
    assert_eq!((before(200_000), before(-5)), ("2d ago".to_owned(), "just now".to_owned()));
}
