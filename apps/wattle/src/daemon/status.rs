//! The node as LocalAPI shows it: status, who-is, ping results, measurements.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use wattle_netcheck::Report;
use wattle_netmap::{DerpMap, Endpoint, Node as MapNode, RegionId};
use wattle_node::{Node, Now, PeerView, PingAnswer, PingFailure};
use wattle_path::Way;
use wattle_relay_core::{ClientStatus, SessionStatus};
use wattle_time::{Instant, UnixTime};
use wattle_wire::RawJson;
use wattle_wire::control::DnsRecord;
use wattle_wire::convert::{Viewer, node_to_wire, user_to_wire};
use wattle_wire::geneve::Vni;
use wattle_wire::local::{
    NetcheckReport, PeerRelayClient, PeerRelaySession, PeerRelayStatus, PeerStatus, PingResult, State, Status,
    TailnetStatus, WhoIsResponse,
};

/// What the loop knows beside the node.
pub(super) struct Around<'a> {
    pub(super) state: State,
    pub(super) auth_url: &'a str,
    pub(super) health: Vec<String>,
}

/// The whole status.
pub(super) fn status(node: &Node, around: Around<'_>, with_peers: bool, now: Now) -> Status {
    let map = node.map();
    let own = map.self_node.as_ref();
    let suffix = map.name_suffix().unwrap_or_default().to_owned();
    let tailnet = |_| TailnetStatus {
        name: map.domain.clone(),
        magic_dns_suffix: suffix.clone(),
        magic_dns_enabled: map.dns.proxied,
    };
    let record = |record: &wattle_netmap::ExtraRecord| DnsRecord {
        name: record.name.clone(),
        r#type: record.kind.clone(),
        value: record.value.clone(),
    };
    let peers = node.peers(now).filter(|_| with_peers);
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        tun: true,
        backend_state: around.state.as_str().to_owned(),
        have_node_key: node.has_key(),
        auth_url: around.auth_url.to_owned(),
        tailscale_ips: own.map(addresses).unwrap_or_default(),
        self_status: Some(Box::new(self_status(node, around.state))),
        exit_node_status: None,
        health: around.health,
        current_tailnet: own.map(tailnet),
        magic_dns_suffix: suffix.clone(),
        cert_domains: map.dns.cert_domains.clone(),
        extra_records: map.dns.extra_records.iter().map(record).collect(),
        peer: peers.map(|peer| (peer.node.key, peer_status(node, &peer, now))).collect(),
        user: map.users.iter().map(|(id, user)| (id.0, user_to_wire(user))).collect(),
        client_version: None,
    }
}

fn addresses(node: &MapNode) -> Vec<IpAddr> {
    node.addresses.iter().map(|prefix| prefix.addr()).collect()
}

fn self_status(node: &Node, state: State) -> PeerStatus {
    let facts = node.self_status();
    let own = node.map().self_node.as_ref();
    let base = own.map(|own| from_map(own, &node.map().derp)).unwrap_or_default();
    PeerStatus {
        // Control tells a node less about itself than the node knows.
        host_name: node.host().facts.hostname.clone(),
        os: node.host().facts.os.clone(),
        relay: region_code(&node.map().derp, facts.home),
        addrs: node.endpoints().iter().map(|endpoint: &Endpoint| endpoint.address.to_string()).collect(),
        online: state == State::Running,
        in_network_map: own.is_some(),
        ..base
    }
}

/// What the map says of a node.
fn from_map(node: &MapNode, derp: &DerpMap) -> PeerStatus {
    PeerStatus {
        id: node.stable_id.0.clone(),
        node_id: node.id.0,
        public_key: Some(node.key),
        host_name: node.host.hostname.clone(),
        dns_name: if node.name.is_empty() { String::new() } else { format!("{}.", node.name) },
        os: node.host.os.clone(),
        user_id: node.user.0,
        tailscale_ips: addresses(node),
        allowed_ips: node.allowed_ips.clone(),
        tags: node.tags.clone(),
        primary_routes: node.primary_routes.clone(),
        relay: region_code(derp, node.home_region),
        created: Some(node.created).filter(|created| *created != UnixTime::EPOCH),
        last_seen: node.last_seen,
        online: node.online.unwrap_or_default(),
        exit_node_option: node.allowed_ips.iter().any(|prefix| prefix.prefix_len() == 0),
        cap_map: node
            .capabilities
            .iter()
            .map(|capability| (capability.name.clone(), raw(capability.values.iter().map(String::as_str))))
            .collect(),
        in_network_map: true,
        expired: node.expired,
        key_expiry: node.key_expiry,
        ..PeerStatus::default()
    }
}

fn peer_status(node: &Node, peer: &PeerView<'_>, now: Now) -> PeerStatus {
    let explained = node.explain_path(peer.node.id, now).filter(|explained| explained.active);
    // A path beside a DERP relay is not proven yet.
    let proven = peer.route.udp.filter(|_| peer.route.relay.is_none());
    let (direct, relayed) = match proven.map(|hop| hop.way()) {
        Some(Way::Udp(address)) => (address.to_string(), String::new()),
        Some(Way::PeerRelay { server, vni }) => (String::new(), through(server, vni)),
        Some(Way::Relay { .. }) | None => Default::default(),
    };
    PeerStatus {
        addrs: peer.node.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect(),
        cur_addr: direct,
        peer_relay: relayed,
        rx_bytes: i64::try_from(peer.received_bytes).unwrap_or(i64::MAX),
        tx_bytes: i64::try_from(peer.sent_bytes).unwrap_or(i64::MAX),
        last_handshake: peer.last_handshake.map(|when| on_the_wall(when, now)),
        active: peer.active,
        in_magic_sock: true,
        in_engine: peer.last_handshake.is_some(),
        path_since: explained.as_ref().and_then(|path| path.best.as_ref()).map(|best| on_the_wall(best.since, now)),
        why_not_direct: explained.and_then(|path| path.why_not_direct).unwrap_or_default(),
        ..from_map(peer.node, &node.map().derp)
    }
}

/// A way through a peer relay, as official clients write it.
pub(super) fn through(server: SocketAddr, vni: Vni) -> String {
    format!("{server}:vni:{vni}")
}

/// What the relay for peers carries.
pub(super) fn peer_relay(port: Option<u16>, sessions: &[SessionStatus]) -> PeerRelayStatus {
    let client = |client: &ClientStatus| PeerRelayClient {
        endpoint: client.address.map(|address| address.to_string()).unwrap_or_default(),
        short_disco: client.key.to_string().chars().take(SHORT_DISCO_LENGTH).collect(),
        packets_tx: client.packets,
        bytes_tx: client.bytes,
    };
    let session = |session: &SessionStatus| {
        let [one, other] = &session.clients;
        PeerRelaySession { vni: session.vni.as_u32(), client_1: client(one), client_2: client(other) }
    };
    PeerRelayStatus { udp_port: port, sessions: port.map(|_| sessions.iter().map(session).collect()) }
}

/// `discokey:` and eight bytes: enough to tell clients apart.
const SHORT_DISCO_LENGTH: usize = 9 + 16;

pub(super) fn on_the_wall(when: Instant, now: Now) -> UnixTime {
    now.wall.minus(now.mono.since(when))
}

pub(super) fn region_code(derp: &DerpMap, region: Option<RegionId>) -> String {
    region.and_then(|region| derp.regions.get(&region)).map(|region| region.code.clone()).unwrap_or_default()
}

fn raw<'a>(values: impl Iterator<Item = &'a str>) -> Vec<RawJson> {
    values.filter_map(|value| RawJson::parse(value.to_owned()).ok()).collect()
}

/// Who has an address.
pub(super) fn who_is(node: &Node, address: IpAddr) -> Option<WhoIsResponse> {
    let map = node.map();
    let found = node.whois(address)?;
    let own = map.self_node.as_ref().into_iter().flat_map(addresses).find(|own| own.is_ipv4() == address.is_ipv4());
    let grants = own.map(|own| node.filter().capabilities(address, own)).unwrap_or_default();
    Some(WhoIsResponse {
        node: Some(Box::new(node_to_wire(found, Viewer::Peer))),
        user_profile: map.users.get(&found.user).map(user_to_wire),
        cap_map: grants.into_iter().map(|(name, values)| (name.to_owned(), raw(values.into_iter()))).collect(),
    })
}

/// What a ping found.
pub(super) fn ping_result(node: &Node, address: IpAddr, outcome: Result<PingAnswer, PingFailure>) -> PingResult {
    let map = node.map();
    let mut result = PingResult { ip: address.to_string(), ..PingResult::default() };
    match outcome {
        Ok(answer) => {
            if let Some(peer) = map.peers.values().find(|peer| peer.key == answer.peer) {
                result.node_ip = addresses(peer).first().map(ToString::to_string).unwrap_or_default();
                result.node_name = peer.short_name().to_owned();
            }
            result.latency_seconds = answer.latency.as_secs_f64();
            match answer.way {
                Some(Way::Udp(address)) => result.endpoint = address.to_string(),
                Some(Way::PeerRelay { server, vni }) => result.peer_relay = through(server, vni),
                Some(Way::Relay { region, .. }) => {
                    result.derp_region_id = i64::from(region.0);
                    result.derp_region_code = region_code(&map.derp, Some(region));
                }
                None => {}
            }
            if let Some(port) = answer.peerapi_port {
                result.peer_api_port = port;
                result.peer_api_url = format!("http://{}", std::net::SocketAddr::new(address, port));
            }
        }
        Err(failure) => {
            result.is_local_ip = matches!(failure, PingFailure::Ourselves(_));
            result.err = failure.to_string();
        }
    }
    result
}

/// The measurements.
pub(super) fn netcheck(report: &Report, now: Now) -> NetcheckReport {
    let latencies = |map: &BTreeMap<RegionId, Duration>| {
        map.iter().map(|(id, took)| (i64::from(id.0), i64::try_from(took.as_nanos()).unwrap_or(i64::MAX))).collect()
    };
    NetcheckReport {
        now: Some(on_the_wall(report.at, now)),
        udp: report.udp,
        ipv4: report.ipv4,
        ipv6: report.ipv6,
        mapping_varies_by_dest_ip: report.mapping_varies,
        preferred_derp: report.preferred_region.map_or(0, |region| i64::from(region.0)),
        region_latency: latencies(&report.region_latencies),
        region_v4_latency: latencies(&report.region_v4_latencies),
        region_v6_latency: latencies(&report.region_v6_latencies),
        global_v4: report.global_v4,
        global_v6: report.global_v6,
        upnp: report.port_mapping.upnp,
        pmp: report.port_mapping.pmp,
        pcp: report.port_mapping.pcp,
        port_mapping: report.mapped,
        captive_portal: report.captive_portal,
    }
}
