//! `wattle-control settings`.

use clap::{Args, Subcommand, ValueEnum};
use hyper::Method;

use super::Form;
use super::door::Door;
use crate::admin::documents::SettingsDocument;

pub(super) const EXAMPLES: &str = "Examples:
  wattle-control settings show
  wattle-control settings set device-approval on           new machines wait for: wattle-control nodes approve-device
  wattle-control settings set device-approval off          those that wait are let in";

/// `settings`
#[derive(Args)]
pub(crate) struct SettingsArgs {
    #[command(flatten)]
    form: Form,
    #[command(subcommand)]
    verb: SettingsVerb,
}

#[derive(Subcommand)]
enum SettingsVerb {
    /// Show all settings
    Show,
    /// Change one
    Set {
        /// Which
        name: Setting,
        /// What it shall be
        value: Switch,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Setting {
    /// Whether an administrator must approve each new machine
    DeviceApproval,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl SettingsArgs {
    pub(super) async fn run(self, door: &Door) -> anyhow::Result<()> {
        let settings: SettingsDocument = match self.verb {
            SettingsVerb::Show => door.read("/settings").await?,
            SettingsVerb::Set { name: Setting::DeviceApproval, value } => {
                let request = SettingsDocument { device_approval: Some(value == Switch::On) };
                door.send(Method::PATCH, "/settings", &request).await?
            }
        };
        self.form.show(&settings, |settings| {
            let value = if settings.device_approval == Some(true) { "on" } else { "off" };
            format!("device-approval  {value}")
        })
    }
}
