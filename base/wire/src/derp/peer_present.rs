//! That a peer is connected to this relay: what relays of one region tell each other.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use wattle_keys::NodePublic;

use super::frame::{FrameError, split_key, write_header};

/// Sent by a relay to those who watch its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerPresent {
    /// Who.
    pub peer: NodePublic,
    /// From where; `None`: not told, as by old relays.
    pub address: Option<SocketAddr>,
    /// What kind of client it is.
    pub flags: PeerPresentFlags,
}

/// Bits that say what kind of client a peer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerPresentFlags(pub u8);

impl PeerPresentFlags {
    /// A node.
    pub const REGULAR: Self = Self(1);
    /// Another relay of the region.
    pub const MESH: Self = Self(2);
    /// One that only measures.
    pub const PROBER: Self = Self(4);
    /// A node that wanted another relay of the region.
    pub const NOT_IDEAL: Self = Self(8);

    /// Whether all of these bits are set.
    pub const fn contains(self, bits: Self) -> bool {
        self.0 & bits.0 == bits.0
    }
}

impl std::ops::BitOr for PeerPresentFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl PeerPresent {
    /// The byte that names this frame.
    pub const TYPE: u8 = 0x09;

    /// Reads a body. Old relays leave off the flags, older ones the address too.
    pub fn decode(body: &[u8]) -> Result<Self, FrameError> {
        let (peer, rest) = split_key(Self::TYPE, body)?;
        let Some((address, rest)) = rest.split_first_chunk::<18>() else {
            return Ok(Self { peer, address: None, flags: PeerPresentFlags::default() });
        };
        let flags = PeerPresentFlags(rest.first().copied().unwrap_or_default());
        Ok(Self { peer, address: read_address(address), flags })
    }

    /// Appends header and body to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_header(Self::TYPE, 32 + 18 + 1, out);
        out.extend_from_slice(self.peer.as_bytes());
        let (octets, port) = match self.address {
            Some(address) => (in_sixteen_bytes(address.ip()), address.port()),
            None => ([0; 16], 0),
        };
        out.extend_from_slice(&octets);
        out.extend_from_slice(&port.to_be_bytes());
        out.push(self.flags.0);
    }
}

/// Address zero with port zero stands for "not told".
fn read_address(bytes: &[u8; 18]) -> Option<SocketAddr> {
    let (octets, port) = bytes.split_first_chunk::<16>()?;
    let port = u16::from_be_bytes(port.try_into().ok()?);
    let ip = Ipv6Addr::from(*octets);
    (!ip.is_unspecified() || port != 0).then(|| SocketAddr::new(ip.to_canonical(), port))
}

fn in_sixteen_bytes(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}
