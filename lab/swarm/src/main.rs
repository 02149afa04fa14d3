//! `wattle-swarm`: lets many members join a coordination server and says how long it took until all saw all.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use wattle_swarm::Swarm;

/// Many protocol-true nodes, without a data path, against any coordination server
#[derive(Parser)]
#[command(after_help = "example: wattle-swarm --server http://127.0.0.1:8080 --auth-key KEY --nodes 200")]
struct Arguments {
    /// URL of the coordination server
    #[arg(long)]
    server: String,
    /// A reusable auth key
    #[arg(long)]
    auth_key: String,
    /// How many members
    #[arg(long, default_value_t = 200)]
    nodes: usize,
    /// How many seconds they get
    #[arg(long, default_value_t = 60)]
    patience: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut swarm = Swarm::join(&arguments.server, &arguments.auth_key, arguments.nodes)?;
    let took = swarm.all_see_all(Duration::from_secs(arguments.patience)).await?;
    println!("{} members see each other after {:.2} s", arguments.nodes, took.as_secs_f64());
    Ok(())
}
