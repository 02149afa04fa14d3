//! The paths to a peer in words: `debug paths`, and what `ping --verbose` ends with.

use std::fmt::Write;

use anyhow::bail;
use clap::{ArgAction, Args};
use wattle_time::UnixTime;
use wattle_wire::local::{PathCandidate, PathKind, PeerPaths, Status};

use super::api::Api;
use super::{Outcome, print, print_json, target};

/// Show every path to peers: what was tried, what won and why, and what is due next
///
/// Without a node: those with traffic lately.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  wattle debug paths\n  wattle debug paths laptop\n  wattle debug paths --all --json"
)]
pub(super) struct Paths {
    /// All peers, also those without traffic
    #[arg(long, action = ArgAction::SetTrue, conflicts_with = "node")]
    all: bool,
    /// Print JSON
    #[arg(long, action = ArgAction::SetTrue)]
    json: bool,
    /// Name or address of a node
    node: Option<String>,
}

impl Paths {
    pub(super) async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        let paths = match &self.node {
            Some(node) => vec![of_node(api, &api.status().await?, node).await?],
            None => api.paths().await?.into_iter().filter(|peer| self.all || peer.active).collect(),
        };
        if self.json {
            print_json(&paths)?;
        } else if paths.is_empty() {
            print("No peer had traffic lately; `wattle debug paths --all` shows the others too.\n")?;
        } else {
            let now = wattle_clock::unix_now();
            print(&paths.iter().map(|peer| text(peer, now)).collect::<Vec<_>>().join("\n"))?;
        }
        Ok(Outcome::Done)
    }
}

/// The paths to the node that a person means.
pub(super) async fn of_node(api: &Api, status: &Status, node: &str) -> anyhow::Result<PeerPaths> {
    let target = target::resolve(status, node).await?;
    if target.is_self {
        bail!("{node} is this machine: there is no path to it");
    }
    let found = api.paths().await?.into_iter().find(|peer| peer.tailscale_ips.contains(&target.address));
    match found {
        Some(found) => Ok(found),
        None => bail!("no peer has the address {}", target.address),
    }
}

/// One peer.
pub(super) fn text(peer: &PeerPaths, now: UnixTime) -> String {
    let mut text = peer.name.clone();
    let mut add = |part: std::fmt::Arguments<'_>| {
        let _infallible = text.write_fmt(part);
    };
    if let Some(address) = peer.tailscale_ips.first() {
        add(format_args!(" ({address})"));
    }
    add(format_args!(": {}\n", headline(peer, now)));
    add(format_args!("    why: {}\n", peer.why));
    if !peer.why_it_won.is_empty() {
        add(format_args!("    chosen: {}\n", peer.why_it_won));
    }
    if !peer.why_not_direct.is_empty() {
        add(format_args!("    why not direct: {}\n", peer.why_not_direct));
    }
    let name = |candidate: &PathCandidate| candidate.address.map(|address| address.to_string()).unwrap_or_default();
    let width = peer.candidates.iter().map(|candidate| name(candidate).len()).max().unwrap_or_default();
    for candidate in &peer.candidates {
        let latency = milliseconds(candidate.latency_ms).unwrap_or_else(|| "-".to_owned());
        let (address, source, state) = (name(candidate), &candidate.source, &candidate.state);
        add(format_args!("    {address:<width$}  {source:<16}  {latency:>9}  {state}\n"));
    }
    if !peer.next.is_empty() {
        add(format_args!("    next: {} in {:.1} s\n", peer.next, peer.next_ms as f64 / 1000.0));
    }
    text
}

/// The way, since when, and how fast.
fn headline(peer: &PeerPaths, now: UnixTime) -> String {
    let relay = if peer.relay.is_empty() { String::new() } else { format!("relay {:?}", peer.relay) };
    let mut words = match peer.path {
        PathKind::None => vec![peer.path.words().to_owned()],
        PathKind::Direct => vec![format!("direct {}", peer.endpoint)],
        PathKind::PeerRelay => vec![format!("peer relay {}", peer.peer_relay)],
        PathKind::Relay => vec![relay],
        PathKind::Proving if peer.endpoint.is_empty() => {
            vec![relay, format!("peer relay {} on trial", peer.peer_relay)]
        }
        PathKind::Proving => vec![relay, format!("{} on trial", peer.endpoint)],
    };
    words.extend(peer.since.map(|since| format!("for {}", for_how_long(now, since))));
    words.extend(milliseconds(peer.latency_ms));
    if peer.mtu != 0 {
        words.push(format!("datagrams up to {} bytes", peer.mtu));
    }
    words.join(", ")
}

fn milliseconds(ms: f64) -> Option<String> {
    (ms > 0.0).then(|| format!("{ms:.1} ms"))
}

/// How long since then, in one unit.
pub(super) fn for_how_long(now: UnixTime, then: UnixTime) -> String {
    match now.since(then).as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86_400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> PeerPaths {
        let candidate = |address: &str, source: &str, latency_ms, state: &str| PathCandidate {
            address: Some(address.parse().unwrap()),
            source: source.to_owned(),
            latency_ms,
            state: state.to_owned(),
        };
        PeerPaths {
            name: "laptop".to_owned(),
            tailscale_ips: vec!["100.64.0.2".parse().unwrap()],
            active: true,
            path: PathKind::Direct,
            since: Some(UnixTime::from_secs(1_000)),
            endpoint: "198.51.100.7:41641".to_owned(),
            relay: "home".to_owned(),
            latency_ms: 12.34,
            why: "the direct path answers and carries data".to_owned(),
            why_it_won: "12 ms, the first to answer".to_owned(),
            candidates: vec![
                candidate("198.51.100.7:41641", "map, call", 12.34, "in use"),
                candidate("192.168.1.5:41641", "map", 0.0, "never answered"),
            ],
            next: "heartbeat".to_owned(),
            next_ms: 1200,
            ..PeerPaths::default()
        }
    }

    #[test]
    fn a_peer_shows_its_path_what_was_tried_and_what_comes_next() {
        assert_eq!(
            text(&example(), UnixTime::from_secs(1_200)),
            "laptop (100.64.0.2): direct 198.51.100.7:41641, for 3m, 12.3 ms\n\
             \x20   why: the direct path answers and carries data\n\
             \x20   chosen: 12 ms, the first to answer\n\
             \x20   198.51.100.7:41641  map, call           12.3 ms  in use\n\
             \x20   192.168.1.5:41641   map                       -  never answered\n\
             \x20   next: heartbeat in 1.2 s\n"
        );
    }

    #[test]
    fn a_relayed_peer_says_why_it_is_not_direct() {
        let relayed = PeerPaths {
            path: PathKind::Relay,
            since: None,
            latency_ms: 0.0,
            why: "no direct path answers".to_owned(),
            why_it_won: String::new(),
            why_not_direct: "its network lets no UDP through".to_owned(),
            candidates: Vec::new(),
            next: String::new(),
            ..example()
        };
        assert_eq!(
            text(&relayed, UnixTime::from_secs(1_200)),
            "laptop (100.64.0.2): relay \"home\"\n    why: no direct path answers\n    why not direct: its network lets no UDP through\n"
        );
    }
}
