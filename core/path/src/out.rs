//! What a call causes.

use std::time::Duration;

use wattle_keys::NodePublic;
use wattle_time::Instant;
use wattle_wire::disco::AllocateRequest;

use crate::{Destination, Route, Way};

/// Effects of calls, for the driver to carry out in order and then clear.
#[derive(Debug, Default)]
pub struct Out {
    /// Packets to send.
    pub transmits: Vec<Transmit>,
    /// Facts to act on.
    pub events: Vec<Event>,
}

/// A packet to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: Destination,
    /// The whole UDP payload, or the payload of the relay frame.
    pub packet: Vec<u8>,
}

/// Something that others must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Data for a peer goes another way from now on.
    RouteChanged {
        /// The peer.
        peer: NodePublic,
        /// The new route.
        route: Route,
    },
    /// The first answer to [`crate::Paths::ping`].
    PingAnswered {
        /// Which ping.
        id: PingId,
        /// Who answered.
        peer: NodePublic,
        /// The way of ping and answer.
        way: Way,
        /// From ping to answer.
        latency: Duration,
    },
    /// No answer to [`crate::Paths::ping`] came in time on any way.
    PingLost {
        /// Which ping.
        id: PingId,
        /// Who did not answer.
        peer: NodePublic,
    },
    /// Somebody wants this node to relay for a pair of which it is one. Whether it may is for others to say; so is what
    /// is set aside, with [`crate::Paths::answer_allocation`].
    AllocationRequested {
        /// Who asks; it may be ourselves.
        from: NodePublic,
        /// What for.
        request: AllocateRequest,
    },
    /// What we know of our own endpoints is old, and a peer is about to be told them: find them anew, then call
    /// [`crate::Paths::set_own_endpoints`].
    WantFreshEndpoints,
    /// Send a ping that is sealed inside the tunnel (TSMP), by this way alone, and hand its answer in with
    /// [`crate::Paths::handle_proof`]: it shows whether data passes there. Without a session there is nothing to send.
    SendProof {
        /// Whom to ask.
        peer: NodePublic,
        /// By which way.
        to: Way,
        /// What the ping carries and the answer repeats.
        token: ProofToken,
    },
    /// Say what the data path has sent to the peer and got from it: [`crate::Paths::handle_traffic`].
    WantTraffic {
        /// The peer.
        peer: NodePublic,
    },
}

/// Tells one sealed ping from another: the bytes that a TSMP ping carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProofToken(pub [u8; 8]);

/// What the data path knows of its traffic with one peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// When the last packet was sent.
    pub sent_at: Option<Instant>,
    /// When the first packet was sent after a pause of a second or more.
    pub burst_at: Option<Instant>,
    /// When the last message was sent that not every path passes, being longer than [`crate::MESSAGE_SURE`].
    pub large_at: Option<Instant>,
    /// When the last authenticated packet came directly.
    pub direct_at: Option<Instant>,
}

/// Numbers a ping that a person asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PingId(pub u64);

/// Why a ping that a person asked for cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PingError {
    /// Not a peer.
    #[error("no such peer")]
    UnknownPeer,
    /// It has not told its disco key, so it is offline or speaks no disco.
    #[error("the peer has no path discovery key")]
    NoDiscoKey,
    /// Neither an endpoint nor a relay of the peer is known.
    #[error("no endpoint and no relay of the peer is known")]
    NoWay,
}
