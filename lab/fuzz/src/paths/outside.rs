//! Everybody else: keys, addresses, and what they say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use wattle_keys::{DiscoPrivate, DiscoPublic, DiscoShared, NONCE_LENGTH, NodePublic};
use wattle_netmap::{RegionId, is_tailnet_address};
use wattle_path::Way;
use wattle_wire::disco::{Allocation, CallMeMaybe, Envelope, Message, Ping, Pong, TransactionId, Unknown, in_order};
use wattle_wire::geneve::Vni;

/// Nodes that the map may have.
pub(super) const PEERS: usize = 4;
/// Disco keys; the last is nobody's.
pub(super) const DISCO_KEYS: usize = 5;
/// We.
pub(super) const SELF: usize = 200;
pub(super) const REGION: RegionId = RegionId(1);

pub(super) fn node(number: usize) -> NodePublic {
    // The first byte decides the order of keys, on which some choices depend: half are below ours.
    NodePublic::from_bytes([if number.is_multiple_of(2) { number as u8 } else { 255 - number as u8 }; 32])
}

pub(super) fn private(number: usize) -> DiscoPrivate {
    DiscoPrivate::from_bytes([number as u8 + 1; 32])
}

pub(super) fn public(disco: usize) -> DiscoPublic {
    KEYS[disco].0
}

/// The disco keys of others, with what they share with ours. Curves are slow.
static KEYS: LazyLock<Vec<(DiscoPublic, DiscoShared)>> = LazyLock::new(|| {
    let ours = private(SELF).public();
    (0..DISCO_KEYS).map(|number| (private(number).public(), private(number).shared(&ours))).collect()
});

pub(super) fn peer(u: &mut Unstructured<'_>) -> Result<usize> {
    u.int_in_range(0..=PEERS - 1)
}

/// Addresses good and bad.
const ADDRESSES: [IpAddr; 16] = [
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 2)),
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 3)),
    IpAddr::V4(Ipv4Addr::new(192, 168, 1, 4)),
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 6)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 7)),
    IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0xc633, 0x6408)),
    IpAddr::V4(Ipv4Addr::new(100, 64, 0, 9)),
    IpAddr::V4(Ipv4Addr::new(224, 0, 0, 1)),
    IpAddr::V4(Ipv4Addr::BROADCAST),
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, 1)),
];
const PORTS: [u16; 4] = [41641, 1, 0, 65535];

pub(super) fn address(choice: u8) -> SocketAddr {
    SocketAddr::new(ADDRESSES[usize::from(choice & 15)], PORTS[usize::from(choice >> 4 & 3)])
}

/// A plain reading of what may be a candidate.
pub(super) fn is_candidate(address: SocketAddr) -> bool {
    let ip = address.ip();
    let is_mapped = matches!(ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some());
    let leads_nowhere = ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    address.port() != 0 && !is_mapped && !leads_nowhere && !is_tailnet_address(ip)
}

/// A few addresses, or thousands.
pub(super) fn endpoints(u: &mut Unstructured<'_>) -> Result<Vec<SocketAddr>> {
    let count = *u.choose(&[0, 1, 2, 3, 5, 16, 64, 65, 1000])?;
    let first: u8 = u.arbitrary()?;
    let one = |number: usize| {
        let SocketAddr::V4(base) = address(first) else { return address(first.wrapping_add(number as u8)) };
        // Neighbours of the first: different ones, as many as are wanted.
        let ip = Ipv4Addr::from_bits(base.ip().to_bits().wrapping_add(number as u32 / 4));
        SocketAddr::new(ip.into(), base.port().wrapping_add(number as u16))
    };
    Ok((0..count).map(one).collect())
}

pub(super) fn way(u: &mut Unstructured<'_>) -> Result<Way> {
    Ok(match u.int_in_range(0..=3)? {
        0 => Way::Relay { region: RegionId(u.int_in_range(1..=3)?), peer: node(peer(u)?) },
        1 => Way::Udp(SocketAddr::new(Ipv4Addr::new(192, 0, 2, u.arbitrary()?).into(), 7)),
        2 if u.ratio(1, 4)? => Way::PeerRelay { server: address(u.arbitrary()?), vni: vni(u)? },
        _ => Way::Udp(address(u.arbitrary()?)),
    })
}

fn vni(u: &mut Unstructured<'_>) -> Result<Vni> {
    Ok(Vni::new(u.int_in_range(1..=4)?).unwrap_or(Vni::MIN))
}

/// What somebody says, and its packet.
pub(super) struct Told {
    pub(super) message: Message,
    pub(super) packet: Vec<u8>,
    /// Nothing happened to it on the way.
    pub(super) is_whole: bool,
}

/// A message of the owner of a disco key, perhaps spoilt; `pending` are our transactions, the latest first.
pub(super) fn told(u: &mut Unstructured<'_>, sender: usize, pending: &[TransactionId]) -> Result<Told> {
    let transaction = |u: &mut Unstructured<'_>| {
        let back = u.int_in_range(0..=15)?;
        Ok(pending.get(back).copied().unwrap_or(TransactionId([back as u8; 12])))
    };
    let message = match u.int_in_range(0..=10)? {
        0..=2 => {
            let said = u.int_in_range(0..=PEERS + 1)?;
            let node = if said > PEERS { None } else { Some(node(said)) };
            Message::Ping(Ping { transaction: transaction(u)?, node, padding: *u.choose(&[0, 1, 1200])? })
        }
        3..=5 => Message::Pong(Pong { transaction: transaction(u)?, seen_from: address(u.arbitrary()?) }),
        6..=8 => Message::CallMeMaybe(CallMeMaybe { endpoints: endpoints(u)? }),
        9 => Message::CallMeMaybeVia(Allocation {
            server: public(u.int_in_range(0..=DISCO_KEYS - 1)?),
            clients: in_order(public(sender), private(if u.ratio(1, 8)? { 0 } else { SELF }).public()),
            lamport_id: u.int_in_range(0..=3)?,
            vni: vni(u)?,
            bind_lifetime: Duration::from_secs(u.int_in_range(0..=60)?),
            steady_lifetime: Duration::from_secs(u.int_in_range(0..=600)?),
            addresses: endpoints(u)?,
        }),
        _ => {
            let length = u.int_in_range(0..=80)?.min(u.len());
            Message::Unknown(Unknown { kind: u.int_in_range(0..=12)?, version: 0, body: u.bytes(length)?.to_vec() })
        }
    };
    let mut packet = sealed(sender, &message);
    let is_whole = !u.ratio(1, 16)?;
    if !is_whole {
        let at = u.int_in_range(0..=packet.len() - 1)?;
        if u.arbitrary()? {
            packet.truncate(at);
        } else {
            packet[at] ^= u.int_in_range(1..=255)?;
        }
    }
    Ok(Told { message, packet, is_whole })
}

pub(super) fn pong(sender: usize, transaction: TransactionId) -> Vec<u8> {
    sealed(sender, &Message::Pong(Pong { transaction, seen_from: address(0) }))
}

fn sealed(sender: usize, message: &Message) -> Vec<u8> {
    let (public, shared) = &KEYS[sender];
    let mut packet = Vec::new();
    message.seal(public, shared, &[7; NONCE_LENGTH], &mut packet);
    packet
}

/// For whom one of our packets is, and what it says.
pub(super) fn read(packet: &[u8]) -> Option<(usize, Message)> {
    let envelope = Envelope::parse(packet)?;
    KEYS.iter().enumerate().find_map(|(number, (_, shared))| Some((number, envelope.open(shared).ok()?)))
}
