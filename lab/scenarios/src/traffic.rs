//! What the hosts say to each other over the tailnet, and what became of it. Everything is UDP inside the tunnel; which
//! packet it was stands in its payload.

mod transfer;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use wattle_packet::{IpPacket, UdpDatagram, build};
use wattle_time::Instant;

pub(crate) use transfer::Transfer;

/// Where single packets go. Nobody sends from it, so that no packet looks like an answer to another.
const SAY_PORT: u16 = 9;
/// Where transfers go; acknowledgements come from it, as answers.
const TRANSFER_PORT: u16 = 7;
const FIRST_PORT: u16 = 10_000;

/// One packet that was said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) at: Instant,
    /// When it came first, if it did.
    pub(crate) came: Option<Instant>,
}

/// Somebody who says something again and again.
struct Tell {
    from: usize,
    to: usize,
    next: Instant,
    end: Instant,
    every: Duration,
    size: u16,
}

/// A packet that a host wants to send.
pub(crate) struct Wanted {
    pub(crate) from: usize,
    pub(crate) to: usize,
    ports: (u16, u16),
    payload: Vec<u8>,
}

/// All of it.
#[derive(Default)]
pub(crate) struct Traffic {
    pub(crate) said: Vec<Said>,
    pub(crate) transfers: Vec<Transfer>,
    tells: Vec<Tell>,
    /// Packets that came to one they were not for, or twice.
    pub(crate) astray: Vec<String>,
    /// Who talked to whom, and from when on without a pause.
    pub(crate) steady: BTreeMap<(usize, usize), (Instant, Instant)>,
}

impl Traffic {
    pub(crate) fn say(&mut self, from: usize, to: usize, size: u16, now: Instant) -> Wanted {
        let number = self.said.len() as u64;
        self.said.push(Said { from, to, at: now, came: None });
        let steady = self.steady.entry((from, to)).or_insert((now, now));
        if now.since(steady.1) > Duration::from_secs(2) {
            steady.0 = now;
        }
        steady.1 = now;
        let mut payload = number.to_be_bytes().to_vec();
        payload.resize(usize::from(size).max(payload.len()), 0);
        Wanted { from, to, ports: (FIRST_PORT + to as u16, SAY_PORT), payload }
    }

    pub(crate) fn tell(&mut self, from: usize, to: usize, end: Instant, every: Duration, size: u16, now: Instant) {
        self.tells.push(Tell { from, to, next: now, end, every, size });
    }

    pub(crate) fn transfer(&mut self, from: usize, to: usize, bytes: u32, now: Instant) {
        self.transfers.push(Transfer::new(from, to, bytes, now));
    }

    pub(crate) fn hush(&mut self) {
        self.tells.clear();
        self.transfers.iter_mut().for_each(Transfer::give_up);
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let tells = self.tells.iter().map(|tell| tell.next);
        tells.chain(self.transfers.iter().filter_map(Transfer::next_timeout)).min()
    }

    /// What is to be said now.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Vec<Wanted> {
        let mut due = Vec::new();
        for tell in &mut self.tells {
            if tell.next <= now {
                due.push((tell.from, tell.to, tell.size));
                tell.next = now + tell.every;
            }
        }
        self.tells.retain(|tell| tell.next < tell.end);
        let mut wanted: Vec<Wanted> = due.into_iter().map(|(from, to, size)| self.say(from, to, size, now)).collect();
        for (number, transfer) in self.transfers.iter_mut().enumerate() {
            for payload in transfer.handle_timeout(now) {
                let ports = (FIRST_PORT + number as u16, TRANSFER_PORT);
                wanted.push(Wanted { from: transfer.from, to: transfer.to, ports, payload });
            }
        }
        wanted
    }

    /// A packet came out of a node's tunnel. The result is what its host answers.
    pub(crate) fn arrived(&mut self, at: usize, packet: &[u8], now: Instant) -> Option<Wanted> {
        let packet = IpPacket::parse(packet).ok()?;
        let datagram = UdpDatagram::parse(packet.payload())?;
        let ports = datagram_ports(packet.payload())?;
        if ports.1 == SAY_PORT {
            let number = u64::from_be_bytes(*datagram.payload().first_chunk()?) as usize;
            match self.said.get_mut(number) {
                Some(said) if said.to == at && said.came.is_none() => said.came = Some(now),
                Some(said) => {
                    let what = if said.to == at { "twice" } else { "to another" };
                    self.astray
                        .push(format!("packet {number} from {} for {} came {what}, at {at}", said.from, said.to));
                }
                None => self.astray.push(format!("a packet that nobody said came at {at}")),
            }
            return None;
        }
        if ports.1 == TRANSFER_PORT {
            let number = ports.0.checked_sub(FIRST_PORT)?;
            let transfer = self.transfers.get_mut(usize::from(number))?;
            let payload = transfer.handle_segment(datagram.payload(), now)?;
            return Some(Wanted { from: transfer.to, to: transfer.from, ports: (TRANSFER_PORT, ports.0), payload });
        }
        if ports.0 == TRANSFER_PORT {
            let number = ports.1.checked_sub(FIRST_PORT)?;
            self.transfers.get_mut(usize::from(number))?.handle_acknowledgement(datagram.payload(), now);
        }
        None
    }
}

impl Wanted {
    /// The IP packet.
    pub(crate) fn packet(&self, from: IpAddr, to: IpAddr) -> Option<Vec<u8>> {
        let (from, to) = (SocketAddr::new(from, self.ports.0), SocketAddr::new(to, self.ports.1));
        let mut packet = Vec::new();
        build::udp(from, to, &self.payload, &mut packet).ok()?;
        Some(packet)
    }
}

fn datagram_ports(datagram: &[u8]) -> Option<(u16, u16)> {
    let [a, b, c, d] = datagram.first_chunk::<4>()?;
    Some((u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])))
}
