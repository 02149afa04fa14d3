//! `wattle login`: sign in, as somebody else if somebody is.

use clap::Args;

use super::Outcome;
use super::api::Api;
use super::settings::Settings;
use super::up::{SignIn, sign_in_anew};

/// Sign in to a network, anew if signed in already
///
/// Settings that are not mentioned stay as they are.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  sudo wattle login --login-server https://mesh.example.com")]
pub(super) struct Login {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    sign_in: SignIn,
}

impl Login {
    pub(super) async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        sign_in_anew(api, &self.settings, &self.sign_in).await
    }
}
