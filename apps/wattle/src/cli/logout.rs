//! `wattle logout`: disconnect and forget who we are.

use clap::Args;

use super::Outcome;
use super::api::Api;

/// Disconnect from the network and expire this machine's key
#[derive(Args, Debug)]
pub(super) struct Logout {
    /// Why; for the daemon's log
    #[arg(long, hide = true)]
    reason: Option<String>,
}

impl Logout {
    pub(super) async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        api.logout().await?;
        Ok(Outcome::Done)
    }
}
