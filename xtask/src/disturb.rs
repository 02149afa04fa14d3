//! `cargo xtask disturb`: what roaming, sleep, a rebooted router, dead servers and bad networks cost a running transfer.

use std::time::Duration;

use anyhow::{bail, ensure};
use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};
use wattle_matrix::Client;
use wattle_matrix::disturb::{self, CASES, Case, Cost};

use crate::{install, nat_matrix};

/// Where there is a path, a transfer stands still no longer than this.
const STALL_MAX: Duration = Duration::from_secs(3);

/// What is measured.
#[derive(Args)]
pub(crate) struct Options {
    /// Print what it cost as JSON on standard output
    #[arg(long)]
    json: bool,
    /// Whose clients; both beside each other unless said
    #[arg(long, value_delimiter = ',', default_value = "wattle,official")]
    client: Vec<Whose>,
    /// Only these cases
    #[arg(long, value_delimiter = ',')]
    cases: Vec<String>,
    /// One way through every node's cable, in milliseconds
    #[arg(long, default_value_t = 5)]
    latency: u64,
    /// Use the programs that are there already
    #[arg(long)]
    no_build: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Whose {
    Wattle,
    Official,
}

/// Measures; an error when our transfer stood still for too long, or for good.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let programs = nat_matrix::prepare(!options.no_build, options.client.contains(&Whose::Official))?;
    let cases: Vec<Case> = match options.cases.is_empty() {
        true => CASES.to_vec(),
        false => options.cases.iter().map(|name| disturb::case(name)).collect::<anyhow::Result<_>>()?,
    };
    if cases.contains(&Case::PortMappingLost) {
        install::debian(&[nat_matrix::PORT_MAPPING_PACKAGE])?;
    }
    let latency = Duration::from_millis(options.latency);
    let mut costs = Vec::new();
    for whose in &options.client {
        let client = match whose {
            Whose::Wattle => Client::Wattle,
            Whose::Official => Client::Official,
        };
        eprintln!("\n== {} clients", client.name());
        costs.extend(disturb::run(&programs, client, &cases, latency, tell)?);
    }
    ensure!(!costs.is_empty(), "nothing was measured");
    if options.json {
        println!("{}", serde_json::json!({ "rows": costs }));
    } else {
        print(&costs);
    }
    let ours = costs.iter().filter(|cost| cost.client == Client::Wattle.name());
    let wrong: Vec<&str> = ours.filter(|cost| !cost.holds(STALL_MAX)).map(|cost| cost.case).collect();
    if !wrong.is_empty() {
        bail!("the transfer stood still for more than {} s: {}", STALL_MAX.as_secs(), wrong.join(", "));
    }
    Ok(())
}

fn tell(cost: &Cost) {
    eprintln!(
        "{:28} {:>6} ms stall, {:>4} pings lost over {:>6} ms, {} -> {}{}",
        cost.case,
        cost.stall_ms,
        cost.lost,
        cost.lost_span_ms,
        cost.path_before.name(),
        cost.path_after.name(),
        if cost.flows { "" } else { "   <-- does not flow" },
    );
}

fn print(costs: &[Cost]) {
    let mut cells = Table::new();
    cells.load_style(presets::UTF8_HORIZONTAL_ONLY);
    cells.set_header([
        "case",
        "client",
        "before",
        "after",
        "longest stall",
        "pings lost",
        "over",
        "direct after",
        "flows",
    ]);
    for cost in costs {
        cells.add_row([
            cost.case.to_owned(),
            cost.client.to_owned(),
            cost.path_before.name().to_owned(),
            cost.path_after.name().to_owned(),
            format!("{} ms", cost.stall_ms),
            cost.lost.to_string(),
            format!("{} ms", cost.lost_span_ms),
            cost.direct_after_ms.map_or_else(String::new, |ms| format!("{ms} ms")),
            if cost.flows { "yes" } else { "no" }.to_owned(),
        ]);
    }
    println!("{cells}");
}
