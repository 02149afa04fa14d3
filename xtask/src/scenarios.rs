//! `cargo xtask scenarios`: builds the player of scenarios and hands it what was asked.

use std::path::Path;
use std::process::Command;

use clap::Args;

use crate::run;

/// The seeds of a whole test run.
const SEEDS_OF_A_TEST: &str = "0..10000";

/// What to play; see `cargo xtask scenarios -- --help`.
#[derive(Args)]
pub(crate) struct Options {
    /// Handed to the player: `--seeds 0..10000`, `--story FILE`, `--show SEED`, `--trace`, `--twice`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Plays.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let mut player = run::cargo();
    player.args(["run", "--quiet", "--package", "wattle-scenarios", "--bin", "scenarios", "--"]);
    run::step("scenarios", player.args(&options.arguments))
}

/// Plays the seeds that every test run plays, with the player among the programs that were built. A failing one is told
/// with the command that replays it.
pub(crate) fn test(programs: &Path) -> anyhow::Result<()> {
    run::step("scenarios", Command::new(programs.join("scenarios")).args(["--seeds", SEEDS_OF_A_TEST]))
}
