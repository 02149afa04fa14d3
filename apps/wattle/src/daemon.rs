//! The node as a process: sockets, files, threads and one event loop around the machine in `wattle-node`.
//!
//! Not decisions: those are made in `core/`. Here is who runs what: two data threads carry packets ([`data_threads`]); the
//! event loop ([`event_loop`]) owns everything else and is the only one that calls the node.

mod addresses;
mod assemble;
mod captive;
mod changes;
mod chores;
mod control_link;
mod data_threads;
mod event_loop;
mod health;
mod host_report;
mod host_worker;
mod input;
mod limits;
mod local;
mod paths;
mod peer_relay;
mod port_mapping;
mod relay_links;
mod saved;
mod sleep_watch;
mod status;
mod unsent;
mod watchers;

use std::path::PathBuf;

/// How the daemon is started.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Where keys and preferences are kept.
    pub(crate) state_dir: PathBuf,
    /// Where the LocalAPI listens.
    pub(crate) socket: PathBuf,
    /// Name of the TUN device.
    pub(crate) tun: String,
    /// UDP port.
    pub(crate) port: u16,
}

/// Runs the daemon until it is told to end.
pub(crate) fn run(options: Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(assemble::run(options));
    // Lookups of names block threads that nothing waits for any more.
    runtime.shutdown_background();
    ended
}
