//! What tasks bring to the event loop.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use wattle_keys::NodePublic;
use wattle_link::{ControlClient, DialError};
use wattle_netmap::RegionId;
use wattle_session::{RequestId, Response};
use wattle_udp::Sent;

/// Tells the links of one region, or the connections to control, apart: news of an old one are of no interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(pub(super) u64);

/// One thing that happened.
#[derive(Debug)]
pub(super) enum Input {
    /// About the connection to the coordination server.
    Control(Generation, ControlNews),
    /// About the link to a relay region.
    Relay(Generation, RegionId, RelayNews),
    /// A host name was looked up; no address: it failed.
    Resolved(String, Vec<IpAddr>),
    /// A relay region was timed over HTTPS.
    HttpsTimed(RegionId, Option<Duration>),
    /// A STUN response came to the relay for peers.
    RelayStun(SocketAddr, Vec<u8>),
    /// Whether a captive portal answers in place of others; `None`: nobody answered.
    CaptivePortal(Option<bool>),
    /// An upstream resolver answered.
    DnsAnswered(u64, Vec<u8>),
    /// The sockets did not take a datagram.
    Unsent {
        /// The family of its destination.
        is_ipv4: bool,
        /// Why.
        sent: Sent,
    },
    /// The host was brought to what the node wants.
    HostApplied {
        /// Addresses and routes stand (as far as they could be made), or were taken away.
        stands: bool,
        /// Why not all of it could be done.
        problem: Option<String>,
    },
}

/// News of the connection to the coordination server.
#[derive(Debug)]
pub(super) enum ControlNews {
    /// It stands.
    Connected(ControlClient),
    /// It could not be made.
    DialFailed(DialError),
    /// It broke.
    Lost,
    /// An answer.
    Answered(RequestId, Response),
    /// There will be no answer.
    Failed(RequestId, String),
    /// A frame of a stream.
    Frame(RequestId, Bytes),
    /// A stream ended.
    StreamEnded(RequestId),
}

/// News of a relay link.
#[derive(Debug)]
pub(super) enum RelayNews {
    /// It stands.
    Opened,
    /// It could not be made, or broke, in a sentence.
    Lost(String),
    /// A packet of a peer.
    Packet(NodePublic, Vec<u8>),
    /// A peer is not there.
    PeerGone(NodePublic),
    /// It restarts, and the link is gone: come back after the first, and try for the second duration.
    Restarting(Duration, Duration),
    /// Nothing but that the relay lives.
    Alive,
}
