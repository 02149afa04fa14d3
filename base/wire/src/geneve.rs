//! Geneve (RFC 8926): the eight bytes before each packet that goes through a peer relay, and the number in them that
//! tells one pair of clients of a relay from another.
//!
//! What it is not: options; nobody sends any. Source: tailscale `net/packet/geneve.go`.

use std::fmt;

/// How long the header is.
pub const HEADER_LENGTH: usize = 8;

const CONTROL: u8 = 0x80;
const PROTOCOL_DISCO: u16 = 0x7a11;
const PROTOCOL_WIREGUARD: u16 = 0x7a12;

/// A virtual network identifier: names an allocation of a peer relay. 1 to 2^24-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vni(u32);

impl Vni {
    /// The first of them.
    pub const MIN: Self = Self(1);
    /// The last of them: the header has three bytes for it.
    pub const MAX: Self = Self((1 << 24) - 1);

    /// The number as an identifier; `None` when it is none.
    pub const fn new(number: u32) -> Option<Self> {
        if number >= Self::MIN.0 && number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// As a number.
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    /// The next one; the first follows the last.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 >= Self::MAX.0 { Self::MIN } else { Self(self.0 + 1) }
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What follows a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A disco message between a client and the relay: the only kind that the relay reads.
    Control,
    /// A disco message between the clients.
    Disco,
    /// A WireGuard message between the clients.
    WireGuard,
}

/// A header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What follows.
    pub payload: Payload,
    /// Whose it is.
    pub vni: Vni,
}

impl Header {
    /// Reads the header in front of a packet, and returns it and what follows; `None` when there is none that we speak:
    /// another version or protocol, options, or a network identifier that is none.
    pub fn split(packet: &[u8]) -> Option<(Self, &[u8])> {
        let (header, rest) = packet.split_first_chunk::<HEADER_LENGTH>()?;
        Some((Self::decode(header)?, rest))
    }

    /// Reads a header.
    pub fn decode(bytes: &[u8; HEADER_LENGTH]) -> Option<Self> {
        let [version_and_options, flags, protocol @ .., v0, v1, v2, _] = bytes;
        let control = flags & CONTROL != 0;
        let payload = match (u16::from_be_bytes(*protocol), control) {
            (PROTOCOL_DISCO, true) => Payload::Control,
            (PROTOCOL_DISCO, false) => Payload::Disco,
            (PROTOCOL_WIREGUARD, false) => Payload::WireGuard,
            _ => return None,
        };
        let vni = Vni::new(u32::from_be_bytes([0, *v0, *v1, *v2]))?;
        (*version_and_options == 0).then_some(Self { payload, vni })
    }

    /// Its bytes.
    pub fn encode(self) -> [u8; HEADER_LENGTH] {
        let (flags, protocol) = match self.payload {
            Payload::Control => (CONTROL, PROTOCOL_DISCO),
            Payload::Disco => (0, PROTOCOL_DISCO),
            Payload::WireGuard => (0, PROTOCOL_WIREGUARD),
        };
        let [p0, p1] = protocol.to_be_bytes();
        let [_, v0, v1, v2] = self.vni.0.to_be_bytes();
        [0, flags, p0, p1, v0, v1, v2, 0]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headers_are_those_of_the_official_client() {
        let header = |payload, vni| Header { payload, vni: Vni::new(vni).unwrap() }.encode();
        assert_eq!(header(Payload::Control, 1), [0, 0x80, 0x7a, 0x11, 0, 0, 1, 0]);
        assert_eq!(header(Payload::Disco, 0x0001_0203), [0, 0, 0x7a, 0x11, 1, 2, 3, 0]);
        assert_eq!(header(Payload::WireGuard, 0x00ff_ffff), [0, 0, 0x7a, 0x12, 0xff, 0xff, 0xff, 0]);
    }

    #[test]
    fn what_we_do_not_speak_is_no_header() {
        let good = [0, 0, 0x7a, 0x12, 0, 0, 1, 0];
        assert!(Header::decode(&good).is_some());
        for (at, byte) in [(0, 0x40), (0, 1), (1, 0x80), (2, 0), (3, 0x13), (6, 0)] {
            let mut bad = good;
            bad[at] = byte;
            assert_eq!(Header::decode(&bad), None, "{bad:02x?}");
        }
    }

    #[test]
    fn the_first_identifier_follows_the_last() {
        assert_eq!(Vni::MAX.next(), Vni::MIN);
        assert_eq!(Vni::new(0), None);
        assert_eq!(Vni::new(1 << 24), None);
    }

    fn any_header() -> impl Strategy<Value = Header> {
        let payload = prop_oneof![Just(Payload::Control), Just(Payload::Disco), Just(Payload::WireGuard)];
        (payload, 1u32..1 << 24).prop_map(|(payload, vni)| Header { payload, vni: Vni(vni) })
    }

    proptest! {
        #[test]
        fn headers_survive_the_wire(header in any_header(), rest: Vec<u8>) {
            let packet = [&header.encode()[..], &rest].concat();
            prop_assert_eq!(Header::split(&packet), Some((header, &rest[..])));
        }

        #[test]
        fn no_truncation_has_a_header(header in any_header(), length in 0..HEADER_LENGTH) {
            let bytes = header.encode();
            prop_assert_eq!(Header::split(&bytes[..length]), None);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: [u8; 8]) {
            if let Some(header) = Header::decode(&bytes) {
                prop_assert_eq!(Header::decode(&header.encode()), Some(header));
            }
        }
    }
}
