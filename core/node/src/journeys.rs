//! Both ways of the packet path together: what goes out of one node comes into another, and what must not does not.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use wattle_filter::{CapabilityTable, Facts, Filter, Flows};
use wattle_keys::{NodePrivate, NodePublic};
use wattle_netmap::{FilterRule, PortRange, Prefix, RegionId, RuleSource, RuleTarget};
use wattle_packet::{IpPacket, build, protocol};
use wattle_path::{Hop, Large, Route, Way};
use wattle_time::{Instant, UnixTime};
use wattle_tunnel::{Event, HEADER_LENGTH, OVERHEAD, Opener, Sealer, Tunnels};
use wattle_wire::geneve::{self, Header, Payload, Vni};

use crate::{
    Activity, DropReason, Handoff, OpenerEntry, Origin, Outgoing, PeerEntry, Routes, Slot, Tables, inbound, outbound,
};

const NOW: Instant = Instant::from_nanos(10_000_000_000);
const SLOT: Slot = Slot(1);
const ECHO_ID: u16 = 77;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn a() -> IpAddr {
    ip("100.64.0.1")
}

fn b() -> IpAddr {
    ip("100.64.0.2")
}

/// The fast halves that two nodes have with each other after a handshake.
fn session() -> [(Arc<Sealer>, u32, Arc<Opener>); 2] {
    let mut tunnels = [1, 2]
        .map(|id| Tunnels::new(NodePrivate::from_bytes([id; 32]), [id; 32], NOW, UnixTime::from_secs(1_700_000_000)));
    let keys = [tunnels[0].public(), tunnels[1].public()];
    tunnels[0].upsert_peer(keys[1], None);
    tunnels[1].upsert_peer(keys[0], None);
    let (mut sealers, mut openers) = ([None, None], [None, None]);
    let mut out = wattle_tunnel::Out::default();
    tunnels[0].send(&keys[1], &[], NOW, &mut out).unwrap();
    let mut turn = 1;
    while !out.transmits.is_empty() || !out.events.is_empty() {
        let arrived = std::mem::take(&mut out);
        for event in arrived.events {
            match event {
                // The side that made the event is the one that did not just receive.
                Event::SealerReady { sealer, .. } => sealers[1 - turn] = Some(sealer),
                Event::OpenerReady { receiver_index, opener, .. } => openers[1 - turn] = Some((receiver_index, opener)),
                _ => {}
            }
        }
        for transmit in arrived.transmits {
            let mut message = transmit.message;
            match wattle_tunnel::receiver_index(&message) {
                None => tunnels[turn].handle_message(b"source", &message, NOW, &mut out),
                Some(_) => {
                    let (_, opener) = openers[turn].as_ref().unwrap();
                    opener.open(&mut message).unwrap();
                    tunnels[turn].note_traffic(&keys[1 - turn], NOW, &mut out);
                }
            }
        }
        turn = 1 - turn;
    }
    let mut ends = sealers.into_iter().zip(openers).map(|(sealer, opener)| {
        let (index, opener) = opener.unwrap();
        (sealer.unwrap(), index, opener)
    });
    [ends.next().unwrap(), ends.next().unwrap()]
}

fn filter(rules: &[&FilterRule], own: IpAddr) -> Arc<Filter> {
    let capabilities = CapabilityTable::default();
    Arc::new(Filter::compile(&Facts {
        rules,
        local: &[Prefix::from(own)],
        capabilities: &capabilities,
        shields_up: false,
    }))
}

/// The tables of a node with one peer. Its filter lets UDP to port 9 in.
fn tables(
    own: IpAddr,
    peer_address: IpAddr,
    peer: NodePublic,
    (sealer, index, opener): (Arc<Sealer>, u32, Arc<Opener>),
) -> Tables {
    let rule = FilterRule {
        sources: vec![RuleSource::Any],
        targets: vec![RuleTarget { to: RuleSource::Any, ports: PortRange::one(9) }],
        ..FilterRule::default()
    };
    let entry = PeerEntry {
        key: peer,
        sealer: Some(sealer),
        route: Route { udp: Some(Hop::direct(socket("192.0.2.1:1"))), ..Route::default() },
        jailed: false,
        activity: Arc::new(Activity::default()),
    };
    Tables {
        routes: Arc::new(Routes::build([(Prefix::from(peer_address), SLOT)])),
        peers: vec![None, Some(Arc::new(entry))],
        openers: vec![OpenerEntry { index, slot: SLOT, opener }],
        filter: filter(&[&rule], own),
        jailed_filter: filter(&[], own),
        flows: Arc::new(Flows::new([0; 32])),
        own: vec![own],
        echo_id: ECHO_ID,
    }
}

fn nodes() -> [Tables; 2] {
    let [ours, theirs] = session();
    let (key_a, key_b) = (*theirs.2.peer(), *ours.2.peer());
    [tables(a(), b(), key_b, ours), tables(b(), a(), key_a, theirs)]
}

fn edit(tables: &mut Tables, change: impl FnOnce(&mut PeerEntry)) {
    let mut entry = PeerEntry::clone(tables.peer(SLOT).unwrap());
    change(&mut entry);
    tables.peers[1] = Some(Arc::new(entry));
}

fn udp(from: IpAddr, to: IpAddr, ports: (u16, u16)) -> Vec<u8> {
    let mut packet = Vec::new();
    build::udp(SocketAddr::new(from, ports.0), SocketAddr::new(to, ports.1), b"payload", &mut packet).unwrap();
    packet
}

type Sent = (Result<Option<Outgoing>, DropReason>, Vec<u8>, Vec<Handoff>);

fn send(tables: &Tables, packet: &[u8]) -> Sent {
    let mut message = vec![0; HEADER_LENGTH + packet.len() + OVERHEAD + geneve::HEADER_LENGTH];
    message[HEADER_LENGTH..][..packet.len()].copy_from_slice(packet);
    let mut handoffs = Vec::new();
    let sent = outbound(tables, &mut message, packet.len(), NOW, &mut |handoff| handoffs.push(handoff));
    if let Ok(Some(outgoing)) = sent {
        message.truncate(outgoing.length);
    }
    (sent, message, handoffs)
}

fn receive_by(tables: &Tables, way: Way, message: &[u8]) -> (Result<Option<Vec<u8>>, DropReason>, Vec<Handoff>) {
    let mut handoffs = Vec::new();
    let mut message = message.to_vec();
    let received = inbound(tables, &Origin::new(way), &mut message, NOW, &mut |handoff| handoffs.push(handoff));
    (received.map(|packet| packet.map(<[u8]>::to_vec)), handoffs)
}

fn receive(tables: &Tables, message: &[u8]) -> Result<Option<Vec<u8>>, DropReason> {
    receive_by(tables, Way::Udp(socket("198.51.100.1:2")), message).0
}

#[test]
fn a_packet_arrives_as_it_was_and_its_answer_is_let_in() {
    let [here, there] = nodes();
    let packet = udp(a(), b(), (1234, 9));
    let (sent, message, handoffs) = send(&here, &packet);
    assert_eq!(sent, Ok(Some(Outgoing { to: socket("192.0.2.1:1"), length: message.len() })));
    assert_eq!(handoffs, [Handoff::Outbound { slot: SLOT }]);
    assert_eq!(receive(&there, &message), Ok(Some(packet)));
    // No rule allows port 1234 at A, but A asked.
    let answer = udp(b(), a(), (9, 1234));
    assert_eq!(receive(&here, &send(&there, &answer).1), Ok(Some(answer)));
}

#[test]
fn a_packet_comes_in_once() {
    let [here, there] = nodes();
    let (_, message, _) = send(&here, &udp(a(), b(), (1, 9)));
    assert!(receive(&there, &message).is_ok());
    // The copy by another way is dropped, but it proves that way.
    let relay = Way::Relay { region: RegionId(1), peer: *here.openers[0].opener.peer() };
    let (received, handoffs) = receive_by(&there, relay, &message);
    assert_eq!(received, Err(DropReason::Replayed));
    assert_eq!(handoffs, [Handoff::Inbound { slot: SLOT, way: relay, first: false }]);
}

#[test]
fn the_slow_half_hears_of_traffic_once_a_second() {
    let [here, there] = nodes();
    let packet = udp(a(), b(), (1, 9));
    let (first, second) = (send(&here, &packet), send(&here, &packet));
    assert_eq!((first.2.len(), second.2.len()), (1, 0));
    let way = Way::Udp(socket("198.51.100.1:2"));
    assert_eq!(receive_by(&there, way, &first.1).1, [Handoff::Inbound { slot: SLOT, way, first: false }]);
    assert_eq!(receive_by(&there, way, &second.1).1, []);
    assert!(here.peer(SLOT).unwrap().activity.note_outbound(NOW + Duration::from_secs(1)));
}

#[test]
fn a_source_that_is_not_the_peers_is_dropped() {
    let [here, there] = nodes();
    let (_, message, _) = send(&here, &udp(ip("100.64.0.77"), b(), (1, 9)));
    assert_eq!(receive(&there, &message), Err(DropReason::NotTheirs));
}

#[test]
fn what_no_rule_allows_and_all_from_a_jailed_peer_is_dropped() {
    let [here, mut there] = nodes();
    let no_rule = Err(DropReason::Filtered(wattle_filter::DropReason::NoRule));
    assert_eq!(receive(&there, &send(&here, &udp(a(), b(), (1, 10))).1), no_rule);
    edit(&mut there, |entry| entry.jailed = true);
    assert_eq!(receive(&there, &send(&here, &udp(a(), b(), (1, 9))).1), no_rule);
}

#[test]
fn without_a_session_the_slow_half_gets_the_packet() {
    let [mut here, _] = nodes();
    edit(&mut here, |entry| entry.sealer = None);
    let packet = udp(a(), b(), (1, 9));
    let (sent, _, handoffs) = send(&here, &packet);
    assert_eq!(sent, Ok(None));
    assert_eq!(handoffs, [Handoff::Outbound { slot: SLOT }, Handoff::Unsealed { slot: SLOT, packet }]);
}

#[test]
fn an_unproven_address_has_the_relay_beside_it_and_no_way_is_a_drop() {
    let [mut here, there] = nodes();
    let region = RegionId(5);
    edit(&mut here, |entry| entry.route.relay = Some(region));
    let (sent, message, mut handoffs) = send(&here, &udp(a(), b(), (1, 9)));
    assert!(matches!(sent, Ok(Some(_))));
    let Some(Handoff::Relayed { region: by, message: copy, .. }) = handoffs.pop() else { panic!("{handoffs:?}") };
    assert_eq!((by, copy), (region, message));

    edit(&mut here, |entry| entry.route.udp = None);
    let (sent, _, handoffs) = send(&here, &udp(a(), b(), (1, 9)));
    assert_eq!(sent, Ok(None));
    let [Handoff::Relayed { message, .. }] = &handoffs[..] else { panic!("{handoffs:?}") };
    assert!(matches!(receive(&there, message), Ok(Some(_))));

    edit(&mut here, |entry| entry.route.relay = None);
    assert_eq!(send(&here, &udp(a(), b(), (1, 9))).0, Err(DropReason::NoWay));
}

#[test]
fn what_goes_through_a_peer_relay_has_its_header_and_arrives_without() {
    let [mut here, there] = nodes();
    let (server, vni) = (socket("203.0.113.9:7"), Vni::new(0x01_0203).unwrap());
    edit(&mut here, |entry| entry.route.udp = Some(Hop { to: server, vni: Some(vni), mtu: u16::MAX }));
    let packet = udp(a(), b(), (1, 9));
    let (sent, message, _) = send(&here, &packet);
    assert_eq!(sent, Ok(Some(Outgoing { to: server, length: message.len() })));
    assert_eq!(message[..8], [0, 0, 0x7a, 0x12, 1, 2, 3, 0]);
    let (received, handoffs) = receive_by(&there, Way::Udp(server), &message);
    assert_eq!(received, Ok(Some(packet)));
    assert!(matches!(&handoffs[..], [Handoff::Inbound { way: Way::PeerRelay { server: by, vni: of }, .. }]
        if (*by, *of) == (server, vni)));
    // The same bytes from a DERP relay are nothing.
    let derp = Way::Relay { region: RegionId(1), peer: *there.openers[0].opener.peer() };
    assert_eq!(receive_by(&there, derp, &message).0, Err(DropReason::Malformed));

    let disco = b"TS\xf0\x9f\x92\xac and so on".to_vec();
    for payload in [Payload::Disco, Payload::Control] {
        let wrapped = [&Header { payload, vni }.encode()[..], &disco].concat();
        let (received, handoffs) = receive_by(&there, Way::Udp(server), &wrapped);
        let control = Handoff::Control { way: Way::PeerRelay { server, vni }, message: disco.clone() };
        assert_eq!((received, handoffs), (Ok(None), vec![control]));
    }
}

#[test]
fn what_is_too_long_for_the_path_goes_by_the_relay_alone() {
    let [mut here, _] = nodes();
    let packet = udp(a(), b(), (1, 9));
    let (sent, message, _) = send(&here, &packet);
    assert!(matches!(sent, Ok(Some(_))));
    let region = RegionId(5);
    let over = message.len() as u16;
    edit(&mut here, |entry| entry.route.large = Some(Large { over, region }));
    assert!(matches!(send(&here, &packet).0, Ok(Some(_))), "it just fits");
    edit(&mut here, |entry| entry.route.large = Some(Large { over: over - 1, region }));
    let (sent, _, handoffs) = send(&here, &packet);
    assert_eq!(sent, Ok(None));
    assert!(matches!(&handoffs[..], [Handoff::Relayed { region: by, .. }] if *by == region), "{handoffs:?}");
}

#[test]
fn the_service_address_is_answered_here_and_unknown_ones_nowhere() {
    let [here, _] = nodes();
    let packet = udp(a(), ip("100.100.100.100"), (1, 53));
    let (sent, _, handoffs) = send(&here, &packet);
    assert_eq!((sent, handoffs), (Ok(None), vec![Handoff::Service { packet }]));
    assert_eq!(send(&here, &udp(a(), ip("192.0.2.9"), (1, 9))).0, Err(DropReason::NoRoute));
    assert_eq!(send(&here, b"not an IP packet at all").0, Err(DropReason::NotIp));
}

#[test]
fn tsmp_and_the_answers_to_our_pings_are_for_the_node() {
    let [here, there] = nodes();
    let mut tsmp = Vec::new();
    build::ip(a(), b(), protocol::TSMP, b"p01234567", &mut tsmp).unwrap();
    let way = Way::Udp(socket("198.51.100.1:2"));
    let (received, handoffs) = receive_by(&there, way, &send(&here, &tsmp).1);
    assert_eq!(received, Ok(None));
    assert_eq!(handoffs.last(), Some(&Handoff::Inner { slot: SLOT, packet: tsmp }));

    for (id, is_ours) in [(ECHO_ID, true), (ECHO_ID + 1, false)] {
        let (mut request, mut reply) = (Vec::new(), Vec::new());
        build::icmp_echo_request(b(), a(), (id, 1), b"", &mut request).unwrap();
        assert!(build::icmp_echo_reply(&IpPacket::parse(&request).unwrap(), &mut reply));
        let (received, handoffs) = receive_by(&there, way, &send(&here, &reply).1);
        let inner = handoffs.iter().any(|handoff| matches!(handoff, Handoff::Inner { .. }));
        assert_eq!((received.unwrap().is_none(), inner), (is_ours, is_ours));
    }
}

#[test]
fn what_is_not_data_goes_to_the_slow_half_and_nonsense_nowhere() {
    let [here, _] = nodes();
    let from = socket("198.51.100.1:2");
    let disco = b"TS\xf0\x9f\x92\xac and so on".to_vec();
    let (received, handoffs) = receive_by(&here, Way::Udp(from), &disco);
    assert_eq!((received, handoffs), (Ok(None), vec![Handoff::Control { way: Way::Udp(from), message: disco }]));
    let mut stranger = [0; 64];
    stranger[0] = 4;
    assert_eq!(receive(&here, &stranger), Err(DropReason::NoSession));
}

/// A SYN to port 9 that offers the segments of Ethernet.
fn syn(from: IpAddr, to: IpAddr) -> Vec<u8> {
    let mut tcp = vec![0x12, 0x34, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 0x02, 0xff, 0xff, 0, 0, 0, 0, 2, 4, 0x05, 0xb4];
    let sum = wattle_packet::checksum::transport(from, to, protocol::TCP, &tcp);
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    let mut packet = Vec::new();
    build::ip(from, to, protocol::TCP, &tcp, &mut packet).unwrap();
    packet
}

#[test]
fn a_connection_offers_what_the_tunnel_and_the_path_hold() {
    let offer = |packet: &[u8]| u16::from_be_bytes([packet[42], packet[43]]);
    let small = Hop { mtu: 1200, ..Hop::direct(socket("192.0.2.1:1")) };
    let by_relay = Hop { vni: wattle_wire::geneve::Vni::new(7), ..small };
    for (hop, most) in [(None, 1240), (Some(small), 1128), (Some(by_relay), 1112)] {
        let [mut here, there] = nodes();
        if let Some(hop) = hop {
            edit(&mut here, |entry| entry.route.udp = Some(hop));
        }
        let (_, message, _) = send(&here, &syn(a(), b()));
        let message = message.get(hop.and_then(|hop| hop.vni).map_or(0, |_| 8)..).unwrap();
        assert_eq!(receive(&there, message).unwrap().map(|packet| offer(&packet)), Some(most));
    }
    // The sender knows nothing of a small path: the receiver does.
    let [here, mut there] = nodes();
    let (_, message, _) = send(&here, &syn(a(), b()));
    edit(&mut there, |entry| entry.route.udp = Some(small));
    assert_eq!(receive(&there, &message).unwrap().map(|packet| offer(&packet)), Some(1128));
}
