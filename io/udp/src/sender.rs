//! Sending from any thread.

use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};

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
        outcome(transmit(socket, to, packet))
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
            let segments = socket.gso.segments_to(to).min(PAYLOAD_MAX / segment).max(1);
            let (run, after) = rest.split_at(rest.len().min(segments.saturating_mul(segment)));
            rest = after;
            let sent = if run.len() <= segment {
                outcome(waiting(socket, || transmit(socket, to, run)))
            } else {
                match waiting(socket, || transmit_run(socket, to, run, segment)) {
                    Err(error) if socket.gso.note_refusal(to, &error) => each(socket, to, run, segment),
                    sent => outcome(sent),
                }
            };
            if sent != Sent::Yes {
                result = sent;
            }
        }
        result
    }
}

fn socket_for(pair: &Pair, to: SocketAddr) -> Option<&Socket> {
    if to.is_ipv4() { pair.v4.as_ref() } else { pair.v6.as_ref() }
}

/// The datagrams of a run one by one: what a link cannot carry whole the kernel cuts.
fn each(socket: &Socket, to: SocketAddr, run: &[u8], segment: usize) -> Sent {
    run.chunks(segment).fold(Sent::Yes, |result, packet| {
        match outcome(waiting(socket, || transmit(socket, to, packet))) {
            Sent::Yes => result,
            other => other,
        }
    })
}

fn transmit(socket: &Socket, to: SocketAddr, packet: &[u8]) -> io::Result<()> {
    socket.io.send_to(packet, to).map(drop)
}

/// A run of datagrams of `segment` bytes in one call.
fn transmit_run(socket: &Socket, to: SocketAddr, run: &[u8], segment: usize) -> io::Result<()> {
    let size = u16::try_from(segment).map_err(|_| io::Error::from_raw_os_error(libc::EMSGSIZE))?;
    let (parts, address) = ([IoSlice::new(run)], SockaddrStorage::from(to));
    let segments = [ControlMessage::UdpGsoSegments(&size)];
    sendmsg(socket.io.as_raw_fd(), &parts, &segments, MsgFlags::empty(), Some(&address))?;
    Ok(())
}

/// Does it, and once more when the socket has room if there was none.
fn waiting(socket: &Socket, send: impl Fn() -> io::Result<()>) -> io::Result<()> {
    match send() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            let mut room = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
            let wait = PollTimeout::try_from(ROOM_WAIT).unwrap_or(PollTimeout::ZERO);
            match poll(&mut room, wait) {
                Ok(1..) => send(),
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
            Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => Sent::Full,
            Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EAFNOSUPPORT | libc::ENETDOWN) => Sent::NoRoute,
            Some(libc::EADDRNOTAVAIL) => Sent::NoSource,
            Some(libc::EPERM | libc::EACCES) => Sent::Forbidden,
            Some(libc::EMSGSIZE) => Sent::TooLarge,
            _ => Sent::Refused,
        },
    }
}

impl std::fmt::Debug for UdpSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UdpSender").finish_non_exhaustive()
    }
}
