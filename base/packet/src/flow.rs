//! The five-tuple: what makes packets belong together.

use std::net::SocketAddr;

use crate::{Fragment, IpPacket, TcpSegment, UdpDatagram, protocol};

/// One direction of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// IP protocol.
    pub protocol: u8,
    /// From where. The port is zero when the protocol has none.
    pub source: SocketAddr,
    /// To where.
    pub destination: SocketAddr,
}

impl Flow {
    /// The flow that a packet belongs to; `None` for later fragments and broken transport headers.
    pub fn of(packet: &IpPacket<'_>) -> Option<Self> {
        if matches!(packet.fragment(), Fragment::Later { .. }) {
            return None;
        }
        let payload = packet.payload();
        let (source, destination) = match packet.protocol() {
            protocol::TCP => {
                let segment = TcpSegment::parse(payload)?;
                (segment.source_port(), segment.destination_port())
            }
            // The front of a fragmented datagram ends before its length; the ports are there.
            protocol::UDP if packet.fragment() == Fragment::Whole => {
                let datagram = UdpDatagram::parse(payload)?;
                (datagram.source_port(), datagram.destination_port())
            }
            protocol::UDP | protocol::SCTP => {
                let [s0, s1, d0, d1] = *payload.first_chunk()?;
                (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]))
            }
            _ => (0, 0),
        };
        Some(Self {
            protocol: packet.protocol(),
            source: SocketAddr::new(packet.source(), source),
            destination: SocketAddr::new(packet.destination(), destination),
        })
    }

    /// The other direction.
    pub const fn reversed(self) -> Self {
        Self { protocol: self.protocol, source: self.destination, destination: self.source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build;

    #[test]
    fn udp_packet_tells_its_flow() {
        let (here, there) = ("10.0.0.1:53".parse().unwrap(), "10.0.0.2:4000".parse().unwrap());
        let mut packet = Vec::new();
        build::udp(here, there, b"hello", &mut packet).unwrap();
        let flow = Flow::of(&IpPacket::parse(&packet).unwrap()).unwrap();
        assert_eq!(flow, Flow { protocol: protocol::UDP, source: here, destination: there });
        assert_eq!(flow.reversed().reversed(), flow);
        packet[6] = 0x20; // more fragments
        assert_eq!(Flow::of(&IpPacket::parse(&packet).unwrap()), Some(flow));
        packet[7] = 0x01; // and not the first one
        assert_eq!(Flow::of(&IpPacket::parse(&packet).unwrap()), None);
    }
}
