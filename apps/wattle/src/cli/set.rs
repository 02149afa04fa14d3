//! `wattle set`: change single settings.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
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
    /// Relay UDP for peers at this port; 0: any; empty: do not
    #[arg(long, value_name = "PORT", value_parser = relay_port)]
    relay_server_port: Option<RelayPort>,
    /// Addresses at which peers reach that relay beside those it finds, such as 203.0.113.5:4000; empty: none
    #[arg(long, value_name = "ADDRESSES")]
    relay_server_static_endpoints: Option<String>,
}

/// The port of the relay for peers; `None`: no relay.
#[derive(Clone, Copy, Debug)]
struct RelayPort(Option<u16>);

fn relay_port(text: &str) -> Result<RelayPort, String> {
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is no port: write a number up to 65535"));
    Some(text).filter(|text| !text.is_empty()).map(number).transpose().map(RelayPort)
}

impl Set {
    pub(super) async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        let mentioned = self.settings.mentioned();
        let relay_mentioned = self.relay_server_port.is_some() || self.relay_server_static_endpoints.is_some();
        ensure!(!mentioned.is_empty() || relay_mentioned, "nothing to set: see `wattle set --help`");
        ensure!(self.settings.login_server.is_none(), "another network is joined by `wattle login --login-server`");
        let (status, mut prefs) = (api.status().await?, api.prefs().await?);
        self.settings.apply(&mut prefs, &status)?;
        if let Some(RelayPort(port)) = self.relay_server_port {
            prefs.relay_server_port = port;
        }
        if let Some(endpoints) = &self.relay_server_static_endpoints {
            prefs.relay_server_static_endpoints = addresses(endpoints)?;
        }
        api.check_prefs(&prefs).await?;
        let mut change = settings::change(prefs, &mentioned);
        change.relay_server_port_set = self.relay_server_port.is_some();
        change.relay_server_static_endpoints_set = self.relay_server_static_endpoints.is_some();
        api.edit_prefs(&change).await?;
        Ok(Outcome::Done)
    }
}

fn addresses(text: &str) -> anyhow::Result<Vec<SocketAddr>> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let read = |item: &str| {
        item.parse().with_context(|| format!("{item:?} is no address with a port, such as 203.0.113.5:4000"))
    };
    items.map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_the_relay_is_a_number_or_nothing() {
        let read = |text| relay_port(text).map(|RelayPort(port)| port);
        assert_eq!((read("0"), read("40000"), read("")), (Ok(Some(0)), Ok(Some(40000)), Ok(None)));
        assert!(read("70000").is_err() && read("x").is_err());
    }

    #[test]
    fn static_endpoints_are_addresses_with_ports() {
        let read = addresses("203.0.113.5:4000, [2001:db8::1]:7").unwrap();
        assert_eq!(read.iter().map(ToString::to_string).collect::<Vec<_>>(), ["203.0.113.5:4000", "[2001:db8::1]:7"]);
        assert!(addresses("").unwrap().is_empty());
        assert!(addresses("203.0.113.5").is_err());
    }
}
