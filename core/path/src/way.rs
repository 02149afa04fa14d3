//! How packets reach a peer, or came from it.

use std::net::SocketAddr;

use wattle_keys::NodePublic;
use wattle_netmap::RegionId;
use wattle_wire::geneve::Vni;

/// One way on the underlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// Straight over UDP.
    Udp(SocketAddr),
    /// Over UDP through another node that relays.
    PeerRelay {
        /// Where the relay takes packets.
        server: SocketAddr,
        /// Our allocation there.
        vni: Vni,
    },
    /// Through a relay of a region.
    Relay {
        /// The region.
        region: RegionId,
        /// The node at the other end of the relay.
        peer: NodePublic,
    },
}

/// The way that a packet came.
pub type Source = Way;

/// The way that a packet shall go.
pub type Destination = Way;

/// Where data for a peer is sent now: to each of the two that is there.
///
/// Both are there while the UDP path has not proven itself. None is there when nothing is known of the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The nominated UDP path.
    pub udp: Option<Hop>,
    /// The region of the relay.
    pub relay: Option<RegionId>,
    /// The relay that carries messages which are too long for the UDP path, or may be.
    pub large: Option<Large>,
}

/// Messages that do not go by UDP because of their length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Large {
    /// Those with more bytes than this.
    pub over: u16,
    /// They go by this region.
    pub region: RegionId,
}

/// What the packet path must know of a UDP path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hop {
    /// Where datagrams go: the peer, or a peer relay.
    pub to: SocketAddr,
    /// The allocation of the peer relay, for the Geneve header; `None` when the path is direct.
    pub vni: Option<Vni>,
    /// The largest UDP payload that passes, as far as is known: `u16::MAX` until a smaller limit is found.
    pub mtu: u16,
}

impl Hop {
    /// Straight to an address, whatever the size.
    pub const fn direct(to: SocketAddr) -> Self {
        Self { to, vni: None, mtu: u16::MAX }
    }

    /// The way of which this is the next hop.
    pub const fn way(&self) -> Way {
        match self.vni {
            Some(vni) => Way::PeerRelay { server: self.to, vni },
            None => Way::Udp(self.to),
        }
    }
}
