//! The Internet checksum (RFC 1071), whole and incremental (RFC 1624).

use std::net::IpAddr;

/// A sum that is not folded yet. Sums of parts add up, as long as all parts but the last have an even length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// Adds bytes.
    #[must_use]
    pub fn add_bytes(self, bytes: &[u8]) -> Self {
        let (quads, rest) = bytes.as_chunks::<4>();
        // Four bytes at a time are two sixteen-bit words that fold together later; 2^32 of them fit.
        let mut sum = self.0 + quads.iter().map(|quad| u64::from(u32::from_be_bytes(*quad))).sum::<u64>();
        let (pairs, last) = rest.as_chunks::<2>();
        sum += pairs.iter().map(|pair| u64::from(u16::from_be_bytes(*pair))).sum::<u64>();
        sum += last.iter().map(|byte| u64::from(*byte) << 8).sum::<u64>();
        Self(sum)
    }

    /// Adds one word.
    #[must_use]
    pub const fn add_u16(self, word: u16) -> Self {
        Self(self.0 + word as u64)
    }

    /// Adds what TCP, UDP and ICMPv6 cover besides their own bytes.
    #[must_use]
    pub fn add_pseudo_header(self, source: IpAddr, destination: IpAddr, protocol: u8, length: usize) -> Self {
        let sum = [source, destination].iter().fold(self, |sum, address| match address {
            IpAddr::V4(address) => sum.add_bytes(&address.octets()),
            IpAddr::V6(address) => sum.add_bytes(&address.octets()),
        });
        Self(sum.0 + u64::from(protocol) + length as u64)
    }

    /// The checksum.
    pub const fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum >> 16 != 0 {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        !(sum as u16)
    }
}

/// The checksum of bytes. Zero when the bytes hold a correct one.
pub fn of(bytes: &[u8]) -> u16 {
    Sum::default().add_bytes(bytes).finish()
}

/// The checksum of a TCP, UDP or ICMPv6 message. Zero when the message holds a correct one.
pub fn transport(source: IpAddr, destination: IpAddr, protocol: u8, message: &[u8]) -> u16 {
    Sum::default().add_pseudo_header(source, destination, protocol, message.len()).add_bytes(message).finish()
}

/// The new checksum after covered bytes changed (RFC 1624, equation 3). Old and new start at the same even offset and
/// have the same length.
pub fn update(checksum: u16, old: &[u8], new: &[u8]) -> u16 {
    let without_old = Sum::default().add_u16(!checksum).add_u16(of(old));
    without_old.add_bytes(new).finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, word by word.
    fn by_definition(bytes: &[u8]) -> u16 {
        let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
        let mut sum: u32 = 0;
        for word in words {
            sum += word;
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    #[test]
    fn rfc_1071_example() {
        assert_eq!(of(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn a_known_ipv4_header_sums_to_zero() {
        let header = [
            0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8,
            0x00, 0xc7,
        ];
        assert_eq!(of(&header), 0);
    }

    proptest! {
        #[test]
        fn fast_sum_equals_the_definition(bytes: Vec<u8>) {
            prop_assert_eq!(of(&bytes), by_definition(&bytes));
        }

        #[test]
        fn sums_of_even_parts_add_up(mut front: Vec<u8>, back: Vec<u8>) {
            front.truncate(front.len() & !1);
            let apart = Sum::default().add_bytes(&front).add_bytes(&back).finish();
            prop_assert_eq!(apart, of(&[front, back].concat()));
        }

        #[test]
        fn incremental_update_is_as_good_as_a_new_sum(mut bytes in prop::collection::vec(any::<u8>(), 24..100), new: [u8; 4], at in 1usize..5) {
            // Byte zero is non-zero, as in every IP header: so the two zeros of one's complement do not matter.
            bytes[0] = 0x45;
            let before = of(&bytes);
            let at = at * 4;
            let old = bytes[at..at + 4].to_vec();
            bytes[at..at + 4].copy_from_slice(&new);
            prop_assert_eq!(update(before, &old, &new), of(&bytes));
        }
    }
}
