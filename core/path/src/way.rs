//! How packets reach a peer, or came from it.

use std::net::SocketAddr;

use wattle_keys::NodePublic;
use wattle_netmap::RegionId;

/// One way on the underlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// Straight over UDP.
    Udp(SocketAddr),
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
    pub udp: Option<SocketAddr>,
    /// The region of the relay.
    pub relay: Option<RegionId>,
}
