//! What a call causes.

use std::net::SocketAddrV4;

use crate::Mapping;

/// Effects of calls, for the driver to carry out in order and then clear.
#[derive(Debug, Default)]
pub struct Out {
    /// Datagrams to send from one socket, whose answers come back by [`crate::Mapper::handle_datagram`].
    pub transmits: Vec<(SocketAddrV4, Vec<u8>)>,
    /// HTTP requests to the router.
    pub requests: Vec<HttpRequest>,
    /// Facts.
    pub events: Vec<Event>,
}

/// Names a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpId(pub u64);

/// A request, for [`crate::Mapper::handle_http`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// Which.
    pub id: HttpId,
    /// Where to: always the router.
    pub to: SocketAddrV4,
    /// Path and query.
    pub path: String,
    /// The `SOAPAction` header and the XML to POST; `None`: a GET.
    pub action: Option<(String, String)>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The mapping is another one, or gone.
    MappingChanged(Option<Mapping>),
    /// What the router knows became known.
    SeenChanged,
    /// The router says something that cannot be; in words for a log.
    Implausible(String),
}
