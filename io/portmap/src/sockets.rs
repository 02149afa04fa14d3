//! The two sockets: one that asks, one that hears what routers announce.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use wattle_portmap_core::ANNOUNCEMENT_PORT;

/// The socket for questions and their answers.
pub(crate) fn asking(mark: Option<u32>) -> io::Result<UdpSocket> {
    let socket = open(mark)?;
    // One hop is enough for any home router; SSDP wants two (UPnP Device Architecture 1.1, section 1.3.2).
    socket.set_multicast_ttl_v4(2)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0).into())?;
    UdpSocket::from_std(socket.into())
}

/// The socket for announcements, which all programs of a host share. The group of all hosts needs no joining.
pub(crate) fn announcements(mark: Option<u32>) -> io::Result<UdpSocket> {
    let socket = open(mark)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, ANNOUNCEMENT_PORT).into())?;
    UdpSocket::from_std(socket.into())
}

fn open(mark: Option<u32>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    if let Some(mark) = mark {
        socket.set_mark(mark)?;
    }
    Ok(socket)
}
