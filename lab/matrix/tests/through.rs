//! A few pairs of the matrix, and a few disturbances: real programs on the real kernel. Needs root; says so and passes
//! where that is missing. `cargo xtask nat-matrix` and `cargo xtask disturb` measure all of them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wattle_interop::{have, tools};
use wattle_matrix::disturb::{self, Case};
use wattle_matrix::matrix::{self, Path, Plan, Row};
use wattle_matrix::{Client, Programs};
use wattle_netns::{Families, Lab};

/// What is measured at the same time disturbs each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
const LATENCY: Duration = Duration::from_millis(2);
/// No promise of speed: a machine that runs tests is busy. `cargo xtask disturb` holds it to 3 s.
const STALL_MAX: Duration = Duration::from_secs(12);

fn programs() -> Option<Programs> {
    // Whether there can be labs at all.
    Lab::for_test()?;
    let folder = have(tools::program("wattle"))?.parent()?.to_owned();
    Some(Programs { ours: folder, official_daemon: None, official_up: None })
}

fn rows(programs: &Programs, families: Families, clients: (Client, Client), kinds: &[&str]) -> Vec<Row> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let kinds = kinds.iter().map(ToString::to_string).collect();
    let plan = Plan { families, port_mapping: false, clients, rounds: 1, kinds, latency: LATENCY, peer_relay: false };
    let rows = matrix::run(programs, &plan, |_| {}).unwrap_or_else(|why| panic!("{why:#}"));
    for row in &rows {
        assert!(row.holds(), "{row:?}");
    }
    rows
}

#[test]
fn pairs_are_direct_where_their_nats_let_them_and_talk_anyhow_where_not() {
    let Some(programs) = programs() else { return };
    let ours = (Client::Wattle, Client::Wattle);
    let rows = rows(&programs, Families::Four, ours, &["ei-apd", "symmetric", "cgnat", "tcp-443"]);
    assert_eq!(rows.len(), 10);
    for row in rows.iter().filter(|row| row.a == "tcp-443" || row.b == "tcp-443") {
        assert_eq!(row.path, Path::Relay, "{row:?}");
    }
}

#[test]
fn ipv6_makes_direct_what_symmetric_nats_keep_apart() {
    let Some(programs) = programs() else { return };
    let ours = (Client::Wattle, Client::Wattle);
    let rows = rows(&programs, Families::Both, ours, &["symmetric+v6-firewall", "ei-apd+v6-firewall"]);
    assert!(rows.iter().all(|row| row.path == Path::Direct), "{rows:?}");
}

#[test]
fn official_clients_and_ours_find_the_same_paths() {
    let Some(mut programs) = programs() else { return };
    programs.official_daemon = have(tools::official_daemon());
    programs.official_up = have(tools::tsnet_probe());
    if !programs.has_official() {
        return;
    }
    let rows = rows(&programs, Families::Four, (Client::Wattle, Client::Official), &["ei-apd", "symmetric"]);
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().any(|row| row.path == Path::Direct), "{rows:?}");
}

#[test]
fn a_transfer_goes_on_when_the_network_changes_under_it() {
    let Some(programs) = programs() else { return };
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let cases = [Case::Roam, Case::NatRebind, Case::RelayDeath, Case::DataBlocked, Case::Mtu1280];
    let costs = disturb::run(&programs, Client::Wattle, &cases, LATENCY, |_| {});
    for cost in costs.unwrap_or_else(|why| panic!("{why:#}")) {
        assert!(cost.holds(STALL_MAX), "{cost:?}");
    }
}
