//! A steady stream of pings through the tunnel: small UDP packets that the other side returns.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Node;
use crate::limits::{LOST_AFTER, PING_EVERY};

const PORT: u16 = 7007;

/// Pings from one node to another until it is stopped or dropped.
pub struct Pinger {
    log: Arc<Mutex<Vec<Ping>>>,
    sending: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
}

/// One ping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ping {
    /// When it was sent.
    pub sent: Instant,
    /// How long its answer took.
    pub round_trip: Option<Duration>,
}

/// Pings that were lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// How many were sent,
    pub sent: usize,
    /// and how many were not answered.
    pub lost: usize,
    /// From the first that was lost to the last.
    pub span: Duration,
}

impl Pinger {
    /// Starts.
    pub fn start(from: &Node, to: &Node) -> anyhow::Result<Self> {
        let log = Arc::new(Mutex::new(Vec::new()));
        let (sending, stop) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let target = to.address()?;
        answer(to, target, Arc::clone(&stop))?;
        send(from, SocketAddr::new(target, PORT), Arc::clone(&log), Arc::clone(&sending), Arc::clone(&stop));
        Ok(Self { log, sending, stop })
    }

    /// When the first ping was sent.
    pub fn first_sent(&self) -> Option<Instant> {
        lock(&self.log).first().map(|ping| ping.sent)
    }

    /// Whether a ping that was sent after a moment was answered.
    pub fn answered_since(&self, when: Instant) -> bool {
        lock(&self.log).iter().rev().take_while(|ping| ping.sent >= when).any(|ping| ping.round_trip.is_some())
    }

    /// Sends no more, and waits for the answers that are still on their way.
    pub fn finish(&self) {
        self.sending.store(false, Ordering::Relaxed);
        let deadline = Instant::now() + LOST_AFTER;
        let all_back = || lock(&self.log).iter().rev().take(100).all(|ping| ping.round_trip.is_some());
        while Instant::now() < deadline && !all_back() {
            std::thread::sleep(PING_EVERY);
        }
    }

    /// What was lost of those that were sent between two moments. Those still on their way are not counted.
    pub fn loss(&self, since: Instant, until: Instant) -> Loss {
        let (now, log) = (Instant::now(), lock(&self.log));
        let mut loss = Loss::default();
        let (mut first, mut last) = (None, None);
        for ping in log.iter().filter(|ping| since <= ping.sent && ping.sent < until) {
            let is_lost = match ping.round_trip {
                Some(took) => took > LOST_AFTER,
                None if now.duration_since(ping.sent) > LOST_AFTER => true,
                None => continue,
            };
            loss.sent += 1;
            if is_lost {
                loss.lost += 1;
                first.get_or_insert(ping.sent);
                last = Some(ping.sent);
            }
        }
        if let (Some(first), Some(last)) = (first, last) {
            loss.span = last.duration_since(first) + PING_EVERY;
        }
        loss
    }
}

impl Drop for Pinger {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Returns pings.
fn answer(node: &Node, address: IpAddr, stop: Arc<AtomicBool>) -> anyhow::Result<()> {
    // The port is of the namespace of an earlier pinger until that has noticed its end.
    let socket = node.host.thread(move || {
        let deadline = Instant::now() + Duration::from_secs(1);
        loop {
            match UdpSocket::bind((address, PORT)) {
                Err(_) if Instant::now() < deadline => std::thread::sleep(PING_EVERY),
                other => return other,
            }
        }
    });
    let socket = socket.join()??;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while !stop.load(Ordering::Relaxed) {
            if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let _lost_is_counted = socket.send_to(&buffer[..length], from);
            }
        }
    });
    Ok(())
}

fn send(node: &Node, target: SocketAddr, log: Arc<Mutex<Vec<Ping>>>, sending: Arc<AtomicBool>, stop: Arc<AtomicBool>) {
    node.host.thread(move || -> std::io::Result<()> {
        let socket = UdpSocket::bind(("0.0.0.0", 0))?;
        let mut next = Instant::now();
        let mut buffer = [0; 64];
        while !stop.load(Ordering::Relaxed) {
            let now = Instant::now();
            if now >= next && sending.load(Ordering::Relaxed) {
                // A machine that was busy does not make up for what it missed.
                next = (next + PING_EVERY).max(now);
                let number = lock(&log).len() as u64;
                lock(&log).push(Ping { sent: now, round_trip: None });
                let _lost_is_counted = socket.send_to(&number.to_be_bytes(), target);
            }
            let wait = next.saturating_duration_since(Instant::now()).clamp(Duration::from_millis(1), PING_EVERY);
            socket.set_read_timeout(Some(wait))?;
            while let Ok((8, _)) = socket.recv_from(&mut buffer) {
                let number = buffer[..8].iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
                if let Some(ping) = lock(&log).get_mut(number) {
                    ping.round_trip.get_or_insert_with(|| ping.sent.elapsed());
                }
                if Instant::now() >= next {
                    break;
                }
            }
        }
        Ok(())
    });
}

fn lock(log: &Mutex<Vec<Ping>>) -> MutexGuard<'_, Vec<Ping>> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
