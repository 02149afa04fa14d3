//! `wattle daemon`: the node itself.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{ArgAction, Args};
use tracing_subscriber::EnvFilter;

use super::Outcome;
use crate::daemon;

/// Run the node; also as `wattled`
///
/// Keeps running until it is told to end (SIGINT, SIGTERM). Logs go to stderr.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  sudo wattle daemon\n  sudo wattle daemon --state-dir /srv/wattle --tun wattle1 --port 0"
)]
pub(super) struct Daemon {
    /// Where keys and preferences are kept
    #[arg(long, visible_alias = "statedir", value_name = "PATH", default_value = "/var/lib/wattle")]
    state_dir: PathBuf,
    /// UDP port for connections to peers; 0, or when it is taken: any
    #[arg(long, default_value_t = 41641)]
    port: u16,
    /// Name of the network interface
    #[arg(long, value_name = "NAME", default_value = "wattle0")]
    tun: String,
    /// Log more: once for decisions, twice for messages; the environment's RUST_LOG overrides it
    #[arg(long, short = 'v', action = ArgAction::Count)]
    verbose: u8,
}

impl Daemon {
    pub(super) fn run(self, socket: PathBuf) -> anyhow::Result<Outcome> {
        let level = match self.verbose {
            0 => "info",
            1 => "debug",
            _ => "trace",
        };
        // Libraries speak up only when something is wrong, or when everything is wanted.
        let usual = if self.verbose > 1 { level.to_owned() } else { format!("warn,wattle={level}") };
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
        let colourful = std::io::stderr().is_terminal();
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colourful).init();
        daemon::run(daemon::Options { state_dir: self.state_dir, socket, tun: self.tun, port: self.port })?;
        Ok(Outcome::Done)
    }
}
