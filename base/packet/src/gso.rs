//! Super-packets: what a TUN device with offloads hands out (a header of virtio, then up to 64 KiB of one flow), cut into the
//! packets that the network carries.
//!
//! Source: Linux `include/uapi/linux/virtio_net.h` (`struct virtio_net_hdr`), Documentation/networking/segmentation-offloads.

use crate::checksum::{self, Sum};
use crate::{protocol, source_and_destination};

/// Bytes of the header in front of each packet on a TUN device with offloads.
pub const VNET_HEADER_LENGTH: usize = 10;

const NEEDS_CHECKSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCP_V4: u8 = 1;
const GSO_TCP_V6: u8 = 4;
const GSO_UDP: u8 = 5;
/// A bit beside the kind: the flow uses ECN.
const GSO_ECN: u8 = 0x80;
const TCP_FIN_AND_PSH: u8 = 0x09;
const TCP_CWR: u8 = 0x80;

/// What a super-packet is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One packet; perhaps its checksum is to be completed.
    Single,
    Tcp,
    Udp,
}

/// One read of the device, ready to be cut.
#[derive(Clone, Copy, Debug)]
pub struct SuperPacket<'a> {
    packet: &'a [u8],
    kind: Kind,
    /// Where TCP or UDP begins.
    transport: usize,
    /// Bytes of all headers, which every segment gets.
    headers: usize,
    /// Bytes of payload in each segment but the last.
    segment: usize,
    /// Where the checksum of a single packet is to be completed.
    checksum_at: Option<usize>,
}

/// The header contradicts the packet, or says something unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the offload header does not fit its packet")]
pub struct GsoError;

impl<'a> SuperPacket<'a> {
    /// Reads header and packet.
    pub fn parse(read: &'a [u8]) -> Result<Self, GsoError> {
        let (header, packet) = read.split_first_chunk::<VNET_HEADER_LENGTH>().ok_or(GsoError)?;
        let [flags, kind, _, _, s0, s1, c0, c1, o0, o1] = *header;
        let segment = usize::from(u16::from_ne_bytes([s0, s1]));
        let transport = usize::from(u16::from_ne_bytes([c0, c1]));
        let checksum_at = transport + usize::from(u16::from_ne_bytes([o0, o1]));
        let version = packet.first().ok_or(GsoError)? >> 4;
        let kind = match (kind & !GSO_ECN, version) {
            (GSO_NONE, _) => {
                let checksum_at = (flags & NEEDS_CHECKSUM != 0).then_some(checksum_at);
                if checksum_at.is_some_and(|at| at + 2 > packet.len()) {
                    return Err(GsoError);
                }
                return Ok(Self {
                    packet,
                    kind: Kind::Single,
                    transport,
                    headers: 0,
                    segment: packet.len(),
                    checksum_at,
                });
            }
            (GSO_TCP_V4, 4) | (GSO_TCP_V6, 6) => Kind::Tcp,
            (GSO_UDP, 4 | 6) => Kind::Udp,
            _ => return Err(GsoError),
        };
        let ip_headers_fit = match version {
            4 => transport == usize::from(packet[0] & 0x0f) * 4 && transport >= 20,
            _ => transport >= 40,
        };
        let transport_length = match kind {
            Kind::Tcp => usize::from(packet.get(transport + 12).ok_or(GsoError)? >> 4) * 4,
            Kind::Udp | Kind::Single => 8,
        };
        let headers = transport + transport_length;
        let is_whole = ip_headers_fit && segment > 0 && packet.len() > headers && transport_length >= 8;
        let has_tcp_header = kind != Kind::Tcp || transport_length >= 20;
        if !is_whole || !has_tcp_header || headers + segment > usize::from(u16::MAX) {
            return Err(GsoError);
        }
        Ok(Self { packet, kind, transport, headers, segment, checksum_at: None })
    }

    /// How many packets it is.
    pub fn count(&self) -> usize {
        (self.packet.len() - self.headers).div_ceil(self.segment).max(1)
    }

    /// Writes one packet to the front of `into`; its length. `None` when there is no such packet or no room for it.
    pub fn write(&self, index: usize, into: &mut [u8]) -> Option<usize> {
        let payload = self.packet.get(self.headers..)?;
        let start = index.checked_mul(self.segment)?;
        let payload = payload.get(start..)?;
        let payload = payload.get(..self.segment.min(payload.len()))?;
        let length = self.headers + payload.len();
        let into = into.get_mut(..length)?;
        into[..self.headers].copy_from_slice(&self.packet[..self.headers]);
        into[self.headers..].copy_from_slice(payload);
        match (self.kind, self.checksum_at) {
            (Kind::Single, None) => {}
            (Kind::Single, Some(at)) => self.complete_checksum(into, at)?,
            (Kind::Tcp | Kind::Udp, _) => {
                self.patch_ip(into, index)?;
                self.patch_transport(into, index, start)?;
            }
        }
        Some(length)
    }

    /// The field holds the sum of the pseudo-header already.
    fn complete_checksum(&self, packet: &mut [u8], at: usize) -> Option<()> {
        let sum = checksum::of(packet.get(self.transport..)?);
        // Of UDP a zero would say "no checksum"; for TCP both zeros are as good.
        let sum = if sum == 0 { u16::MAX } else { sum };
        packet.get_mut(at..at + 2)?.copy_from_slice(&sum.to_be_bytes());
        Some(())
    }

    fn patch_ip(&self, packet: &mut [u8], index: usize) -> Option<()> {
        let length = packet.len();
        if packet[0] >> 4 == 4 {
            let total = u16::try_from(length).ok()?;
            packet[2..4].copy_from_slice(&total.to_be_bytes());
            let id = u16::from_be_bytes([packet[4], packet[5]]).wrapping_add(index as u16);
            packet[4..6].copy_from_slice(&id.to_be_bytes());
            packet[10..12].fill(0);
            let sum = checksum::of(packet.get(..self.transport)?);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
        } else {
            let payload = u16::try_from(length - 40).ok()?;
            packet[4..6].copy_from_slice(&payload.to_be_bytes());
        }
        Some(())
    }

    fn patch_transport(&self, packet: &mut [u8], index: usize, start: usize) -> Option<()> {
        let (source, destination) = source_and_destination(packet)?;
        let message = packet.get_mut(self.transport..)?;
        let (number, checksum_at) = if self.kind == Kind::Tcp {
            let sequence =
                u32::from_be_bytes([message[4], message[5], message[6], message[7]]).wrapping_add(start as u32);
            message[4..8].copy_from_slice(&sequence.to_be_bytes());
            if index + 1 < self.count() {
                message[13] &= !TCP_FIN_AND_PSH;
            }
            if index > 0 {
                message[13] &= !TCP_CWR;
            }
            (protocol::TCP, 16)
        } else {
            let length = u16::try_from(message.len()).ok()?;
            message[4..6].copy_from_slice(&length.to_be_bytes());
            (protocol::UDP, 6)
        };
        message[checksum_at..checksum_at + 2].fill(0);
        let sum =
            Sum::default().add_pseudo_header(source, destination, number, message.len()).add_bytes(message).finish();
        // A zero says "no checksum" in UDP only, and hosts write it for TCP.
        let sum = if sum == 0 && number == protocol::UDP { u16::MAX } else { sum };
        message[checksum_at..checksum_at + 2].copy_from_slice(&sum.to_be_bytes());
        Some(())
    }
}
