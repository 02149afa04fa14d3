//! HTTP on a unix socket, with the caller's credentials.
//!
//! What it is: both ends of the LocalAPI: the daemon's server, which knows who calls because the kernel says so, and
//! the client that the command line uses. HTTP/1.1, the official `Host` and paths (tailscale `ipn/localapi`).
//! What it is not: the endpoints, nor the decision who may do what: a [`Handler`] gets request and
//! [`PeerCredentials`].
//! How to drive it: [`Server::bind`], then [`Server::serve`] with a handler until a shutdown future ends. [`Client`]
//! asks once ([`Client::request`]) or listens to a stream of lines ([`Client::watch`]).
//! Invariants: a request that a browser could have been made to send (`Origin`, `Referer`, foreign `Host`) never
//! reaches the handler. Bodies, connections and waiting have limits.
#![forbid(unsafe_code)]

mod body;
mod client;
mod credentials;
mod server;

pub mod respond;

pub use body::Body;
pub use client::{Client, ClientError, Lines, Reply};
pub use credentials::PeerCredentials;
pub use server::{BindError, Handler, Request, Response, Server};

/// Where the daemon listens unless told otherwise.
pub const SOCKET: &str = "/run/wattle/wattled.sock";

/// The `Host` of every request, as official clients write it (tailscale `apitype.LocalAPIHost`).
pub const HOST: &str = "local-tailscaled.sock";

/// Limits of this crate.
mod limits {
    use std::time::Duration;

    /// The largest request body: prefs and serve configurations are a few KiB.
    pub(crate) const REQUEST_BYTES: usize = 1 << 20;
    /// The largest answer that a client takes: the status of 10,000 peers is about 15 MiB.
    pub(crate) const REPLY_BYTES: usize = 64 << 20;
    /// The longest line of a stream that a client takes; one may carry a whole network map.
    pub(crate) const LINE_BYTES: usize = 64 << 20;
    /// Connections at once: a person's terminals, a tray icon, some scripts. As many again for those who may only read.
    pub(crate) const CONNECTIONS: usize = 64;
    /// How long a caller may take to send a request's head, and then its body.
    pub(crate) const REQUEST_WAIT: Duration = Duration::from_secs(10);
    /// How long connections may go on after a shutdown began.
    pub(crate) const SHUTDOWN_WAIT: Duration = Duration::from_secs(2);
    /// Headers of one request.
    pub(crate) const HEADERS: usize = 32;
    /// How long a client waits for the daemon to take its connection.
    pub(crate) const CONNECT_WAIT: Duration = Duration::from_secs(5);
}
