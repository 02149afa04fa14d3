//! `wattle down`: disconnect, but stay signed in.

use std::io::{self, Write};

use clap::Args;
use wattle_wire::local::{MaskedPrefs, State};

use super::Outcome;
use super::api::Api;

/// Disconnect from the network; `wattle up` connects again
#[derive(Args, Debug)]
pub(super) struct Down {
    /// Risks that are taken without asking; understood for scripts, nothing is ever asked
    #[arg(long, hide = true)]
    accept_risk: Option<String>,
    /// Why; for the daemon's log
    #[arg(long, hide = true)]
    reason: Option<String>,
}

impl Down {
    pub(super) async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        if api.status_without_peers().await?.backend_state == State::Stopped.as_str() {
            writeln!(io::stderr(), "Wattle was already stopped.")?;
            return Ok(Outcome::Done);
        }
        api.edit_prefs(&MaskedPrefs { want_running_set: true, ..MaskedPrefs::default() }).await?;
        Ok(Outcome::Done)
    }
}
