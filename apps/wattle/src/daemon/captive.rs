//! Whom to ask whether a captive portal is in the way, and when.
//!
//! Where packets get through there is none. Only a network that carries no UDP, or does not lead to the coordination
//! server, is asked about.

use std::time::Duration;

use http::Uri;
use wattle_link::Witness;
use wattle_netmap::DerpMap;
use wattle_time::Instant;

/// Servers that are asked (tailscale `net/captivedetection endpoints.go`).
const WITNESSES_MAX: usize = 5;
/// How often at most.
const EVERY: Duration = Duration::from_secs(10);
const HTTP_PORT: u16 = 80;

/// When to ask next.
#[derive(Debug, Default)]
pub(super) struct CaptiveWatch {
    asked: Option<Instant>,
}

impl CaptiveWatch {
    /// Whether to ask now, which then counts as asked.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.asked.is_none_or(|asked| now.since(asked) >= EVERY);
        if due {
            self.asked = Some(now);
        }
        due
    }
}

/// The coordination server, and relays that serve plain HTTP.
pub(super) fn witnesses(control_url: &str, map: &DerpMap) -> Vec<Witness> {
    let control = control_url.parse::<Uri>().ok().and_then(|url| {
        // What is served with TLS has, by custom, a plain port beside it. A refusal there proves nothing.
        let port = if url.scheme_str() == Some("http") { url.port_u16().unwrap_or(HTTP_PORT) } else { HTTP_PORT };
        let host = url.host()?.trim_matches(['[', ']']).to_owned();
        Some(Witness { address: host.parse().ok(), host, port })
    });
    let nodes = map.regions.values().flat_map(|region| &region.nodes).filter(|node| node.can_port_80);
    let relays = nodes.filter_map(|node| {
        let address = node.ipv4??;
        Some(Witness { host: node.host_name.clone(), address: Some(address), port: HTTP_PORT })
    });
    control.into_iter().chain(relays).take(WITNESSES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use wattle_netmap::{DerpNode, DerpRegion, RegionId};

    use super::*;

    #[test]
    fn the_server_and_some_relays_with_plain_http_are_asked() {
        let node = |last: u8, can_port_80| DerpNode {
            host_name: format!("r{last}.example"),
            ipv4: Some(Some([192, 0, 2, last].into())),
            can_port_80,
            ..DerpNode::default()
        };
        let nodes = (1..10).map(|last| node(last, last != 1)).collect();
        let region = DerpRegion { id: RegionId(1), nodes, ..DerpRegion::default() };
        let map = DerpMap { regions: [(region.id, region)].into(), ..DerpMap::default() };
        let asked = witnesses("https://vpn.example.com", &map);
        assert_eq!(asked.len(), WITNESSES_MAX);
        assert_eq!((asked[0].host.as_str(), asked[0].address, asked[0].port), ("vpn.example.com", None, 80));
        assert_eq!(asked[1].address, "192.0.2.2".parse().ok());
        let plain = witnesses("http://192.0.2.99:8080", &DerpMap::default());
        assert_eq!((plain[0].address, plain[0].port), ("192.0.2.99".parse().ok(), 8080));
    }

    #[test]
    fn nobody_is_asked_all_the_time() {
        let (mut watch, start) = (CaptiveWatch::default(), Instant::from_nanos(1));
        let asked = (0..60).filter(|second| watch.is_due(start + Duration::from_secs(*second))).count();
        assert_eq!(asked, 6);
    }
}
