//! `cargo xtask nat-matrix`: every pair of kinds of NAT on the real kernel, with our programs and official ones.

use std::time::Duration;

use anyhow::{bail, ensure};
use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};
use wattle_matrix::matrix::{self, Plan, Row};
use wattle_matrix::{Client, Programs};
use wattle_netns::Families;

use crate::{install, oracles, run};

/// What the labs of the matrix and of disturbances need.
const PACKAGES: &[&str] = &["iproute2", "nftables", "procps"];
pub(crate) const PORT_MAPPING_PACKAGE: &str = "miniupnpd-nftables";
/// A few kinds that stand for the rest: one of each that behaves differently.
const QUICK: &[&str] = &["ei-apd", "symmetric", "udp-blocked", "firewall", "ei-apd+v6-firewall", "symmetric+v6-none"];

/// What is measured.
#[derive(Args)]
pub(crate) struct Options {
    /// Print the rows as JSON on standard output
    #[arg(long)]
    json: bool,
    /// How often each pair is measured
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Who talks to whom
    #[arg(long, value_delimiter = ',', default_value = "wattle-wattle,wattle-official,official-official")]
    pairs: Vec<Pair>,
    /// What the networks speak
    #[arg(long, value_delimiter = ',', default_value = "v4,v6,dual")]
    families: Vec<Family>,
    /// With routers that open ports when they are asked, without, or both
    #[arg(long, value_delimiter = ',', default_value = "off,on")]
    portmap: Vec<Switch>,
    /// Let a node with a public address relay for the others
    #[arg(long)]
    peer_relay: bool,
    /// Only these kinds of network
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<String>,
    /// One way through every node's cable, in milliseconds
    #[arg(long, default_value_t = 5)]
    latency: u64,
    /// One round of a few kinds
    #[arg(long)]
    quick: bool,
    /// Use the programs that are there already
    #[arg(long)]
    no_build: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Pair {
    WattleWattle,
    WattleOfficial,
    OfficialWattle,
    OfficialOfficial,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Family {
    V4,
    V6,
    Dual,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    Off,
    On,
}

impl Pair {
    const fn clients(self) -> (Client, Client) {
        match self {
            Self::WattleWattle => (Client::Wattle, Client::Wattle),
            Self::WattleOfficial => (Client::Wattle, Client::Official),
            Self::OfficialWattle => (Client::Official, Client::Wattle),
            Self::OfficialOfficial => (Client::Official, Client::Official),
        }
    }
}

impl Family {
    const fn families(self) -> Families {
        match self {
            Self::V4 => Families::Four,
            Self::V6 => Families::Six,
            Self::Dual => Families::Both,
        }
    }
}

/// Measures; an error when a pair with one of ours that can be direct is not.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let programs = prepare(!options.no_build, options.pairs.iter().any(|pair| *pair != Pair::WattleWattle))?;
    if options.portmap.contains(&Switch::On) {
        install::debian(&[PORT_MAPPING_PACKAGE])?;
    }
    let mut rows = Vec::new();
    for family in &options.families {
        for portmap in &options.portmap {
            // Routers open ports in IPv4 only; one family with them says it all.
            if *portmap == Switch::On && *family != Family::V4 && options.families.contains(&Family::V4) {
                continue;
            }
            for pair in &options.pairs {
                let plan = plan(options, *family, *portmap, *pair);
                let (a, b) = plan.clients;
                let opened = if plan.port_mapping { ", routers open ports" } else { "" };
                eprintln!("\n== {} to {} over {}{opened}", a.name(), b.name(), plan.families.name());
                rows.extend(matrix::run(&programs, &plan, tell)?);
            }
        }
    }
    ensure!(!rows.is_empty(), "nothing was measured");
    if options.json {
        println!("{}", serde_json::json!({ "rows": rows }));
    } else {
        print(&rows);
    }
    // What two official clients do is for comparison.
    let ours = |row: &&Row| [row.client_a, row.client_b].contains(&Client::Wattle.name());
    let wrong = rows.iter().filter(ours).filter(|row| !row.holds()).count();
    if wrong > 0 {
        bail!("{wrong} of {} pairs did not get the path that they can have", rows.iter().filter(ours).count());
    }
    Ok(())
}

/// Builds what will run.
pub(crate) fn prepare(build: bool, with_official: bool) -> anyhow::Result<Programs> {
    ensure!(install::is_root(), "this makes network namespaces and needs root: run it with sudo");
    install::debian(PACKAGES)?;
    let ours = run::programs()?;
    let tools = oracles::install()?;
    if build {
        run::step("building", run::cargo().args(["build", "--workspace"]))?;
        if with_official {
            oracles::build_official(&tools)?;
        }
    }
    Programs::find(&ours, &tools)
}

fn plan(options: &Options, family: Family, portmap: Switch, pair: Pair) -> Plan {
    let kinds = match (options.quick, options.kinds.is_empty()) {
        (true, true) => QUICK.iter().map(ToString::to_string).collect(),
        _ => options.kinds.clone(),
    };
    Plan {
        families: family.families(),
        port_mapping: portmap == Switch::On,
        clients: pair.clients(),
        rounds: if options.quick { 1 } else { options.rounds.max(1) },
        kinds,
        peer_relay: options.peer_relay,
        latency: Duration::from_millis(options.latency),
    }
}

fn tell(row: &Row) {
    let wrong = if row.holds() { "" } else { "   <-- could be better" };
    eprintln!(
        "{:24} {:24} {:10} {:>8} lost {}{wrong}",
        row.a,
        row.b,
        row.path.name(),
        time(row.direct_after_ms_median),
        row.lost
    );
}

fn print(rows: &[Row]) {
    let mut cells = Table::new();
    cells.load_style(presets::UTF8_HORIZONTAL_ONLY);
    cells.set_header([
        "who", "where", "to whom", "where", "family", "ports", "path", "can be", "median", "worst", "lost",
    ]);
    for row in rows {
        cells.add_row([
            row.client_a.to_owned(),
            row.a.clone(),
            row.client_b.to_owned(),
            row.b.clone(),
            row.family.to_owned(),
            if row.portmap { "opened" } else { "" }.to_owned(),
            row.path.name().to_owned(),
            if row.direct_possible { "direct" } else { "relayed" }.to_owned(),
            time(row.direct_after_ms_median),
            time(row.direct_after_ms_worst),
            row.lost.to_string(),
        ]);
    }
    println!("{cells}");
    println!("median over all direct pairs:");
    for clients in [("wattle", "wattle"), ("wattle", "official"), ("official", "wattle"), ("official", "official")] {
        let mut times: Vec<u64> = rows
            .iter()
            .filter(|row| (row.client_a, row.client_b) == clients)
            .filter_map(|row| row.direct_after_ms_median)
            .collect();
        times.sort_unstable();
        if let (Some(median), Some(worst)) = (times.get(times.len() / 2), times.last()) {
            println!("  {} to {}: {median} ms, slowest {worst} ms ({} pairs)", clients.0, clients.1, times.len());
        }
    }
}

fn time(ms: Option<u64>) -> String {
    ms.map_or_else(String::new, |ms| format!("{ms} ms"))
}
