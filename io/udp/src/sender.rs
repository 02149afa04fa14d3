//! Sending from any thread.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use quinn_udp::{Transmit, UdpSockRef};

use crate::limits::{PAYLOAD_MAX, ROOM_WAIT};
use crate::socket::Socket;
use crate::sockets::{Core, Pair};

/// Sends datagrams. Clones are cheap.
#[derive(Clone)]
pub struct UdpSender {
    core: Arc<Core>,
}

/// What became of a datagram, as far as this host knows. None of it is an error to act on: the network loses
/// datagrams too. It is for counting, and for telling people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The host took it.
    Yes,
    /// The socket had no room.
    Full,
    /// The host has no way there: no route, no such address family.
    NoRoute,
    /// It does not fit the link and may not be cut.
    TooLarge,
    /// The host forbids it: a firewall, or a socket that outlived its network.
    Forbidden,
    /// The host has lost the address that the socket would send from.
    NoSource,
    /// The host refused it for another reason.
    Refused,
}

impl UdpSender {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Sends one datagram or drops it. Never waits.
    pub fn send(&self, to: SocketAddr, packet: &[u8]) -> Sent {
        let pair = self.core.pair.load();
        let Some(socket) = socket_for(&pair, to) else { return Sent::NoRoute };
        outcome(transmit(socket, to, packet, None))
    }

    /// Sends datagrams of `segment` bytes that lie one behind the other (the last may be shorter), in as few calls as
    /// the kernel allows. Waits a moment for room in the socket: for data threads. What became of the last one that
    /// was not taken, else `Yes`.
    pub fn send_segments(&self, to: SocketAddr, packets: &[u8], segment: usize) -> Sent {
        let pair = self.core.pair.load();
        let Some(socket) = socket_for(&pair, to) else { return Sent::NoRoute };
        if segment == 0 {
            return Sent::Yes;
        }
        let mut result = Sent::Yes;
        let mut rest = packets;
        while !rest.is_empty() {
            let segments = socket.state.max_gso_segments().min(PAYLOAD_MAX / segment).max(1);
            let (run, after) = rest.split_at(rest.len().min(segments.saturating_mul(segment)));
            rest = after;
            match outcome(transmit_waiting(socket, to, run, segment)) {
                Sent::Yes => {}
                // The kernel or the card refused the run as a whole: each datagram by itself may still go.
                Sent::TooLarge | Sent::Refused if run.len() > segment => {
                    for packet in run.chunks(segment) {
                        match outcome(transmit_waiting(socket, to, packet, segment)) {
                            Sent::Yes => {}
                            other => result = other,
                        }
                    }
                }
                other => result = other,
            }
        }
        result
    }
}

fn socket_for(pair: &Pair, to: SocketAddr) -> Option<&Socket> {
    if to.is_ipv4() { pair.v4.as_ref() } else { pair.v6.as_ref() }
}

fn transmit(socket: &Socket, to: SocketAddr, contents: &[u8], segment_size: Option<usize>) -> io::Result<()> {
    let transmit = Transmit { destination: to, ecn: None, contents, segment_size, src_ip: None };
    socket.state.try_send(UdpSockRef::from(&socket.io), &transmit)
}

/// As [`transmit`], but waits once for room.
fn transmit_waiting(socket: &Socket, to: SocketAddr, run: &[u8], segment: usize) -> io::Result<()> {
    let segment_size = (run.len() > segment).then_some(segment);
    match transmit(socket, to, run, segment_size) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            let mut room = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
            let wait = PollTimeout::try_from(ROOM_WAIT).unwrap_or(PollTimeout::ZERO);
            match poll(&mut room, wait) {
                Ok(1..) => transmit(socket, to, run, segment_size),
                Ok(_) | Err(_) => Err(error),
            }
        }
        other => other,
    }
}

fn outcome(result: io::Result<()>) -> Sent {
    match result {
        Ok(()) => Sent::Yes,
        Err(error) => match error.raw_os_error() {
            Some(nix::libc::EAGAIN | nix::libc::ENOBUFS | nix::libc::ENOMEM) => Sent::Full,
            Some(nix::libc::ENETUNREACH | nix::libc::EHOSTUNREACH | nix::libc::EAFNOSUPPORT | nix::libc::ENETDOWN) => {
                Sent::NoRoute
            }
            Some(nix::libc::EADDRNOTAVAIL) => Sent::NoSource,
            Some(nix::libc::EPERM | nix::libc::EACCES) => Sent::Forbidden,
            Some(nix::libc::EMSGSIZE) => Sent::TooLarge,
            _ => Sent::Refused,
        },
    }
}

impl std::fmt::Debug for UdpSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UdpSender").finish_non_exhaustive()
    }
}
