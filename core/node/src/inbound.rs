//! The way in of one message: from a socket or a relay to an IP packet for the host.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

use wattle_filter::{Verdict, check_inbound};
use wattle_packet::{IcmpMessage, IpPacket, clamp_mss, protocol};
use wattle_path::Way;
use wattle_time::Instant;
use wattle_tunnel::{HEADER_LENGTH, OpenError, Opened, receiver_index};
use wattle_wire::geneve::{self, Header, Vni};

use crate::{DropReason, Handoff, Tables};

/// Where a run of messages came from. Made once for the run, because telling whether a way changed needs its hash.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    way: Way,
    hash: u64,
}

impl Origin {
    /// The origin of messages that came by this way.
    pub fn new(way: Way) -> Self {
        let mut hasher = DefaultHasher::new();
        way.hash(&mut hasher);
        let relayed = u64::from(matches!(way, Way::Relay { .. }));
        Self { way, hash: hasher.finish() << 1 | relayed }
    }

    /// The origin of a message of the run that came through a peer relay.
    fn through(&self, vni: Vni) -> Self {
        match self.way {
            Way::Udp(server) => {
                // Spreads the number over all bits but the lowest, which stays.
                let mixed = u64::from(vni.as_u32()).wrapping_mul(0x9e37_79b9_7f4a_7c15) << 1;
                Self { way: Way::PeerRelay { server, vni }, hash: self.hash ^ mixed }
            }
            Way::PeerRelay { .. } | Way::Relay { .. } => *self,
        }
    }
}

/// Takes one message and returns the IP packet in it, for the host. `None`: nothing for the host, but `hand_off` may have got
/// something. What is not data is handed off if it came over UDP; from a relay it does not belong here.
pub fn inbound<'m>(
    tables: &Tables,
    origin: &Origin,
    message: &'m mut [u8],
    now: Instant,
    hand_off: &mut impl FnMut(Handoff),
) -> Result<Option<&'m [u8]>, DropReason> {
    // classify: what a peer relay sent is looked at without its header; disco, STUN, handshake to the slow half
    let (origin, message) = match Header::split(message).filter(|_| matches!(origin.way, Way::Udp(_))) {
        Some((header, _)) => (origin.through(header.vni), message.get_mut(geneve::HEADER_LENGTH..).unwrap_or_default()),
        None => (*origin, message),
    };
    let Some(index) = receiver_index(message) else {
        if matches!(origin.way, Way::Relay { .. }) {
            return Err(DropReason::Malformed);
        }
        hand_off(Handoff::Control { way: origin.way, message: message.to_vec() });
        return Ok(None);
    };

    // opener
    let session = tables.opener(index).ok_or(DropReason::NoSession)?;
    let (slot, opened) = (session.slot, session.opener.open(message));
    let peer = tables.peer(slot).ok_or(DropReason::NoSession)?;
    if let Ok(Opened { first, .. }) = opened {
        if peer.activity.note_inbound(now, origin.hash) || first {
            hand_off(Handoff::Inbound { slot, way: origin.way, first });
        }
    } else if opened == Err(OpenError::Replayed) && peer.activity.note_inbound(now, origin.hash) {
        // The copy of a packet that was faster by the other way. It is authentic, so it proves this way too.
        hand_off(Handoff::Inbound { slot, way: origin.way, first: false });
    }
    let length = opened?.length;
    if length == 0 {
        return Ok(None);
    }

    // what opens a TCP connection offers no more than fits on the way back
    let plain =
        message.get_mut(HEADER_LENGTH..).and_then(|rest| rest.get_mut(..length)).ok_or(DropReason::Malformed)?;
    clamp_mss(plain, peer.packet_bytes_max());

    // source belongs to peer
    let packet = IpPacket::parse(plain).map_err(|_| DropReason::Malformed)?;
    if tables.routes.lookup(packet.source()) != Some(slot) {
        return Err(DropReason::NotTheirs);
    }

    // filter
    let filter = if peer.jailed { &tables.jailed_filter } else { &tables.filter };
    match check_inbound(filter, &tables.flows, packet.bytes(), now) {
        Verdict::Accept if is_for_the_node(tables, &packet) => {
            hand_off(Handoff::Inner { slot, packet: packet.bytes().to_vec() });
            Ok(None)
        }
        Verdict::Accept => Ok(Some(packet.bytes())),
        Verdict::KeepAlive => Ok(None),
        Verdict::Drop(reason) => Err(DropReason::Filtered(reason)),
    }
}

/// TSMP, and the answers to our own pings, end here and not at the host.
fn is_for_the_node(tables: &Tables, packet: &IpPacket<'_>) -> bool {
    let is_own = |address: IpAddr| tables.own.contains(&address);
    match packet.protocol() {
        protocol::TSMP => is_own(packet.destination()),
        protocol::ICMP | protocol::ICMPV6 => {
            IcmpMessage::of(packet)
                .is_some_and(|message| message.is_echo_reply() && message.echo_id().0 == tables.echo_id)
                && is_own(packet.destination())
        }
        _ => false,
    }
}
