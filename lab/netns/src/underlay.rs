//! What an observer beside a host's cable sees of the mesh: when the first data went out and came in over UDP, and how.
//!
//! It measures any client the same way, without asking it: DERP is TCP, so WireGuard's data in UDP is direct, or carried by
//! a peer relay when it stands behind a Geneve header (RFC 8926 with the protocol number of tailscale
//! `net/packet/geneve.go`, `GeneveProtocolWireGuard`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use nix::sys::socket::{
    AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, recvfrom, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

use crate::{Host, LabError};

/// How long the thread waits for a packet before it looks whether it should end.
const LOOK_US: i64 = 100_000;
/// Enough of a packet to know what it is.
const HEAD_BYTES: usize = 96;
const GENEVE_WIREGUARD: u16 = 0x7a12;
const TRANSPORT: [u8; 4] = [4, 0, 0, 0];
/// The smallest sealed packet of use: 48 bytes inside, a UDP packet with 8 bytes and its padding, and 32 around. What is
/// smaller is a keepalive or a node's own question to another one, perhaps to a third.
const SEALED_BYTES_MIN: usize = 80;
const UDP: u8 = 17;
/// `PACKET_OUTGOING` of `linux/if_packet.h`.
const OUTGOING: u8 = 4;

/// Data of one kind that was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// The first that was sent.
    pub first_out: Option<Instant>,
    /// The first that came.
    pub first_in: Option<Instant>,
    /// The last that was sent.
    pub last_out: Option<Instant>,
    /// The last that came.
    pub last_in: Option<Instant>,
    /// Whom it went to last.
    pub to: Option<IpAddr>,
}

#[derive(Default)]
struct Log {
    direct: Seen,
    peer_relay: Seen,
}

/// The observer. Dropping it ends it.
pub struct Underlay {
    log: Arc<Mutex<Log>>,
    stop: Arc<AtomicBool>,
}

impl Underlay {
    /// Watches a host from now on.
    pub fn watch(host: &Host) -> Result<Self, LabError> {
        let (log, stop) = (Arc::new(Mutex::new(Log::default())), Arc::new(AtomicBool::new(false)));
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (noted, stopped) = (Arc::clone(&log), Arc::clone(&stop));
        host.thread(move || {
            let opened = open();
            let told = ready.send(opened.as_ref().err().copied());
            if let (Ok(socket), Ok(())) = (opened, told) {
                listen(&socket, &noted, &stopped);
            }
        });
        match is_ready.recv() {
            Ok(None) => Ok(Self { log, stop }),
            Ok(Some(error)) => Err(LabError::os("watching a host's packets", error)),
            Err(_gone) => Err(LabError::os("watching a host's packets", nix::Error::ENODEV)),
        }
    }

    /// What went directly.
    pub fn direct(&self) -> Seen {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).direct
    }

    /// What went through a peer relay.
    pub fn peer_relay(&self) -> Seen {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).peer_relay
    }
}

impl Seen {
    /// When data had gone both ways.
    pub fn both_ways(&self) -> Option<Instant> {
        Some(self.first_out?.max(self.first_in?))
    }

    /// Whether data has gone both ways since a moment.
    pub fn since(&self, when: Instant) -> bool {
        self.last_out.is_some_and(|last| last >= when) && self.last_in.is_some_and(|last| last >= when)
    }
}

impl Drop for Underlay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A socket that sees what every interface of the namespace carries, from the network layer on.
fn open() -> nix::Result<std::os::fd::OwnedFd> {
    let socket = socket(AddressFamily::Packet, SockType::Datagram, SockFlag::empty(), SockProtocol::EthAll)?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(0, LOOK_US))?;
    Ok(socket)
}

fn listen(socket: &std::os::fd::OwnedFd, log: &Mutex<Log>, stop: &AtomicBool) {
    let mut head = [0; HEAD_BYTES];
    while !stop.load(Ordering::Relaxed) {
        let received = recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut head);
        let Ok((length, Some(from))) = received else { continue };
        let now = Instant::now();
        let Some(packet) = Packet::read(&head[..length]) else { continue };
        let outgoing = from.pkttype() == OUTGOING;
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = if packet.relayed { &mut log.peer_relay } else { &mut log.direct };
        if outgoing {
            seen.first_out.get_or_insert(now);
            seen.last_out = Some(now);
            seen.to = Some(packet.to);
        } else {
            seen.first_in.get_or_insert(now);
            seen.last_in = Some(now);
        }
    }
}

/// WireGuard's data in a UDP packet of the underlay.
struct Packet {
    to: IpAddr,
    relayed: bool,
}

impl Packet {
    fn read(packet: &[u8]) -> Option<Self> {
        let (to, udp) = match packet.first()? >> 4 {
            4 if packet.get(9) == Some(&UDP) => {
                let length = usize::from(packet[0] & 0xf) * 4;
                let to: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
                (IpAddr::V4(Ipv4Addr::from(to)), packet.get(length..)?)
            }
            6 if packet.get(6) == Some(&UDP) => {
                let to: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
                (IpAddr::V6(Ipv6Addr::from(to)), packet.get(40..)?)
            }
            _ => return None,
        };
        let payload = udp.get(8..)?;
        // The packet is cut here, its header says how long it was.
        let length = usize::from(u16::from_be_bytes([udp[4], udp[5]])).saturating_sub(8);
        if length < SEALED_BYTES_MIN {
            return None;
        }
        if payload.starts_with(&TRANSPORT) {
            return Some(Self { to, relayed: false });
        }
        let geneve = payload.get(..8)?;
        let options = usize::from(geneve[0] & 0x3f) * 4;
        let wireguard = u16::from_be_bytes([geneve[2], geneve[3]]) == GENEVE_WIREGUARD;
        let relayed = wireguard && geneve[0] >> 6 == 0 && payload.get(8 + options..)?.starts_with(&TRANSPORT);
        relayed.then_some(Self { to, relayed: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udp(payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, UDP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([0, 0, 0, 0, 0, 88, 0, 0]);
        packet.extend(payload);
        packet
    }

    #[test]
    fn data_is_told_from_disco_and_from_what_a_peer_relay_carries() {
        let direct = Packet::read(&udp(&[4, 0, 0, 0, 1, 2, 3, 4])).unwrap();
        assert!(!direct.relayed);
        assert_eq!(direct.to, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)));
        let relayed = Packet::read(&udp(&[0, 0, 0x7a, 0x12, 0, 0, 9, 0, 4, 0, 0, 0])).unwrap();
        assert!(relayed.relayed);
        assert!(Packet::read(&udp("TS💬 and more".as_bytes())).is_none());
        assert!(Packet::read(&udp(&[1, 0, 0, 0, 1, 2, 3, 4])).is_none());
        let mut keepalive = udp(&[4, 0, 0, 0, 1, 2, 3, 4]);
        keepalive[25] = 40;
        assert!(Packet::read(&keepalive).is_none());
        for length in 0..40 {
            let _no_panic = Packet::read(&udp(&[4; 12])[..length]);
        }
    }
}
