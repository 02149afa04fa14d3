//! `cargo xtask scenarios`: builds the player of scenarios and hands it what was asked.

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

/// The seeds that every test run plays. A failing one is told with the command that replays it.
pub(crate) fn test() -> anyhow::Result<()> {
    run(&Options { arguments: vec!["--seeds".to_owned(), SEEDS_OF_A_TEST.to_owned()] })
}
