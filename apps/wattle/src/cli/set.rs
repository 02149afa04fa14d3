//! `wattle set`: change single settings.

use anyhow::ensure;
use clap::Args;

use super::Outcome;
use super::api::Api;
use super::settings::{self, Settings};

/// Change the settings that are mentioned, and no others
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  sudo wattle set --accept-routes\n  sudo wattle set --exit-node=\n  sudo wattle set --operator=$USER"
)]
pub(super) struct Set {
    #[command(flatten)]
    settings: Settings,
}

impl Set {
    pub(super) async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        let mentioned = self.settings.mentioned();
        ensure!(!mentioned.is_empty(), "nothing to set: see `wattle set --help`");
        ensure!(self.settings.login_server.is_none(), "another network is joined by `wattle login --login-server`");
        let (status, mut prefs) = (api.status().await?, api.prefs().await?);
        self.settings.apply(&mut prefs, &status)?;
        api.check_prefs(&prefs).await?;
        api.edit_prefs(&settings::change(prefs, &mentioned)).await?;
        Ok(Outcome::Done)
    }
}
