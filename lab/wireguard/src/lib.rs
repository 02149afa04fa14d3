//! One WireGuard peer in a process.
//!
//! What it is: `wattle-tunnel` on a UDP socket with one fixed peer, and an address inside the tunnel that answers pings: as
//! little as is needed to meet another implementation.
//! What it is not: the node's data path. It has no TUN, no routes and one thread.
//! How to drive it: [`Endpoint::new`] inside the network that the socket should be in, then [`Endpoint::ping`] or
//! [`Endpoint::serve`].
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wattle_keys::{NodePrivate, NodePublic};
use wattle_packet::{IcmpMessage, IpPacket, build, protocol};
use wattle_time::{Instant, UnixTime};
use wattle_tunnel::{Event, HEADER_LENGTH, Opener, Out, PeerStatus, Tunnels, receiver_index};

/// How long one wait on the socket lasts at most: timers are looked at in between.
const TICK: Duration = Duration::from_millis(50);

/// Our end of one tunnel.
pub struct Endpoint {
    tunnels: Tunnels,
    openers: BTreeMap<u32, Arc<Opener>>,
    socket: UdpSocket,
    peer: NodePublic,
    /// Where the peer was last heard, or should be.
    to: Option<SocketAddr>,
    inside: IpAddr,
    started: std::time::Instant,
    /// Echo replies that came: identifier and sequence number.
    echoes: Vec<(u16, u16)>,
    /// Messages that did not open.
    pub refused: u64,
}

impl Endpoint {
    /// An end with the tunnel address `inside`. Without `to` it waits for the peer to begin.
    pub fn new(
        private: NodePrivate,
        peer: NodePublic,
        psk: Option<[u8; 32]>,
        socket: UdpSocket,
        to: Option<SocketAddr>,
        inside: IpAddr,
    ) -> io::Result<Self> {
        socket.set_read_timeout(Some(TICK))?;
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        let wall = UnixTime::EPOCH.plus(since_epoch);
        // Interop tests want different handshakes each time; the public key and the time make them different enough.
        let mut seed = *peer.as_bytes();
        seed[..16].copy_from_slice(&since_epoch.as_nanos().to_le_bytes());
        let mut tunnels = Tunnels::new(private, seed, Instant::ORIGIN, wall);
        tunnels.upsert_peer(peer, psk);
        Ok(Self {
            tunnels,
            openers: BTreeMap::new(),
            socket,
            peer,
            to,
            inside,
            started: std::time::Instant::now(),
            echoes: Vec::new(),
            refused: 0,
        })
    }

    /// Pings an address behind the peer; whether the answer came in time.
    pub fn ping(&mut self, address: IpAddr, sequence: u16, patience: Duration) -> io::Result<bool> {
        const IDENTIFIER: u16 = 0x7761;
        let mut packet = Vec::new();
        build::icmp_echo_request(self.inside, address, (IDENTIFIER, sequence), b"wattle", &mut packet)
            .map_err(io::Error::other)?;
        let mut out = Out::default();
        self.tunnels.send(&self.peer, &packet, self.now(), &mut out).map_err(io::Error::other)?;
        self.carry_out(out)?;
        self.run(patience, |endpoint| endpoint.echoes.contains(&(IDENTIFIER, sequence)))
    }

    /// Answers pings for a while, or until `done` says so.
    pub fn serve(&mut self, patience: Duration, done: impl Fn() -> bool) -> io::Result<bool> {
        self.run(patience, |_| done())
    }

    /// What the tunnel knows of the peer.
    pub fn status(&self) -> PeerStatus {
        self.tunnels.status(&self.peer).unwrap_or_default()
    }

    fn now(&self) -> Instant {
        Instant::ORIGIN + self.started.elapsed()
    }

    fn run(&mut self, patience: Duration, done: impl Fn(&Self) -> bool) -> io::Result<bool> {
        let end = std::time::Instant::now() + patience;
        let mut buffer = [0; 65_536];
        while !done(self) {
            if std::time::Instant::now() >= end {
                return Ok(false);
            }
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => self.take_in(&mut buffer[..length], from)?,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
            let mut out = Out::default();
            self.tunnels.handle_timeout(self.now(), &mut out);
            self.carry_out(out)?;
        }
        Ok(true)
    }

    fn take_in(&mut self, message: &mut [u8], from: SocketAddr) -> io::Result<()> {
        let mut out = Out::default();
        let now = self.now();
        let Some(index) = receiver_index(message) else {
            self.to = Some(from);
            self.tunnels.handle_message(from.to_string().as_bytes(), message, now, &mut out);
            return self.carry_out(out);
        };
        let Some(Ok(opened)) = self.openers.get(&index).map(|opener| opener.open(message)) else {
            self.refused += 1;
            return Ok(());
        };
        self.to = Some(from);
        self.tunnels.note_traffic(&self.peer, now, &mut out);
        if let Ok(packet) = IpPacket::parse(&message[HEADER_LENGTH..][..opened.length]) {
            let mut reply = Vec::new();
            if build::icmp_echo_reply(&packet, &mut reply) {
                self.tunnels.send(&self.peer, &reply, now, &mut out).map_err(io::Error::other)?;
            } else if packet.protocol() == protocol::ICMP
                && let Some(echo) = IcmpMessage::of(&packet).filter(IcmpMessage::is_echo_reply)
            {
                self.echoes.push(echo.echo_id());
            }
        }
        self.carry_out(out)
    }

    fn carry_out(&mut self, out: Out) -> io::Result<()> {
        for event in out.events {
            match event {
                Event::OpenerReady { receiver_index, opener, .. } => drop(self.openers.insert(receiver_index, opener)),
                Event::OpenerGone { receiver_index, .. } => drop(self.openers.remove(&receiver_index)),
                Event::SealerReady { .. }
                | Event::SealerGone { .. }
                | Event::UnknownPeer { .. }
                | Event::HandshakeFailed { .. } => {}
            }
        }
        for transmit in out.transmits {
            if let Some(to) = self.to {
                self.socket.send_to(&transmit.message, to)?;
            }
        }
        Ok(())
    }
}
