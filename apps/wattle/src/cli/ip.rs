//! `wattle ip`: addresses in the network.

use std::fmt::Write;
use std::net::IpAddr;

use anyhow::{Context, bail};
use clap::{ArgAction, Args};
use wattle_wire::local::Status;

use super::api::Api;
use super::target;
use super::{Outcome, print};

/// Show addresses in the network: this machine's, or a peer's
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  wattle ip -4\n  wattle ip -1 laptop\n  wattle ip --assert 100.64.0.1")]
pub(super) struct Ip {
    /// Only the first
    #[arg(short = '1', long = "1", action = ArgAction::SetTrue, group = "which")]
    first: bool,
    /// Only IPv4
    #[arg(short = '4', long = "4", action = ArgAction::SetTrue, group = "which")]
    v4: bool,
    /// Only IPv6
    #[arg(short = '6', long = "6", action = ArgAction::SetTrue, group = "which")]
    v6: bool,
    /// Print nothing; exit code 1 unless this machine has the address
    #[arg(long, value_name = "ADDRESS")]
    assert: Option<IpAddr>,
    /// Name or address of a node
    node: Option<String>,
}

impl Ip {
    pub(super) async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        let status = api.status().await?;
        if let Some(address) = self.assert {
            return Ok(if status.tailscale_ips.contains(&address) { Outcome::Done } else { Outcome::No });
        }
        let addresses = match &self.node {
            Some(name) => {
                let address = target::resolve(&status, name).await?.address.to_string();
                let own = status.self_status.as_deref().filter(|own| target::is_named(&status, own, &address));
                let node = target::peer(&status, &address).or(own);
                &node.with_context(|| format!("no node has the address {address}"))?.tailscale_ips
            }
            None => &status.tailscale_ips,
        };
        print(&self.text(&status, addresses)?)?;
        Ok(Outcome::Done)
    }

    fn text(&self, status: &Status, addresses: &[IpAddr]) -> anyhow::Result<String> {
        if addresses.is_empty() {
            bail!("there are no addresses yet (state {})", status.backend_state);
        }
        let mut text = String::new();
        let fits = |address: &&IpAddr| if address.is_ipv4() { !self.v6 } else { !self.v4 };
        for address in addresses.iter().filter(fits).take(if self.first { 1 } else { usize::MAX }) {
            let _infallible = writeln!(text, "{address}");
        }
        if text.is_empty() {
            bail!("there is no IPv{} address", if self.v4 { 4 } else { 6 });
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(which: &str) -> Ip {
        let is = |flag: &str| which == flag;
        Ip { first: is("-1"), v4: is("-4"), v6: is("-6"), assert: None, node: None }
    }

    #[test]
    fn addresses_are_one_a_line_and_can_be_picked() {
        let status = Status::default();
        let both = ["100.64.0.1".parse().unwrap(), "fd7a::1".parse().unwrap()];
        let text = |which: &str| ip(which).text(&status, &both).unwrap();
        assert_eq!(text(""), "100.64.0.1\nfd7a::1\n");
        assert_eq!(
            (text("-1"), text("-4"), text("-6")),
            ("100.64.0.1\n".into(), "100.64.0.1\n".into(), "fd7a::1\n".into())
        );
    }

    #[test]
    fn without_an_address_there_is_an_error() {
        let status = Status { backend_state: "NeedsLogin".to_owned(), ..Status::default() };
        assert_eq!(ip("").text(&status, &[]).unwrap_err().to_string(), "there are no addresses yet (state NeedsLogin)");
        let v4 = ["100.64.0.1".parse().unwrap()];
        assert_eq!(ip("-6").text(&status, &v4).unwrap_err().to_string(), "there is no IPv6 address");
    }
}
