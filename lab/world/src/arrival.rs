//! What can reach a host.

use std::net::SocketAddr;
use std::time::Duration;

use crate::nat::{Mapped, MappingRefused};
use crate::{ConnectionId, HostId};

/// Something reached a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Which host.
    pub host: HostId,
    /// What.
    pub cargo: Cargo,
}

/// What can reach a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cargo {
    /// A datagram.
    Datagram {
        /// The source as the receiver sees it.
        from: SocketAddr,
        /// The local address and port.
        to: SocketAddr,
        /// The local port.
        port: u16,
        /// The payload.
        bytes: Vec<u8>,
    },
    /// A datagram that the host sent was too big for a link (ICMP).
    TooBig {
        /// Where it was sent to.
        to: SocketAddr,
        /// From which local port.
        port: u16,
        /// The largest IP packet that passes there.
        mtu: u16,
    },
    /// The gateway answers to a request for a mapping.
    MappingAnswer {
        /// The inside port.
        port: u16,
        /// What it says.
        answer: Result<Mapped, MappingRefused>,
    },
    /// Somebody connected to a port that the host listens on.
    Accepted {
        /// The host's end.
        connection: ConnectionId,
        /// Who, as the host sees it.
        from: SocketAddr,
        /// The local port.
        port: u16,
    },
    /// A connection that the host wanted is there.
    Connected {
        /// The host's end.
        connection: ConnectionId,
    },
    /// A connection that the host wanted will not be.
    Refused {
        /// The host's end, which is gone.
        connection: ConnectionId,
        /// Why.
        cause: Cause,
    },
    /// A message over a connection.
    Message {
        /// The host's end.
        connection: ConnectionId,
        /// The payload.
        bytes: Vec<u8>,
    },
    /// The other end closed the connection.
    Closed {
        /// The host's end, which is gone.
        connection: ConnectionId,
    },
    /// The connection broke.
    Broken {
        /// The host's end, which is gone.
        connection: ConnectionId,
        /// How.
        cause: Cause,
    },
    /// An interface or an address came or went, as the kernel would tell.
    NetworkChanged,
    /// The host woke up.
    Woke {
        /// For how long it slept.
        slept: Duration,
    },
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The other end, or something on the way, knows nothing of it.
    Reset,
    /// Nothing was heard for too long.
    TimedOut,
    /// The host's own address is gone.
    AddressGone,
    /// The host has no address to send from.
    NoRoute,
    /// Nobody listens there.
    Refused,
}
