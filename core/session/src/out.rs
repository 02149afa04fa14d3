//! What a call causes.

use std::time::Duration;

use wattle_keys::{NodePrivate, NodePublic};
use wattle_netmap::Delta;
use wattle_time::UnixTime;

use crate::Standing;

/// Effects of calls, for the driver to carry out in order and then clear.
#[derive(Debug, Default)]
pub struct Out {
    /// Requests to send over the connection.
    pub requests: Vec<Request>,
    /// Requests whose answers are of no use any more.
    pub cancels: Vec<RequestId>,
    /// Changes of the map, in order.
    pub deltas: Vec<Delta>,
    /// Facts to act on.
    pub events: Vec<Event>,
}

/// Names a request. Answers to names that are no longer known are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A POST to the coordination server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its name.
    pub id: RequestId,
    /// How long its answer takes.
    pub kind: Kind,
    /// Where to.
    pub path: &'static str,
    /// Whose request it is, for load balancers.
    pub node: NodePublic,
    /// The JSON.
    pub body: Vec<u8>,
}

/// How long an answer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Soon.
    Once,
    /// When a person has done something: the server holds it open.
    Held,
    /// Frames without end.
    Stream,
}

/// The answer to a request, or to a stream that was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// When to try again, if the server says so.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

/// Something that others must know.
#[derive(Clone, Debug)]
pub enum Event {
    /// Dial once.
    Connect,
    /// Close the connection.
    Disconnect,
    /// Find out whether the connection still works, and say that it broke if not.
    Check,
    /// Our standing changed.
    StandingChanged(Standing),
    /// A person must open this page.
    BrowseTo(String),
    /// This key is ours from now on; store it.
    KeyAdopted(NodePrivate),
    /// We have no key any more.
    KeyForgotten,
    /// Who we are signed in as.
    SignedInAs(String),
    /// The server refused us, in its words.
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
}
