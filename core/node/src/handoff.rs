//! What the packet path hands to the slow half: everything that is not plain traffic over a working session.

use wattle_keys::NodePublic;
use wattle_netmap::RegionId;
use wattle_path::Way;

use crate::Slot;

/// One thing for the slow half, over a bounded queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handoff {
    /// A packet for a peer that there is no session with yet.
    Unsealed {
        /// Who it is for.
        slot: Slot,
        /// The IP packet.
        packet: Vec<u8>,
    },
    /// A sealed message that goes by a relay.
    Relayed {
        /// The peer's home region.
        region: RegionId,
        /// The peer.
        peer: NodePublic,
        /// The message.
        message: Vec<u8>,
    },
    /// A packet for the service address of the tailnet (100.100.100.100), which every node answers itself.
    Service {
        /// The IP packet.
        packet: Vec<u8>,
    },
    /// Packets went to a peer.
    Outbound {
        /// Who.
        slot: Slot,
    },
    /// Authenticated packets came from a peer.
    Inbound {
        /// Who.
        slot: Slot,
        /// By which way.
        way: Way,
        /// Whether it was the first of its session.
        first: bool,
    },
    /// Disco, STUN or a handshake, from the UDP socket.
    Control {
        /// Where it came from: straight, or through a peer relay.
        way: Way,
        /// The message, without what the peer relay needed.
        message: Vec<u8>,
    },
    /// A packet from inside the tunnel that is for the node itself: TSMP, or the answer to one of our pings.
    Inner {
        /// Whose packet.
        slot: Slot,
        /// The IP packet.
        packet: Vec<u8>,
    },
}
