//! What a call causes.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use wattle_keys::{DiscoPublic, NodePrivate, NodePublic};
use wattle_netmap::{Prefix, RegionId};
use wattle_path::Way;
use wattle_session::{Request, RequestId, Standing};
use wattle_time::UnixTime;
use wattle_wire::disco::AllocateRequest;

use crate::Tables;

/// Effects of calls, for the driver to carry out in order and then clear.
#[derive(Debug, Default)]
pub struct Out {
    /// Datagrams to send from the UDP socket.
    pub udp: Vec<(SocketAddr, Vec<u8>)>,
    /// Packets to send by a relay whose link is open.
    pub relay: Vec<(RegionId, NodePublic, Vec<u8>)>,
    /// IP packets for the host.
    pub tun: Vec<Vec<u8>>,
    /// Requests to the coordination server.
    pub requests: Vec<Request>,
    /// Requests that are of no use any more.
    pub cancels: Vec<RequestId>,
    /// New tables for the packet path, to publish before anything else is done.
    pub tables: Option<Arc<Tables>>,
    /// Facts to act on.
    pub events: Vec<Event>,
}

impl Out {
    /// Whether there is nothing to carry out.
    pub fn is_empty(&self) -> bool {
        let Self { udp, relay, tun, requests, cancels, tables, events } = self;
        let quiet = udp.is_empty() && relay.is_empty() && tun.is_empty() && tables.is_none();
        quiet && requests.is_empty() && cancels.is_empty() && events.is_empty()
    }
}

/// Something that the driver must act on.
#[derive(Clone, Debug)]
pub enum Event {
    /// The host should have these addresses and routes on its TUN device; none of either: take them away.
    HostWanted {
        /// Our tailnet addresses.
        addresses: Vec<Prefix>,
        /// What is routed into the tunnel.
        routes: Vec<Prefix>,
    },
    /// Open a link to a relay region, or say that it was lost.
    RelayOpen(RegionId),
    /// Close the link to a relay region.
    RelayClose(RegionId),
    /// Our network changed: find out whether the open link to a relay region survived it, and say that it was lost if not.
    RelayCheck(RegionId),
    /// The connection to the coordination server, likewise.
    ControlCheck,
    /// Tell an open relay link whether it is our home.
    RelayPrefer(RegionId, bool),
    /// Dial the coordination server once, and say what became of it.
    Connect,
    /// Close the connection to the coordination server.
    Disconnect,
    /// A person must open this page.
    BrowseTo(String),
    /// Our standing with the coordination server changed.
    StandingChanged(Standing),
    /// Who we are signed in as.
    SignedInAs(String),
    /// The server refused, in its words.
    Refused(String),
    /// The server's clock.
    ControlTime(UnixTime),
    /// The server wants to know whether we are there: an HTTP HEAD to this URL.
    PingRequested {
        /// Where to.
        url: String,
        /// Through the control channel rather than beside it.
        through_channel: bool,
    },
    /// Store this node key: it is ours from now on. Relay links are made anew with it.
    KeyAdopted(NodePrivate),
    /// Forget the stored node key.
    KeyForgotten,
    /// The map changed.
    NetmapChanged,
    /// A netcheck report is ready.
    ReportReady,
    /// Look up the addresses of a host name, for [`crate::Node::handle_resolved`].
    Resolve(String),
    /// Time an HTTPS request to a relay region, for [`crate::Node::handle_https`].
    MeasureHttps(RegionId),
    /// Ask these upstream resolvers, for [`crate::Node::handle_dns_answer`].
    DnsForward {
        /// Names the query.
        id: u64,
        /// The query as it came.
        query: Vec<u8>,
        /// Whom to ask; the first answer wins.
        upstreams: Vec<String>,
    },
    /// A peer that may, or we ourselves, want this node to relay: see what can be set aside, then call
    /// [`crate::Node::answer_allocation`].
    PeerRelayWanted {
        /// Who asks.
        from: NodePublic,
        /// For which pair.
        request: AllocateRequest,
    },
    /// A ping of a person is done.
    PingDone {
        /// Which.
        token: PingToken,
        /// What became of it.
        outcome: Result<PingAnswer, PingFailure>,
    },
}

/// Names a ping of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PingToken(pub u64);

/// How to ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PingKind {
    /// Below the tunnel, over all ways: tells which way is best.
    Disco,
    /// Inside the tunnel, answered by the peer's client.
    Tsmp,
    /// Inside the tunnel, answered by the peer's host.
    Icmp,
}

/// An answer to a ping.
#[derive(Clone, Debug, PartialEq)]
pub struct PingAnswer {
    /// Who answered.
    pub peer: NodePublic,
    /// There and back.
    pub latency: Duration,
    /// By which way; known of disco pings.
    pub way: Option<Way>,
    /// The port of the peer's own API, which TSMP tells.
    pub peerapi_port: Option<u16>,
}

/// Why a ping got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PingFailure {
    /// The address is not in the map.
    #[error("no node of this network has the address {0}")]
    NoSuchNode(IpAddr),
    /// The address is our own.
    #[error("{0} is this machine")]
    Ourselves(IpAddr),
    /// It cannot be sent.
    #[error("{0}")]
    NotSent(String),
    /// Nothing came back in time.
    #[error("no answer")]
    TimedOut,
    /// Too many pings wait already.
    #[error("too many pings wait for their answers")]
    TooMany,
}

/// Facts about ourselves for a status.
#[derive(Clone, Debug)]
pub struct SelfStatus {
    /// Our path discovery key; `None` before we have a node key.
    pub disco: Option<DiscoPublic>,
    /// Our home region.
    pub home: Option<RegionId>,
    /// Whether the home relay is connected.
    pub home_connected: bool,
}
