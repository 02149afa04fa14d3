//! The project's own commands. `cargo xtask demo` shows a mesh at work, `cargo xtask test` proves it, `bench`
//! measures it, `floors` and `tidy` keep the house in order.
#![forbid(unsafe_code)]

mod bench;
mod demo;
mod disturb;
mod floors;
mod fuzz;
mod install;
mod nat_matrix;
mod oracles;
mod run;
mod scenarios;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Wattle's own commands")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build, lay out five hosts behind different NATs, join them, and show what works
    Demo(demo::Options),
    /// Run every test: rules of the house, lints, unit tests, labs in network namespaces, official clients
    Test(test::Options),
    /// Try every pair of kinds of NAT on the real kernel: who gets through, how, and how fast
    NatMatrix(nat_matrix::Options),
    /// Let things happen to a running transfer: roaming, sleep, a rebooted router, dead servers
    Disturb(disturb::Options),
    /// Play scenarios in the simulated internet, from seeds or a story, and hold them against what must be true
    Scenarios(scenarios::Options),
    /// Measure what things cost and how that grows
    Bench(bench::Options),
    /// Search for inputs that break parsers and machines
    Fuzz(fuzz::Options),
    /// Check that no crate uses what its floor must not know
    Floors,
    /// Check the size, the shape and the names of files
    Tidy,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Demo(options) => demo::run(&options),
        Task::Test(options) => test::run(&options),
        Task::NatMatrix(options) => nat_matrix::run(&options),
        Task::Disturb(options) => disturb::run(&options),
        Task::Scenarios(options) => scenarios::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Floors => floors::check(),
        Task::Tidy => tidy::check(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
