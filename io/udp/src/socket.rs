//! One socket of one address family, set up.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use quinn_udp::{UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};

use crate::gso::Gso;
use crate::limits::SOCKET_BUFFER;

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// A bound, non-blocking socket and what is known about its offloads.
pub(crate) struct Socket {
    pub(crate) io: UdpSocket,
    pub(crate) state: UdpSocketState,
    pub(crate) gso: Gso,
    port: u16,
}

impl Socket {
    /// Binds the wildcard address of the family at `port`. `shared`: the port may be held by a socket of ours that
    /// [`share_port`](Self::share_port) was called on.
    pub(crate) fn bind(family: Family, port: u16, mark: Option<u32>, shared: bool) -> io::Result<Self> {
        let (domain, wildcard) = match family {
            Family::V4 => (Domain::IPV4, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            Family::V6 => (Domain::IPV6, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        };
        let socket = RawSocket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if family == Family::V6 {
            socket.set_only_v6(true)?;
        }
        if let Some(mark) = mark {
            socket.set_mark(mark)?;
        }
        // Beyond the system's limit when we may, else as far as it goes; too small a buffer is no reason to fail.
        if setsockopt(&socket, sockopt::RcvBufForce, &SOCKET_BUFFER).is_err() {
            let _small: io::Result<()> = socket.set_recv_buffer_size(SOCKET_BUFFER);
        }
        if setsockopt(&socket, sockopt::SndBufForce, &SOCKET_BUFFER).is_err() {
            let _small: io::Result<()> = socket.set_send_buffer_size(SOCKET_BUFFER);
        }
        socket.set_reuse_port(shared)?;
        socket.bind(&SocketAddr::new(wildcard, port).into())?;
        socket.set_reuse_port(false)?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let io: UdpSocket = socket.into();
        allow_fragments(io.as_fd(), family);
        let port = io.local_addr()?.port();
        let gso = Gso::new(state.max_gso_segments());
        Ok(Self { io, state, gso, port })
    }

    /// The bound port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Lets the socket that replaces this one bind the same port while this one is still open.
    pub(crate) fn share_port(&self) -> io::Result<()> {
        socket2::SockRef::from(&self.io).set_reuse_port(true)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

/// Takes back what `quinn-udp` sets for QUIC's path MTU probes: with a fixed tunnel MTU a datagram that is too large for
/// some link must be cut, not refused. For IPv4 any router on the way may cut it, so that one that drops in silence what
/// is too large is no black hole; for IPv6 the host does when it learns of it. Where an option is missing nothing was
/// refused either.
#[expect(unsafe_code, reason = "neither nix nor socket2 has these two options")]
fn allow_fragments(socket: BorrowedFd<'_>, family: Family) {
    let set = |level: libc::c_int, name: libc::c_int, value: libc::c_int| {
        // SAFETY: the descriptor is open while borrowed; the kernel reads one c_int from `value`, which outlives the call.
        let _result: libc::c_int = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                level,
                name,
                std::ptr::from_ref(&value).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
    };
    set(libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DONT);
    if family == Family::V6 {
        set(libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_WANT);
        set(libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, 0);
    }
}
