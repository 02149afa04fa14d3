//! `wattle whois`: who stands behind an address.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use clap::{ArgAction, Args};
use wattle_wire::local::WhoIsResponse;

use super::api::Api;
use super::{Outcome, print, print_json, target};

/// Show the machine and the user behind an address in the network
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  wattle whois 100.64.0.2\n  wattle whois --json laptop\n  wattle whois 100.64.0.2:51234"
)]
pub(super) struct Whois {
    /// Print JSON
    #[arg(long, action = ArgAction::SetTrue)]
    json: bool,
    /// Protocol of the connection whose other end is asked for: tcp or udp
    #[arg(long, value_name = "PROTOCOL", default_value = "", hide_default_value = true)]
    proto: String,
    /// Address, address and port, or name
    node: String,
}

impl Whois {
    pub(super) async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        let is_address = self.node.parse::<IpAddr>().is_ok() || self.node.parse::<SocketAddr>().is_ok();
        let address = if is_address {
            self.node.clone()
        } else {
            target::resolve(&api.status().await?, &self.node).await?.address.to_string()
        };
        let Some(who) = api.who_is(&address, &self.proto).await? else {
            anyhow::bail!("no node of this network has the address {address}");
        };
        if self.json {
            print_json(&who)?;
        } else {
            print(&text(&who))?;
        }
        Ok(Outcome::Done)
    }
}

fn text(who: &WhoIsResponse) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _infallible = if value.is_empty() { writeln!(text, "{name}") } else { writeln!(text, "{name:<15}{value}") };
    };
    let node = who.node.as_deref().cloned().unwrap_or_default();
    let joined = |nets: &[ipnet::IpNet]| nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    line("Machine:", "");
    line("  Name:", node.name.trim_end_matches('.'));
    line("  ID:", &node.stable_id);
    line("  Addresses:", &format!("[{}]", joined(&node.addresses)));
    let routes: Vec<_> =
        node.allowed_ips.iter().flatten().filter(|net| !node.addresses.contains(net)).copied().collect();
    if !routes.is_empty() {
        line("  AllowedIPs:", &format!("[{}]", joined(&routes)));
    }
    if node.tags.is_empty() {
        let user = who.user_profile.clone().unwrap_or_default();
        line("User:", "");
        line("  Name:", &user.login_name);
        line("  ID:", &user.id.to_string());
    } else {
        line("  Tags:", &node.tags.join(", "));
    }
    if !who.cap_map.is_empty() {
        line("Capabilities:", "");
        for (name, values) in &who.cap_map {
            line(&format!("  - {name}{}", if values.is_empty() { "" } else { ":" }), "");
            for value in values {
                line(&format!("      {}", value.as_str()), "");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use wattle_wire::control::{Node, UserProfile};

    #[test]
    fn a_machine_is_shown_with_its_user_or_its_tags() {
        let mut node = Node {
            name: "laptop.example.ts.net.".to_owned(),
            stable_id: "n1".to_owned(),
            addresses: vec!["100.64.0.2/32".parse().unwrap()],
            allowed_ips: Some(vec!["100.64.0.2/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]),
            ..Node::default()
        };
        let user = UserProfile { id: 7, login_name: "ana@example.com".to_owned(), ..UserProfile::default() };
        let who = |node: &Node| WhoIsResponse {
            node: Some(Box::new(node.clone())),
            user_profile: Some(user.clone()),
            ..WhoIsResponse::default()
        };
        assert_eq!(
            text(&who(&node)),
            "Machine:\n  Name:        laptop.example.ts.net\n  ID:          n1\n  Addresses:   [100.64.0.2/32]\n  \
             AllowedIPs:  [10.0.0.0/8]\nUser:\n  Name:        ana@example.com\n  ID:          7\n"
        );
        node.tags = vec!["tag:a".to_owned(), "tag:b".to_owned()];
        assert!(text(&who(&node)).ends_with("  Tags:        tag:a, tag:b\n"));
    }
}
