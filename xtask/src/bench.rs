//! `cargo xtask bench`: what things cost, and how that grows. The measuring is done by `lab/bench`, compiled as programs
//! are shipped; here it is started and its figures are shown. A benchmark is one file here, one there, and two lines
//! below.

mod filter;
mod policy;
mod spread;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use comfy_table::Table;
use serde_json::{Value, json};

use crate::run;

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    benchmark: Benchmark,
    /// Print the figures as data on standard output
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Benchmark {
    /// The packet filter: cost of a verdict, of compiling, and memory, with 10 to 100,000 rules
    Filter,
    /// The policy engine: a whole compile and one node's change, with 1,000 rules and 1,000 to 100,000 nodes
    Policy,
    /// How soon official nodes obey a new policy (needs root, for network namespaces)
    Spread {
        /// How many
        #[arg(long, default_value_t = 200)]
        nodes: usize,
    },
}

/// Figures as a table.
type Show = fn(&[Value]) -> Table;

/// Measures and shows.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let (name, table, rows): (_, Show, _) = match options.benchmark {
        Benchmark::Filter => ("filter", filter::show, measure("filter")?),
        Benchmark::Policy => ("policy", policy::show, measure("policy")?),
        Benchmark::Spread { nodes } => ("spread", spread::show, spread::measure(nodes)?),
    };
    let machine = machine();
    if options.json {
        println!("{}", serde_json::to_string_pretty(&json!({ "benchmark": name, "machine": machine, "rows": rows }))?);
    } else {
        println!("{name}, on {} ({} cores)", machine["cpu"].as_str().unwrap_or_default(), machine["cores"]);
        println!("{}", table(&rows));
    }
    Ok(())
}

/// The rows that a benchmark of `lab/bench` reports.
fn measure(name: &str) -> anyhow::Result<Vec<Value>> {
    let mut command = run::cargo();
    command.args(["run", "--quiet", "--release", "--package", "wattle-bench", "--", name]);
    eprintln!("measuring; the first time everything is compiled with all optimizations, which takes minutes");
    let output = command.stderr(std::process::Stdio::inherit()).output().context("running cargo")?;
    if !output.status.success() {
        bail!("the benchmark failed ({})", output.status);
    }
    serde_json::from_slice(&output.stdout).context("the benchmark's report")
}

/// What figures depend on.
fn machine() -> Value {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    json!({ "cpu": named.map_or("an unnamed processor", |(_, name)| name), "cores": cores })
}

/// A figure of a row.
fn number(row: &Value, name: &str) -> f64 {
    row[name].as_f64().unwrap_or(f64::NAN)
}

/// How many times as much as in the row that it is compared with.
fn growth(from: &Value, row: &Value, name: &str) -> String {
    format!("{:.1}", number(row, name) / number(from, name))
}
