//! A view of UDP datagrams.

/// A UDP datagram, cut at its own length.
#[derive(Clone, Copy, Debug)]
pub struct UdpDatagram<'a> {
    bytes: &'a [u8],
}

const HEADER: usize = 8;

impl<'a> UdpDatagram<'a> {
    /// The bytes after the IP header; `None` when they do not hold the datagram that its header tells of.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let length = usize::from(u16::from_be_bytes([*bytes.get(4)?, *bytes.get(5)?]));
        (length >= HEADER).then_some(())?;
        Some(Self { bytes: bytes.get(..length)? })
    }

    /// From which port.
    pub const fn source_port(&self) -> u16 {
        u16::from_be_bytes([self.bytes[0], self.bytes[1]])
    }

    /// To which port.
    pub const fn destination_port(&self) -> u16 {
        u16::from_be_bytes([self.bytes[2], self.bytes[3]])
    }

    /// What it carries.
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[HEADER..]
    }
}
