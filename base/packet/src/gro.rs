//! The other way of [`crate::SuperPacket`]: TCP segments that follow each other become one write to a TUN device with
//! offloads. Nothing is copied but headers; the payloads stay where they are.
//!
//! Source of what may be joined: Linux `net/ipv4/tcp_offload.c` (`tcp_gro_receive`).

use crate::checksum::{self, Sum};
use crate::gso::VNET_HEADER_LENGTH;
use crate::{protocol, source_and_destination};

/// The most packets in one write: what a run of one UDP receive holds.
pub const COALESCED_MAX: usize = 64;
/// The longest headers: IPv6 and TCP with all options.
const HEADERS_MAX: usize = 40 + 60;
const BYTES_MAX: usize = u16::MAX as usize;

const NEEDS_CHECKSUM: u8 = 1;
const GSO_TCP_V4: u8 = 1;
const GSO_TCP_V6: u8 = 4;
const TCP_PSH: u8 = 0x08;
const TCP_ACK: u8 = 0x10;
const TCP_CHECKSUM_AT: usize = 16;

/// What is written in front of the payloads of some packets that were joined.
#[derive(Clone, Debug)]
pub struct Coalesced {
    front: [u8; VNET_HEADER_LENGTH + HEADERS_MAX],
    front_length: usize,
    /// How many packets, from the first.
    count: usize,
    /// Where in each packet the rest begins.
    rest_at: usize,
}

/// A TCP segment that may be joined with others.
#[derive(Clone, Copy)]
struct Segment<'a> {
    packet: &'a [u8],
    transport: usize,
    headers: usize,
}

impl Coalesced {
    /// Joins as many packets as may be, from the first. Each must be a whole IP packet without bytes after it.
    pub fn of(packets: &[&[u8]]) -> Self {
        let single = Self {
            front: [0; VNET_HEADER_LENGTH + HEADERS_MAX],
            front_length: VNET_HEADER_LENGTH,
            count: packets.len().min(1),
            rest_at: 0,
        };
        let Some(first) = packets.first().and_then(|packet| Segment::of(packet)) else { return single };
        let segment = first.payload();
        let (mut last, mut count, mut bytes) = (first, 1, first.packet.len());
        for packet in packets.iter().take(COALESCED_MAX).skip(1) {
            let Some(next) = Segment::of(packet) else { break };
            let is_full = last.payload() == segment && last.flags() & TCP_PSH == 0;
            let fits = next.payload() <= segment && bytes + next.payload() <= BYTES_MAX;
            if !is_full || !fits || !next.follows(&last) || !next.is_intact() || (count == 1 && !first.is_intact()) {
                break;
            }
            count += 1;
            bytes += next.payload();
            last = next;
        }
        if count == 1 { single } else { single.joined(&first, &last, count, bytes, segment) }
    }

    fn joined(mut self, first: &Segment<'_>, last: &Segment<'_>, count: usize, bytes: usize, segment: usize) -> Self {
        let (vnet, rest) = self.front.split_at_mut(VNET_HEADER_LENGTH);
        let headers = &mut rest[..first.headers];
        headers.copy_from_slice(&first.packet[..first.headers]);
        let is_v4 = first.is_v4();
        if is_v4 {
            headers[2..4].copy_from_slice(&(bytes as u16).to_be_bytes());
            headers[10..12].fill(0);
            let sum = checksum::of(&headers[..first.transport]);
            headers[10..12].copy_from_slice(&sum.to_be_bytes());
        } else {
            headers[4..6].copy_from_slice(&((bytes - 40) as u16).to_be_bytes());
        }
        let tcp = &mut headers[first.transport..];
        tcp[13] |= last.flags() & TCP_PSH;
        // The kernel completes the checksum: it wants the sum of the pseudo-header, not inverted.
        if let Some((source, destination)) = source_and_destination(first.packet) {
            let length = bytes - first.transport;
            let sum = !Sum::default().add_pseudo_header(source, destination, protocol::TCP, length).finish();
            tcp[TCP_CHECKSUM_AT..TCP_CHECKSUM_AT + 2].copy_from_slice(&sum.to_be_bytes());
        }
        vnet[0] = NEEDS_CHECKSUM;
        vnet[1] = if is_v4 { GSO_TCP_V4 } else { GSO_TCP_V6 };
        let words = [first.headers, segment, first.transport, TCP_CHECKSUM_AT];
        for (place, word) in vnet[2..].chunks_exact_mut(2).zip(words) {
            place.copy_from_slice(&(word as u16).to_ne_bytes());
        }
        self.front_length = VNET_HEADER_LENGTH + first.headers;
        self.rest_at = first.headers;
        self.count = count;
        self
    }

    /// How many packets were joined; zero only when there were none.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// What is written first.
    pub fn front(&self) -> &[u8] {
        &self.front[..self.front_length]
    }

    /// What is written of each packet after it.
    pub fn rest<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet.get(self.rest_at..).unwrap_or_default()
    }
}

impl<'a> Segment<'a> {
    fn of(packet: &'a [u8]) -> Option<Self> {
        let transport = match packet.first()? {
            // No options; not a fragment (the bit that forbids it may stand); TCP.
            0x45 if packet.len() >= 40 => {
                let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
                let is_whole = packet[6] & 0x3f == 0 && packet[7] == 0 && length == packet.len();
                (is_whole && packet[9] == protocol::TCP).then_some(20)?
            }
            0x60..=0x6f if packet.len() >= 60 => {
                let length = 40 + usize::from(u16::from_be_bytes([packet[4], packet[5]]));
                (packet[6] == protocol::TCP && length == packet.len()).then_some(40)?
            }
            _ => return None,
        };
        let headers = transport + usize::from(packet[transport + 12] >> 4) * 4;
        let segment = Self { packet, transport, headers };
        let is_plain_data = segment.flags() & !TCP_PSH == TCP_ACK;
        (headers >= transport + 20 && headers < packet.len() && is_plain_data).then_some(segment)
    }

    const fn is_v4(&self) -> bool {
        self.transport == 20
    }

    const fn payload(&self) -> usize {
        self.packet.len() - self.headers
    }

    const fn flags(&self) -> u8 {
        self.packet[self.transport + 13]
    }

    fn tcp(&self) -> &'a [u8] {
        &self.packet[self.transport..]
    }

    fn sequence(&self) -> u32 {
        self.tcp()[4..8].iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
    }

    /// The checksums are right: once joined, the host takes our word for it.
    fn is_intact(&self) -> bool {
        let Some((source, destination)) = source_and_destination(self.packet) else { return false };
        let header_is_intact = !self.is_v4() || checksum::of(&self.packet[..self.transport]) == 0;
        header_is_intact && checksum::transport(source, destination, protocol::TCP, self.tcp()) == 0
    }

    /// Whether this is the next segment of the same flow and differs in nothing that joining would lose.
    fn follows(&self, last: &Self) -> bool {
        if self.transport != last.transport || self.headers != last.headers {
            return false;
        }
        let same = |from: usize, to: usize| self.packet[from..to] == last.packet[from..to];
        // All but total length, identification and checksum.
        let ip = if self.is_v4() { same(0, 2) && same(6, 10) && same(12, 20) } else { same(0, 4) && same(6, 40) };
        let t = self.transport;
        // Ports; acknowledgement and header length; window; urgent pointer and options.
        let tcp = same(t, t + 4) && same(t + 8, t + 13) && same(t + 14, t + 16) && same(t + 18, self.headers);
        ip && tcp && self.sequence() == last.sequence().wrapping_add(last.payload() as u32)
    }
}

#[cfg(test)]
mod tests;
