//! `wattle version`.

use clap::{ArgAction, Args};
use serde::Serialize;

use super::api::Api;
use super::{Outcome, print, print_json};

/// Print the version
#[derive(Args, Debug)]
pub(super) struct Version {
    /// Also that of the running daemon
    #[arg(long, action = ArgAction::SetTrue)]
    daemon: bool,
    /// Print JSON
    #[arg(long, action = ArgAction::SetTrue)]
    json: bool,
}

/// The official names (tailscale `version.Meta`), as far as they apply.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    major_minor_patch: &'static str,
    short: &'static str,
    long: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    daemon_long: Option<String>,
    cap: u16,
}

impl Version {
    pub(super) async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        let version = env!("CARGO_PKG_VERSION");
        let daemon = if self.daemon { Some(api.status_without_peers().await?.version) } else { None };
        if self.json {
            print_json(&Meta {
                major_minor_patch: version,
                short: version,
                long: version,
                daemon_long: daemon,
                cap: wattle_wire::version::OURS,
            })?;
        } else if let Some(daemon) = daemon {
            print(&format!("Client: {version}\nDaemon: {daemon}\n"))?;
        } else {
            print(&format!("{version}\n  capability version: {}\n", wattle_wire::version::OURS))?;
        }
        Ok(Outcome::Done)
    }
}
