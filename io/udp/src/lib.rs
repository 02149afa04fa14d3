//! UDP sockets in batches.
//!
//! What it is: the node's outer sockets, one for IPv4 and one for IPv6 behind one port number, with the kernel's
//! offloads (GSO to send, GRO to receive), large buffers and the mark that keeps our packets out of our own tunnel.
//! What it is not: asynchronous. Data threads block here; the event loop only sends, and sending never waits unless
//! asked to ([`UdpSender::send_segments`]).
//! How to drive it: [`UdpSockets::bind`]; give a [`UdpReceiver`] to the thread that reads and clones of [`UdpSender`]
//! to whoever writes. On a network change call [`UdpSockets::rebind`]: both go on working.
//! Invariants: a datagram is sent or dropped whole. After [`UdpSockets::stop`] no receiver stays blocked.
#![deny(unsafe_code)]

mod batch;
mod gso;
mod receiver;
mod sender;
mod socket;
mod sockets;

pub use batch::{Batch, Group};
pub use receiver::UdpReceiver;
pub use sender::{Sent, UdpSender};
pub use sockets::{Bind, UdpError, UdpSockets};

/// Limits of this crate.
mod limits {
    use std::time::Duration;

    /// Kernel buffers, each way: what bursts at several Gbit/s need (tailscale `magicsock.go` `socketBufferSize`).
    pub(crate) const SOCKET_BUFFER: usize = 7 << 20;
    /// Buffers that one receive call may fill, each with a run of datagrams of one sender.
    pub(crate) const GROUPS: usize = 16;
    /// The largest run that GRO makes: 64 KiB, the largest IP packet.
    pub(crate) const GROUP_BYTES: usize = 1 << 16;
    /// The largest UDP payload, for IPv4 (65,535 less the IP and UDP headers); a GSO message may not be larger.
    pub(crate) const PAYLOAD_MAX: usize = 65_507;
    /// How long a data thread waits for room in the socket before it drops: a link that is stuck longer is down.
    pub(crate) const ROOM_WAIT: Duration = Duration::from_millis(100);
    /// Destinations behind links too small for a run that are remembered: few peers have such at one time.
    pub(crate) const SMALL_DESTINATIONS: usize = 8;
    /// Errors in a row (ICMP answers to earlier datagrams) that a receiver skips before it says so.
    pub(crate) const ERRORS_IN_A_ROW: usize = 64;
}
