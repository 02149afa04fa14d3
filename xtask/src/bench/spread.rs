//! How soon a policy is obeyed: the figures of `lab/interop`, where official nodes run, as a table.

use anyhow::{Context, bail};
use comfy_table::Table;
use serde_json::Value;

use crate::{oracles, run};

/// Runs the crowd against our programs as they are shipped.
pub(super) fn measure(nodes: usize) -> anyhow::Result<Vec<Value>> {
    let programs = ["build", "--release", "--package", "wattle-control", "--package", "wattle-interop"];
    run::step("programs", run::cargo().args(programs))?;
    let tools = oracles::install()?;
    let mut programs = run::programs()?;
    programs.set_file_name("release");
    let mut command = std::process::Command::new(programs.join("policy-spread"));
    command.arg(nodes.to_string()).env("WATTLE_PROGRAMS", &programs).env("WATTLE_TOOLS", tools);
    eprintln!("measuring: the nodes join first, then every round rests for ten seconds");
    let output = command.stderr(std::process::Stdio::inherit()).output().context("running the crowd")?;
    if !output.status.success() {
        bail!(
            "the crowd failed ({}): it needs root, and the clients that \"cargo xtask test\" installs",
            output.status
        );
    }
    serde_json::from_slice(&output.stdout).context("the crowd's report")
}

/// One line for each round.
pub(super) fn show(rows: &[Value]) -> Table {
    let mut table = Table::new();
    table.set_header([
        "round",
        "nodes",
        "told",
        "command, ms",
        "first node, ms",
        "median, ms",
        "p99, ms",
        "last node, ms",
    ]);
    for row in rows {
        let names = ["round", "nodes", "told", "command_ms", "first_ms", "median_ms", "p99_ms", "last_ms"];
        table.add_row(names.map(|name| row[name].to_string()));
    }
    table
}
