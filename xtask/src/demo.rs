//! `cargo xtask demo`: a mesh behind real NATs, on this machine, with what happens in it measured.
//!
//! Five hosts stand behind five kinds of router, one coordination server on the public network. They join, find direct
//! paths where there is one, move a file, and go on when the server is killed.

mod mesh;
mod probe;
mod report;
mod table;
mod transfer;

use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;

use self::mesh::Mesh;
use self::probe::Probe;
use self::report::{HostLine, PairLine, Report, ServerDown};
use self::table::Table;
use crate::{install, run};

/// What the demo needs from Debian.
const PACKAGES: &[&str] = &["iproute2", "nftables", "procps"];
/// The pairs that the demo's policy allows, and whether the two routers let a direct path exist. Two strict NATs
/// (symmetric with port-restricted) have none, so that pair is not among them.
const PAIRS: [(&str, &str, bool); 5] = [
    ("ash", "birch", true),
    ("birch", "cedar", true),
    ("cedar", "ash", true),
    ("doum", "birch", true),
    ("elm", "ash", false),
];
/// How long the hosts get to find their paths.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long traffic is watched once the paths stand, and again while the server is dead.
const WATCH: Duration = Duration::from_secs(8);
const FILE_BYTES: usize = 64 << 20;

/// How the demo runs.
#[derive(Args)]
pub(crate) struct Options {
    /// Print the result as data on standard output
    #[arg(long)]
    json: bool,
    /// Leave hosts and server running at the end, to play with
    #[arg(long)]
    keep: bool,
}

/// Runs the demo; an error when what it shows is not what it promises.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if !install::is_root() {
        bail!("the demo makes network namespaces and needs root: run it with sudo");
    }
    install::debian(PACKAGES)?;
    run::step("building", run::cargo().args(["build", "--workspace"]))?;

    let mut mesh = Mesh::lay_out(&run::programs()?)?;
    eprintln!("\n== five hosts join {}", mesh.url());
    mesh.start_server()?;
    mesh.write_policy(&PAIRS)?;
    mesh.join_all()?;

    let probes = PAIRS
        .iter()
        .map(|(from, to, _)| Probe::start(mesh.host(from)?, mesh.host(to)?))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut table = Table::new(options.json);
    let settled = settle(&mesh, &probes, &mut table)?;
    watch(&mesh, &probes, &mut table, WATCH)?;

    // Pings beside a saturated tunnel would measure queues, not paths: what is counted before ends here.
    let calm = Instant::now();
    let rate = transfer::measure(mesh.host("ash")?, mesh.host("birch")?, FILE_BYTES)?;
    eprintln!("\n== a file of {} MiB from birch to ash over plain HTTP: {rate:.0} MiB/s", FILE_BYTES >> 20);

    eprintln!("\n== the coordination server is killed (kill -9); direct traffic goes on");
    let killed = Instant::now();
    mesh.kill_server()?;
    watch(&mesh, &probes, &mut table, WATCH)?;
    let alive = Instant::now();
    eprintln!("\n== the server starts again; the relayed pair comes back");
    mesh.start_server()?;
    let relay_is_back = comes_back(&mesh, &probes, &mut table)?;

    let report = conclude(&mesh, &probes, calm, (killed, alive), settled && relay_is_back, rate);
    drop(probes);
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        report.print();
    }
    if options.keep {
        mesh.keep();
    } else {
        eprintln!("\nnext: cargo xtask demo --keep leaves it running; README.md says how to use it for real");
    }
    if !report.ok {
        bail!("the demo did not show what it promises; the table above says where");
    }
    Ok(())
}

/// Waits until every pair has the path that it can have.
fn settle(mesh: &Mesh, probes: &[Probe], table: &mut Table) -> anyhow::Result<bool> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        observe(mesh, probes, table)?;
        let found = |(probe, (_, _, direct)): (&Probe, &(&str, &str, bool))| {
            probe.has_answer() && (probe.is_direct() || !direct)
        };
        if probes.iter().zip(&PAIRS).all(found) {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(false)
}

fn watch(mesh: &Mesh, probes: &[Probe], table: &mut Table, how_long: Duration) -> anyhow::Result<()> {
    let started = Instant::now();
    while started.elapsed() < how_long {
        observe(mesh, probes, table)?;
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Waits until the relayed pair answers again.
fn comes_back(mesh: &Mesh, probes: &[Probe], table: &mut Table) -> anyhow::Result<bool> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        observe(mesh, probes, table)?;
        let back = |probe: &Probe| probe.is_direct() || probe.answered_since(started);
        if probes.iter().all(back) {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(false)
}

fn observe(mesh: &Mesh, probes: &[Probe], table: &mut Table) -> anyhow::Result<()> {
    for probe in probes {
        probe.note_path(mesh.current_path(probe.from(), probe.to())?);
    }
    table.draw(mesh, probes);
    Ok(())
}

fn conclude(
    mesh: &Mesh,
    probes: &[Probe],
    calm: Instant,
    (killed, alive): (Instant, Instant),
    settled: bool,
    rate: f64,
) -> Report {
    let hosts =
        mesh.hosts().map(|host| HostLine { name: host.name().to_owned(), nat: host.nat_name().to_owned() }).collect();
    let pairs: Vec<PairLine> = probes.iter().map(|probe| PairLine::of(probe, calm)).collect();
    let mut server_down = ServerDown { sent: 0, lost: 0 };
    for probe in probes.iter().filter(|probe| probe.is_direct()) {
        let (sent, lost) = probe.counts(killed, alive);
        server_down.sent += sent;
        server_down.lost += lost;
    }
    let as_promised =
        pairs.iter().zip(&PAIRS).all(|(pair, (_, _, direct))| (pair.path == "direct") == *direct && pair.lost == 0);
    let ok = settled && as_promised && server_down.sent > 0 && server_down.lost == 0;
    Report { hosts, pairs, server_down, transfer_mib_per_second: rate, ok }
}
