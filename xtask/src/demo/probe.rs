//! A steady stream of pings between two hosts, through the tunnel: small UDP packets that the other side returns.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::mesh::MeshHost;

const PORT: u16 = 7007;
const EVERY: Duration = Duration::from_millis(50);
/// A ping that is not answered by then is lost.
const LOST_AFTER: Duration = Duration::from_secs(2);

/// Pings from one host to another until it is dropped.
pub(crate) struct Probe {
    from: String,
    to: String,
    started: Instant,
    log: Arc<Mutex<Log>>,
    stop: Arc<AtomicBool>,
}

#[derive(Default)]
struct Log {
    pings: Vec<Ping>,
    path: Option<Path>,
    direct_at: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Ping {
    sent: Instant,
    round_trip: Option<Duration>,
}

/// How a pair's packets travel, as the node says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    Direct,
    Relay,
}

impl Probe {
    pub(crate) fn start(from: &MeshHost, to: &MeshHost) -> anyhow::Result<Self> {
        let (log, stop) = (Arc::new(Mutex::new(Log::default())), Arc::new(AtomicBool::new(false)));
        let target = to.address().context("a host that pings has joined")?;
        answer(to, target, Arc::clone(&stop));
        send(from, SocketAddr::new(target, PORT), Arc::clone(&log), Arc::clone(&stop));
        Ok(Self { from: from.name().to_owned(), to: to.name().to_owned(), started: Instant::now(), log, stop })
    }

    pub(crate) fn from(&self) -> &str {
        &self.from
    }

    pub(crate) fn to(&self) -> &str {
        &self.to
    }

    pub(crate) const fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn note_path(&self, path: Option<Path>) {
        let mut log = lock(&self.log);
        log.path = path;
        if path == Some(Path::Direct) && log.direct_at.is_none() {
            log.direct_at = Some(Instant::now());
        }
    }

    pub(crate) fn path(&self) -> Option<Path> {
        lock(&self.log).path
    }

    pub(crate) fn is_direct(&self) -> bool {
        self.path() == Some(Path::Direct)
    }

    pub(crate) fn direct_after(&self) -> Option<Duration> {
        lock(&self.log).direct_at.map(|at| at.duration_since(self.started))
    }

    pub(crate) fn has_answer(&self) -> bool {
        self.rtt().is_some()
    }

    pub(crate) fn answered_since(&self, when: Instant) -> bool {
        lock(&self.log).pings.iter().rev().take_while(|ping| ping.sent >= when).any(|ping| ping.round_trip.is_some())
    }

    /// The median of the last answers.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.rtt_before(Instant::now())
    }

    /// The median of the last answers to pings that were sent before a moment.
    pub(crate) fn rtt_before(&self, until: Instant) -> Option<Duration> {
        let log = lock(&self.log);
        let answers = log.pings.iter().rev().filter(|ping| ping.sent < until).filter_map(|ping| ping.round_trip);
        let mut last: Vec<Duration> = answers.take(21).collect();
        last.sort_unstable();
        last.get(last.len() / 2).copied()
    }

    /// Pings sent between two moments, and how many of them were lost. Those still on their way are not counted.
    pub(crate) fn counts(&self, since: Instant, until: Instant) -> (usize, usize) {
        let (now, log) = (Instant::now(), lock(&self.log));
        let settled = |ping: &&Ping| ping.round_trip.is_some() || now.duration_since(ping.sent) > LOST_AFTER;
        let within: Vec<&Ping> =
            log.pings.iter().filter(|ping| since <= ping.sent && ping.sent < until).filter(settled).collect();
        (within.len(), within.iter().filter(|ping| ping.round_trip.is_none()).count())
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Returns pings. A second probe to the same host finds the port taken, and the first one answers for both.
fn answer(host: &MeshHost, address: IpAddr, stop: Arc<AtomicBool>) {
    host.lab().thread(move || {
        let Ok(socket) = UdpSocket::bind((address, PORT)) else { return };
        let _default_is_fine = socket.set_read_timeout(Some(Duration::from_millis(200)));
        let mut buffer = [0; 64];
        while !stop.load(Ordering::Relaxed) {
            if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let _lost_is_counted = socket.send_to(&buffer[..length], from);
            }
        }
    });
}

fn send(host: &MeshHost, target: SocketAddr, log: Arc<Mutex<Log>>, stop: Arc<AtomicBool>) {
    host.lab().thread(move || -> std::io::Result<()> {
        let socket = UdpSocket::bind(("0.0.0.0", 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(5)))?;
        let mut next = Instant::now();
        let mut buffer = [0; 64];
        while !stop.load(Ordering::Relaxed) {
            if Instant::now() >= next {
                next += EVERY;
                let number = lock(&log).pings.len() as u64;
                lock(&log).pings.push(Ping { sent: Instant::now(), round_trip: None });
                let _lost_is_counted = socket.send_to(&number.to_be_bytes(), target);
            }
            while let Ok((8, _)) = socket.recv_from(&mut buffer) {
                let number = buffer[..8].iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
                if let Some(ping) = lock(&log).pings.get_mut(number) {
                    ping.round_trip.get_or_insert_with(|| ping.sent.elapsed());
                }
            }
        }
        Ok(())
    });
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
