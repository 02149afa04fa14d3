//! What happened, in order: two runs are the same when their traces are.

use std::fmt;
use std::net::SocketAddr;

use wattle_time::Instant;

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrived, or will.
    Delivered,
    /// Chance took it.
    Lost,
    /// A blockade dropped it.
    Blocked,
    /// A NAT did not let it in.
    Filtered,
    /// There is nobody at that address.
    NoHost,
}

/// The record of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    at: Instant,
    from: SocketAddr,
    to: SocketAddr,
    digest: u64,
    length: usize,
    fate: Fate,
}

impl Trace {
    pub(crate) fn note(&mut self, at: Instant, from: SocketAddr, to: SocketAddr, bytes: &[u8], fate: Fate) {
        // FNV-1a: enough to see that bytes differ, and the same on every machine.
        let digest = bytes
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        self.lines.push(Line { at, from, to, digest, length: bytes.len(), fate });
    }

    /// How many datagrams were sent since a moment, whatever became of them.
    pub fn datagrams_since(&self, since: Instant) -> usize {
        self.lines.iter().rev().take_while(|line| line.at >= since).count()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Line { at, from, to, digest, length, fate } in &self.lines {
            let ms = at.as_nanos() / 1_000_000;
            writeln!(f, "{ms:>8} ms  {from} -> {to}  {length} bytes {digest:016x}  {fate:?}")?;
        }
        Ok(())
    }
}
