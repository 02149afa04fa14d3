//! What a call causes.

use std::net::SocketAddr;

use wattle_netmap::RegionId;

/// Effects of calls, for the driver to carry out in order and then clear.
#[derive(Debug, Default)]
pub struct Out {
    /// STUN requests, to be sent from the data socket.
    pub transmits: Vec<Transmit>,
    /// Facts to act on.
    pub events: Vec<Event>,
}

/// A packet to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// The whole UDP payload.
    pub packet: Vec<u8>,
}

/// Something that the driver must do or know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Look the name of a relay up, then call [`crate::Netcheck::handle_resolved`].
    Resolve {
        /// The name.
        host: String,
    },
    /// Time a `GET /derp/latency-check` at a relay of the region, then call [`crate::Netcheck::handle_https`].
    MeasureHttps {
        /// The region.
        region: RegionId,
    },
    /// A run has ended: [`crate::Netcheck::report`] is new.
    ReportReady,
    /// [`crate::Netcheck::endpoints`] is as good as it gets now. Follows each run.
    EndpointsRefreshed {
        /// Whether it differs from before: then control has to know.
        changed: bool,
    },
    /// The home region is another one.
    HomeChanged(Option<RegionId>),
}
