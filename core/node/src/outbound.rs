//! The way out of one packet: from the host's interface to a sealed message and the address it goes to.

use std::net::{IpAddr, SocketAddr};

use wattle_dns::{SERVICE_V4, SERVICE_V6};
use wattle_filter::check_outbound;
use wattle_packet::{IpPacket, clamp_mss};
use wattle_time::Instant;
use wattle_tunnel::{HEADER_LENGTH, SealError};
use wattle_wire::geneve::{self, Header, Payload, Vni};

use crate::{DropReason, Handoff, Tables};

/// A sealed message at the front of the buffer, for the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Whereto.
    pub to: SocketAddr,
    /// How long it is.
    pub length: usize,
}

/// Takes the packet of `length` bytes that stands in `message` behind a gap of [`HEADER_LENGTH`], with room for the tag
/// and a peer relay's header after it. `None`: nothing for the socket, but `hand_off` may have got something.
pub fn outbound(
    tables: &Tables,
    message: &mut [u8],
    length: usize,
    now: Instant,
    hand_off: &mut impl FnMut(Handoff),
) -> Result<Option<Outgoing>, DropReason> {
    let bytes = message.get(HEADER_LENGTH..).and_then(|rest| rest.get(..length)).ok_or(DropReason::TooLarge)?;
    let packet = IpPacket::parse(bytes).map_err(|_| DropReason::NotIp)?;
    let destination = packet.destination();
    if destination == IpAddr::V4(SERVICE_V4) || destination == IpAddr::V6(SERVICE_V6) {
        hand_off(Handoff::Service { packet: bytes.to_vec() });
        return Ok(None);
    }

    // route: which peer
    let slot = tables.routes.lookup(destination).ok_or(DropReason::NoRoute)?;
    let peer = tables.peer(slot).ok_or(DropReason::NoRoute)?;

    // filter: remember the flow
    check_outbound(&tables.flows, &packet, slot.0, now);
    if peer.activity.note_outbound(now) {
        hand_off(Handoff::Outbound { slot });
    }

    // what opens a TCP connection offers no more than fits
    if let Some(packet) = message.get_mut(HEADER_LENGTH..).and_then(|rest| rest.get_mut(..length)) {
        clamp_mss(packet, peer.packet_bytes_max());
    }

    // sealer; without a session the slow half keeps the packet and makes one
    let Some(sealer) = &peer.sealer else {
        hand_off(Handoff::Unsealed { slot, packet: plain(message, length).to_vec() });
        return Ok(None);
    };
    let length = match sealer.seal(message, length) {
        Ok(length) => length,
        Err(SealError::Expired) => {
            hand_off(Handoff::Unsealed { slot, packet: plain(message, length).to_vec() });
            return Ok(None);
        }
        Err(error @ SealError::NoRoom) => return Err(error.into()),
    };

    peer.activity.note_length(length, now);

    // path: which address, and the relay beside it while the address is not proven, or instead of it for what is too long
    if let Some(large) = peer.route.large.filter(|large| length > usize::from(large.over)) {
        let message = message.get(..length).unwrap_or_default().to_vec();
        hand_off(Handoff::Relayed { region: large.region, peer: peer.key, message });
        return Ok(None);
    }
    if let Some(region) = peer.route.relay {
        let message = message.get(..length).unwrap_or_default().to_vec();
        hand_off(Handoff::Relayed { region, peer: peer.key, message });
    } else if peer.route.udp.is_none() {
        return Err(DropReason::NoWay);
    }
    let Some(hop) = peer.route.udp else { return Ok(None) };
    let length = match hop.vni {
        Some(vni) => address_to_peer_relay(message, length, vni)?,
        None => length,
    };
    Ok(Some(Outgoing { to: hop.to, length }))
}

/// The packet that is not sealed yet.
fn plain(message: &[u8], length: usize) -> &[u8] {
    message.get(HEADER_LENGTH..).and_then(|rest| rest.get(..length)).unwrap_or_default()
}

/// Puts the header before the message that a peer relay forwards by. Few packets go this way, so that there is no gap
/// for it in front of all of them: the message is moved.
fn address_to_peer_relay(message: &mut [u8], length: usize, vni: Vni) -> Result<usize, DropReason> {
    let whole = message.get_mut(..length + geneve::HEADER_LENGTH).ok_or(DropReason::TooLarge)?;
    whole.copy_within(..length, geneve::HEADER_LENGTH);
    let header = Header { payload: Payload::WireGuard, vni }.encode();
    whole.iter_mut().zip(header).for_each(|(place, byte)| *place = byte);
    Ok(whole.len())
}
