//! A view of TCP segments, as far as a packet filter looks.

/// A TCP segment whose header is all there.
#[derive(Clone, Copy, Debug)]
pub struct TcpSegment<'a> {
    bytes: &'a [u8],
}

/// The control bits of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// Closes one direction.
    pub const FIN: Self = Self(0x01);
    /// Opens a connection.
    pub const SYN: Self = Self(0x02);
    /// Ends a connection at once.
    pub const RST: Self = Self(0x04);
    /// Acknowledges.
    pub const ACK: Self = Self(0x10);

    /// Whether all of these bits are set.
    pub const fn contains(self, bits: Self) -> bool {
        self.0 & bits.0 == bits.0
    }

    /// Whether this asks for a new connection: SYN without ACK.
    pub const fn opens_connection(self) -> bool {
        self.0 & (Self::SYN.0 | Self::ACK.0) == Self::SYN.0
    }
}

impl<'a> TcpSegment<'a> {
    /// The bytes after the IP header; `None` when they hold no whole TCP header.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let header_length = usize::from(bytes.get(12)? >> 4) * 4;
        (header_length >= 20 && bytes.len() >= header_length).then_some(Self { bytes })
    }

    /// From which port.
    pub const fn source_port(&self) -> u16 {
        u16::from_be_bytes([self.bytes[0], self.bytes[1]])
    }

    /// To which port.
    pub const fn destination_port(&self) -> u16 {
        u16::from_be_bytes([self.bytes[2], self.bytes[3]])
    }

    /// The control bits.
    pub const fn flags(&self) -> TcpFlags {
        TcpFlags(self.bytes[13])
    }

    /// What the segment carries.
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[usize::from(self.bytes[12] >> 4) * 4..]
    }
}
