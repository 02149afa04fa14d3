//! A TCP transfer through the tunnel, at a steady rate, and how long it ever stood still.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::Node;

const PORT: u16 = 7080;
/// What is written at once, and how often: 1.6 MB a second, which no link of the lab has to queue.
const CHUNK: usize = 16 << 10;
const CHUNK_EVERY: Duration = Duration::from_millis(10);
/// A read that brings nothing for this long is looked at again.
const LOOK: Duration = Duration::from_millis(100);

/// A transfer that goes on until it is dropped.
pub struct Transfer {
    log: Arc<Mutex<Log>>,
    stop: Arc<AtomicBool>,
}

#[derive(Default)]
struct Log {
    arrivals: Vec<Instant>,
    bytes: u64,
    broken: Option<String>,
}

impl Transfer {
    /// Starts: one node sends, the other one reads.
    pub fn start(from: &Node, to: &Node) -> anyhow::Result<Self> {
        let (log, stop) = (Arc::new(Mutex::new(Log::default())), Arc::new(AtomicBool::new(false)));
        let address = from.address()?;
        let listener = from.host.thread(move || TcpListener::bind((address, PORT))).join()??;
        listener.set_nonblocking(true)?;
        let sender_stops = Arc::clone(&stop);
        std::thread::spawn(move || send(&listener, &sender_stops));
        let (noted, reader_stops) = (Arc::clone(&log), Arc::clone(&stop));
        let connected = to.host.thread(move || connect(address)).join()?;
        let stream = connected.context("the transfer cannot begin")?;
        stream.set_read_timeout(Some(LOOK))?;
        std::thread::spawn(move || receive(stream, &noted, &reader_stops));
        Ok(Self { log, stop })
    }

    /// The longest time without a byte between two moments, also at the end.
    pub fn longest_stall(&self, since: Instant, until: Instant) -> Duration {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut last, mut longest) = (since, Duration::ZERO);
        for arrival in log.arrivals.iter().copied().filter(|arrival| since <= *arrival && *arrival < until) {
            longest = longest.max(arrival.duration_since(last));
            last = arrival;
        }
        longest.max(until.saturating_duration_since(last))
    }

    /// When the first byte came after a moment.
    pub fn next_arrival(&self, since: Instant) -> Option<Instant> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.arrivals.iter().copied().find(|arrival| *arrival >= since)
    }

    /// Bytes that have arrived.
    pub fn bytes(&self) -> u64 {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Why it cannot go on, if it cannot.
    pub fn broken(&self) -> Option<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).broken.clone()
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn connect(address: IpAddr) -> std::io::Result<TcpStream> {
    TcpStream::connect_timeout(&SocketAddr::new(address, PORT), Duration::from_secs(20))
}

fn send(listener: &TcpListener, stop: &AtomicBool) {
    let stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(_) if stop.load(Ordering::Relaxed) => return,
            Err(_) => std::thread::sleep(CHUNK_EVERY),
        }
    };
    let mut stream = stream;
    if stream.set_nonblocking(false).is_err() || stream.set_write_timeout(Some(LOOK)).is_err() {
        return;
    }
    let chunk = vec![0x5a; CHUNK];
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        match stream.write(&chunk) {
            Ok(_) => {
                next = (next + CHUNK_EVERY).max(Instant::now());
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            Err(error) if is_slow(&error) => {}
            // The reader notices.
            Err(_) => return,
        }
    }
}

fn receive(mut stream: TcpStream, log: &Mutex<Log>, stop: &AtomicBool) {
    let mut buffer = vec![0; 256 << 10];
    while !stop.load(Ordering::Relaxed) {
        let read = stream.read(&mut buffer);
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(0) => {
                log.broken = Some("the sender is gone".to_owned());
                return;
            }
            Ok(length) => {
                log.arrivals.push(Instant::now());
                log.bytes += length as u64;
            }
            Err(error) if is_slow(&error) => {}
            Err(error) => {
                log.broken = Some(error.to_string());
                return;
            }
        }
    }
}

fn is_slow(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut | std::io::ErrorKind::Interrupted
    )
}
