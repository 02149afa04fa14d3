//! `wattle-control`: the coordination server, and the verbs of its administrators. This file reads the command line.
#![forbid(unsafe_code)]

mod admin;
mod assemble;
mod check_config;
mod cli;
mod config;
mod event_loop;
mod http;
mod limits;
mod line_diff;
mod map_stream;
mod people;
mod policy_desk;
mod policy_file;
mod relay;
mod serve;
mod ssh_policy;
mod web;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::check_config::CheckConfig;
use crate::config::Settings;
use crate::serve::Serve;

/// Coordinates a mesh VPN: admits machines, gives them names and addresses, and introduces them to each other.
#[derive(Parser)]
#[command(name = "wattle-control", version, arg_required_else_help = true)]
struct CommandLine {
    /// The server's folder [default: /var/lib/wattle-control]
    #[arg(long, global = true, value_name = "FOLDER", env = "WATTLE_CONTROL_DATA")]
    data: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Runs the server until it is told to stop (SIGTERM, Ctrl-C). Needs no configuration.
    #[command(after_help = serve::EXAMPLES)]
    Serve(Box<Serve>),
    /// Reads a configuration file, tries the identity providers in it, and says what is wrong.
    CheckConfig(CheckConfig),
    #[command(flatten)]
    Admin(cli::Verb),
}

fn main() -> ExitCode {
    match run(CommandLine::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !cli::is_told(&error) {
                eprintln!("error: {error:#}");
            }
            ExitCode::from(cli::exit_code(&error))
        }
    }
}

fn run(CommandLine { data, verb }: CommandLine) -> anyhow::Result<()> {
    match verb {
        Verb::Serve(flags) => {
            let settings = Serve { data, ..*flags }.settings()?;
            log_to_stderr(&settings.log)?;
            runtime()?.block_on(assemble::serve(settings))
        }
        Verb::CheckConfig(check) => runtime()?.block_on(check.run()),
        Verb::Admin(verb) => {
            let folder = data.as_deref().unwrap_or(Path::new(Settings::DEFAULT_FOLDER));
            runtime()?.block_on(cli::run(verb, folder))
        }
    }
}

fn log_to_stderr(filter: &str) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .map_err(|error| anyhow::anyhow!("{filter:?} is no log filter: {error}"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}
