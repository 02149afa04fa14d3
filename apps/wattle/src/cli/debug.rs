//! `wattle debug`: for people who look for a fault. What it prints may change with any version.

use anyhow::Context;
use clap::{Args, Subcommand};
use http::Method;
use wattle_wire::local::watch;

use super::api::Api;
use super::paths::Paths;
use super::{Outcome, print, print_json};

/// Look inside the daemon
#[derive(Args, Debug)]
pub(super) struct Debug {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the preferences
    Prefs,
    /// Print the relays
    DerpMap,
    /// Print events as they come, until interrupted
    WatchIpn,
    /// Print counters
    Metrics,
    /// Print what the relay for peers carries
    PeerRelaySessions,
    /// Open the UDP sockets anew
    Rebind,
    /// Ask again what addresses others see
    Restun,
    Paths(Paths),
}

impl Debug {
    pub(super) async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        match self.what {
            What::Prefs => print_json(&api.prefs().await?)?,
            What::DerpMap => print_json(&api.derp_map().await?)?,
            What::Metrics => print(&api.text(Method::GET, "metrics").await?)?,
            What::PeerRelaySessions => print_json(&api.peer_relay().await?)?,
            What::Rebind => print(&api.text(Method::POST, "debug?action=rebind").await?)?,
            What::Restun => print(&api.text(Method::POST, "debug?action=restun").await?)?,
            What::Paths(paths) => return paths.run(api).await,
            What::WatchIpn => {
                let mut events = api.watch(watch::INITIAL_STATE | watch::INITIAL_PREFS).await?;
                loop {
                    let line = events.next_line().await?;
                    let line = std::str::from_utf8(&line).context("an event that is no text")?;
                    print(&format!("{line}\n"))?;
                }
            }
        }
        Ok(Outcome::Done)
    }
}
