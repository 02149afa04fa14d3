//! The decision over one packet.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use wattle_packet::{Flow, Fragment, IcmpMessage, IpPacket, PacketError, TcpSegment, protocol};
use wattle_time::Instant;

use crate::limits::FRAGMENT_OFFSET_BYTES_MIN;
use crate::{DropReason, Filter, Flows, Verdict};

const IP_HEADER_BYTES_MIN: usize = 20;
/// Where clouds answer their guests' questions: some use it as a resolver through the tunnel.
const CLOUD_SERVICE: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// Whether a packet that came out of the tunnel may go to the host. That its source belongs to the peer was checked.
pub fn check_inbound(filter: &Filter, flows: &Flows, packet: &[u8], now: Instant) -> Verdict {
    if packet.is_empty() {
        return Verdict::KeepAlive;
    }
    match admit(filter, flows, packet, now) {
        Ok(()) => Verdict::Accept,
        Err(reason) => Verdict::Drop(reason),
    }
}

/// Remembers what goes into the tunnel to a peer, which has a number of its own, so that replies come in. Everything may
/// go out: the peer's filter decides.
pub fn check_outbound(flows: &Flows, packet: &IpPacket<'_>, peer: u32, now: Instant) {
    if has_remembered_replies(packet.protocol())
        && let Some(flow) = Flow::of(packet)
    {
        flows.remember(&flow, peer, now);
    }
}

const fn has_remembered_replies(protocol: u8) -> bool {
    matches!(protocol, protocol::UDP | protocol::SCTP)
}

fn admit(filter: &Filter, flows: &Flows, packet: &[u8], now: Instant) -> Result<(), DropReason> {
    if packet.len() < IP_HEADER_BYTES_MIN {
        return Err(DropReason::TooShort);
    }
    let packet = IpPacket::parse(packet).map_err(|error| match error {
        PacketError::Short => DropReason::TooShort,
        PacketError::NotIp | PacketError::Malformed => DropReason::Malformed,
    })?;
    let destination = packet.destination();
    if destination.is_multicast() {
        return Err(DropReason::Multicast);
    }
    if is_link_local(destination) && destination != CLOUD_SERVICE {
        return Err(DropReason::LinkLocal);
    }
    if let Fragment::Later { offset_bytes } = packet.fragment() {
        // Without the first fragment, which has to pass the rules, the host can make nothing of it.
        let harmless = offset_bytes >= FRAGMENT_OFFSET_BYTES_MIN;
        return if harmless { Ok(()) } else { Err(DropReason::Malformed) };
    }
    if !filter.is_local(destination) {
        return Err(DropReason::NotLocal);
    }
    let no_rule = if filter.is_shields_up() { DropReason::ShieldsUp } else { DropReason::NoRule };
    if is_allowed(filter, flows, &packet, now)? { Ok(()) } else { Err(no_rule) }
}

fn is_allowed(filter: &Filter, flows: &Flows, packet: &IpPacket<'_>, now: Instant) -> Result<bool, DropReason> {
    let (source, destination) = (packet.source(), packet.destination());
    let to_port = |port| SocketAddr::new(destination, port);
    Ok(match (packet.protocol(), packet) {
        (icmp @ protocol::ICMP, IpPacket::V4(_)) | (icmp @ protocol::ICMPV6, IpPacket::V6(_)) => {
            let message = IcmpMessage::of(packet).ok_or(DropReason::Malformed)?;
            message.is_echo_reply() || message.is_error() || filter.opens(icmp, source, to_port(0))
        }
        (protocol::TCP, _) => {
            let segment = TcpSegment::parse(packet.payload()).ok_or(DropReason::Malformed)?;
            let opens_connection = segment.flags().opens_connection();
            !opens_connection || filter.opens(protocol::TCP, source, to_port(segment.destination_port()))
        }
        (kind @ (protocol::UDP | protocol::SCTP), _) => {
            let flow = Flow::of(packet).ok_or(DropReason::Malformed)?;
            flows.expects(&flow, now) || filter.opens(kind, source, flow.destination)
        }
        (protocol::TSMP, _) => true,
        (other, _) => filter.opens(other, source, to_port(0)),
    })
}

const fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
