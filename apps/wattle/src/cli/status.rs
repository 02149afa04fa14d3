//! `wattle status`: how this machine is connected, and to whom.

use std::fmt::Write;

use clap::{ArgAction, Args};
use wattle_time::UnixTime;
use wattle_wire::local::{PeerStatus, State, Status};

use super::api::Api;
use super::paths::for_how_long;
use super::target::short_name;
use super::values::boolean;
use super::{Outcome, print, print_json};

/// Show the state of this machine and its connections
///
/// A line is: address, name, owner, system, connection. Exit code 1: not connected.
#[derive(Args, Debug)]
#[command(
    name = "status",
    after_help = "Examples:\n  wattle status\n  wattle status --json --peers=false\n  wattle status --active"
)]
pub(super) struct Show {
    /// Print JSON, with the official field names
    #[arg(long, action = ArgAction::SetTrue)]
    json: bool,
    /// Only peers with traffic lately
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = boolean, hide_default_value = true)]
    active: bool,
    /// Show this machine
    #[arg(long = "self", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", value_parser = boolean)]
    own: bool,
    /// Show the peers
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", value_parser = boolean)]
    peers: bool,
    /// Name the columns
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = boolean, hide_default_value = true)]
    header: bool,
}

impl Show {
    pub(super) async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        let mut status = if self.peers { api.status().await? } else { api.status_without_peers().await? };
        if self.active {
            status.peer.retain(|_, peer| peer.active);
        }
        if self.json {
            print_json(&status)?;
            return Ok(Outcome::Done);
        }
        match disconnected(&status) {
            Some(sentence) => {
                print(&(sentence + "\n"))?;
                Ok(Outcome::No)
            }
            None => {
                print(&self.text(&status, wattle_clock::unix_now()))?;
                Ok(Outcome::Done)
            }
        }
    }

    fn text(&self, status: &Status, now: UnixTime) -> String {
        let mut lines = Vec::new();
        if self.header {
            lines.push(["Address", "Name", "Owner", "System", "Connection"].map(str::to_owned));
        }
        if self.own {
            lines.extend(status.self_status.iter().map(|own| columns(status, own, now)));
        }
        if self.peers {
            let mut peers: Vec<&PeerStatus> = status.peer.values().collect();
            peers.sort_by_key(|peer| if peer.dns_name.is_empty() { &peer.host_name } else { &peer.dns_name });
            lines.extend(peers.into_iter().map(|peer| columns(status, peer, now)));
        }
        let mut text = String::new();
        for [address, name, owner, system, connection] in lines {
            // Widths and order are the official ones: people cut columns out of this.
            let _infallible = writeln!(text, "{address:<15} {name:<20} {owner:<12} {system:<7} {connection}");
        }
        let reasons: Vec<_> = status
            .peer
            .values()
            .filter(|peer| self.peers && !peer.why_not_direct.is_empty())
            .map(|peer| (short_name(status, peer), &peer.why_not_direct))
            .collect();
        if !reasons.is_empty() {
            text += "\n# Why not direct:\n";
            for (name, why) in reasons {
                let _infallible = writeln!(text, "#     - {name}: {why}");
            }
        }
        if !status.health.is_empty() {
            text += "\n# Health check:\n";
            for problem in &status.health {
                let _infallible = writeln!(text, "#     - {problem}");
            }
        }
        text
    }
}

/// Why there is nothing to list; `None`: it is connected, or about to be.
pub(super) fn disconnected(status: &Status) -> Option<String> {
    let is = |state: State| status.backend_state == state.as_str();
    if is(State::Running) || is(State::Starting) {
        None
    } else if is(State::Stopped) {
        Some("Wattle is stopped.".to_owned())
    } else if is(State::NeedsLogin) || is(State::NoState) {
        let mut text = "Logged out.".to_owned();
        if !status.auth_url.is_empty() {
            let _infallible = write!(text, "\nLog in at: {}", status.auth_url);
        }
        for problem in &status.health {
            let _infallible = write!(text, "\n# {problem}");
        }
        Some(text)
    } else if is(State::NeedsMachineAuth) {
        Some("Machine is not yet approved by an administrator of the network.".to_owned())
    } else {
        Some(format!("unexpected state: {}", status.backend_state))
    }
}

fn columns(status: &Status, node: &PeerStatus, now: UnixTime) -> [String; 5] {
    let address = node.tailscale_ips.first().map(ToString::to_string).unwrap_or_default();
    [address, short_name(status, node), owner(status, node), node.os.clone(), connection(node, now)]
}

fn owner(status: &Status, node: &PeerStatus) -> String {
    if !node.tags.is_empty() {
        return "tagged-devices".to_owned();
    }
    match status.user.get(&node.user_id) {
        _ if node.user_id == 0 => "-".to_owned(),
        Some(user) => match user.login_name.split_once('@') {
            Some((name, _)) => format!("{name}@"),
            None => user.login_name.clone(),
        },
        None => node.user_id.to_string(),
    }
}

fn connection(node: &PeerStatus, now: UnixTime) -> String {
    let had_traffic = node.tx_bytes != 0 || node.rx_bytes != 0;
    let mut words = Vec::new();
    if node.active {
        words.push("active".to_owned());
    } else if node.exit_node || node.exit_node_option || had_traffic {
        words.push("idle".to_owned());
    }
    if node.exit_node {
        words.push("exit node".to_owned());
    } else if node.exit_node_option {
        words.push("offers exit node".to_owned());
    }
    if node.active {
        if !node.cur_addr.is_empty() {
            words.push(format!("direct {}", node.cur_addr));
        } else if !node.peer_relay.is_empty() {
            words.push(format!("peer-relay {}", node.peer_relay));
        } else if !node.relay.is_empty() {
            words.push(format!("relay {:?}", node.relay));
        }
    }
    if !node.online {
        words.push("offline".to_owned());
        words.extend(node.last_seen.map(|seen| format!("last seen {}", ago(now, seen))));
    }
    if node.expired {
        words.push("key expired".to_owned());
    }
    let mut text = if words.is_empty() { "-".to_owned() } else { words.join("; ") };
    if had_traffic {
        let _infallible = write!(text, ", tx {} rx {}", node.tx_bytes, node.rx_bytes);
    }
    if let Some(since) = node.path_since.filter(|_| node.active) {
        let _infallible = write!(text, ", for {}", for_how_long(now, since));
    }
    text
}

/// How long ago, in one unit.
fn ago(now: UnixTime, then: UnixTime) -> String {
    match now.since(then).as_secs() {
        0..60 => "just now".to_owned(),
        seconds @ 60..3600 => format!("{}m ago", seconds / 60),
        seconds @ 3600..86_400 => format!("{}h ago", seconds / 3600),
        seconds => format!("{}d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests;
