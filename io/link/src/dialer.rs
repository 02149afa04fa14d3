//! Outgoing connections: names, several addresses raced, an optional socket mark, TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use wattle_keys::NodePublic;

use crate::duplex::BoxedStream;
use crate::error::DialError;
use crate::limits::{ADDRESSES_MAX, CONNECT_MAX, CONNECT_STAGGER, DEAD_PEER, UNACKNOWLEDGED_MAX};
use crate::tls::{self, ClientTls, Trust};
use crate::url::Origin;

/// Makes outgoing connections.
#[derive(Clone, Debug)]
pub struct Dialer {
    tls: ClientTls,
    mark: Option<u32>,
}

/// A connection, and the address of ours that it goes out from.
pub(crate) struct Connected {
    pub(crate) stream: BoxedStream,
    pub(crate) local: IpAddr,
    /// The key of the relay there, if TLS told it.
    pub(crate) relay: Option<NodePublic>,
}

/// Where to connect, and whom to believe there.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Addresses to use instead of looking the host up.
    pub(crate) addresses: Vec<IpAddr>,
    /// `None`: no TLS.
    pub(crate) trust: Option<Trust>,
    /// How long one address may take to answer.
    pub(crate) connect_max: Duration,
}

impl Dialer {
    /// A dialer. The mark is set on each socket (`SO_MARK`), so that routing rules can keep our own connections out of
    /// the tunnel; setting one needs `CAP_NET_ADMIN`.
    pub fn new(tls: ClientTls, mark: Option<u32>) -> Self {
        Self { tls, mark }
    }

    pub(crate) async fn connect(&self, target: &Target) -> Result<Connected, DialError> {
        let addresses = resolve(target).await?;
        let name = target.name();
        let unreachable = |error: io::Error| DialError::unreachable(&name, &error);
        let tcp = self.race(&addresses, target.connect_max).await.map_err(unreachable)?;
        let local = tcp.local_addr().map_err(unreachable)?.ip();
        let Some(trust) = &target.trust else { return Ok(Connected { stream: Box::new(tcp), local, relay: None }) };
        match timeout(CONNECT_MAX, tls::dial(&self.tls, trust, &target.host, tcp)).await {
            Ok(Ok(stream)) => {
                let session = stream.get_ref().1;
                let relay = tls::relay_key(session.protocol_version(), session.peer_certificates());
                Ok(Connected { stream: Box::new(stream), local, relay })
            }
            Ok(Err(error)) => Err(DialError::from_tls(&name, &target.host, &error)),
            Err(_) => Err(DialError::unreachable(&name, &io::ErrorKind::TimedOut.into())),
        }
    }

    /// Tries addresses, each with a head start over the next, until one answers (RFC 8305 section 5).
    async fn race(&self, addresses: &[SocketAddr], each_max: Duration) -> io::Result<TcpStream> {
        let mut waiting = addresses.iter().copied();
        let mut running = FuturesUnordered::new();
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        loop {
            if let Some(address) = waiting.next() {
                running.push(self.attempt(address, each_max));
            } else if running.is_empty() {
                return Err(last);
            }
            let more = waiting.len() > 0;
            tokio::select! {
                Some(result) = running.next() => match result {
                    Ok(tcp) => return Ok(tcp),
                    Err(error) => last = error,
                },
                () = sleep(CONNECT_STAGGER), if more => {}
            }
        }
    }

    async fn attempt(&self, address: SocketAddr, max: Duration) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(DEAD_PEER))?;
        #[cfg(target_os = "linux")]
        {
            socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
            if let Some(mark) = self.mark {
                socket.set_mark(mark)?;
            }
        }
        let connecting = TcpSocket::from_std_stream(socket.into()).connect(address);
        timeout(max, connecting).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Target {
    pub(crate) fn of_origin(origin: &Origin) -> Self {
        let trust = origin.secure.then(|| Trust::Name(origin.host.clone()));
        Self { host: origin.host.clone(), port: origin.port, addresses: Vec::new(), trust, connect_max: CONNECT_MAX }
    }

    /// Host and port, as people and `Host` headers write them.
    pub(crate) fn name(&self) -> String {
        Origin { secure: self.trust.is_some(), host: self.host.clone(), port: self.port }.authority()
    }
}

async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, DialError> {
    let unknown = |reason: String| DialError::UnknownName { host: target.host.clone(), reason };
    let found: Vec<SocketAddr> = if target.addresses.is_empty() {
        let looking = tokio::net::lookup_host((target.host.as_str(), target.port));
        match timeout(CONNECT_MAX, looking).await {
            Ok(Ok(found)) => found.collect(),
            Ok(Err(error)) => return Err(unknown(error.to_string())),
            Err(_) => return Err(unknown("the name servers do not answer".to_owned())),
        }
    } else {
        target.addresses.iter().map(|address| SocketAddr::new(*address, target.port)).collect()
    };
    if found.is_empty() {
        return Err(unknown("the name has no address".to_owned()));
    }
    Ok(interleaved(&found))
}

/// The families in turn, so that a broken one costs a head start only.
fn interleaved(found: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = found.iter().partition(|address| address.is_ipv6() == first_is_v6);
    let longest = first.len().max(second.len());
    let pairs = (0..longest).flat_map(|at| [first.get(at).copied(), second.get(at).copied()]);
    pairs.flatten().take(ADDRESSES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let v6: Vec<SocketAddr> = (1..=3).map(|n| format!("[2001:db8::{n}]:1").parse().unwrap()).collect();
        let v4: SocketAddr = "192.0.2.1:1".parse().unwrap();
        assert_eq!(interleaved(&[v6[0], v6[1], v6[2], v4]), [v6[0], v4, v6[1], v6[2]]);
        assert_eq!(interleaved(&[v4]), [v4]);
    }

    #[tokio::test]
    async fn an_address_that_refuses_gives_way_to_the_next() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refusing = closed.local_addr().unwrap();
        drop(closed);
        let dialer = Dialer::new(ClientTls::new().unwrap(), None);
        assert_eq!(dialer.race(&[refusing, open], CONNECT_MAX).await.unwrap().peer_addr().unwrap(), open);
        assert_eq!(dialer.race(&[refusing], CONNECT_MAX).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
