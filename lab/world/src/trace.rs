//! What happened, in order: two runs are the same when their traces are.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;

use wattle_time::Instant;

use crate::HostId;
use crate::kind::Kind;
use crate::limits::TRACE_LINES;

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is on its way.
    InFlight,
    /// It arrived.
    Delivered,
    /// Chance took it.
    Lost,
    /// A blockade dropped it.
    Blocked,
    /// A site's firewall dropped it.
    Firewalled,
    /// It came to a NAT for an endpoint that nobody mapped.
    NoMapping,
    /// It came to a NAT from an end that the mapping does not let in.
    Filtered,
    /// It came from inside to an outside address of the same NAT, which does not turn packets around.
    NoHairpin,
    /// A NAT had no port left for it.
    NoPort,
    /// It was larger than a link takes, and nobody was told.
    TooBig,
    /// It was larger than a link takes, and its sender was told.
    ToldTooBig,
    /// There is nobody at that address.
    NoHost,
    /// Its sender has no address of the family, or the bound address is not his, or the site has no way out.
    NoRoute,
    /// A link on its way was down.
    LinkDown,
    /// The host that it was for is asleep.
    Asleep,
    /// The host that it was for is off.
    Off,
    /// Its sender is asleep or off.
    Unsent,
}

const FATES: usize = Fate::Unsent as usize + 1;

/// The record of a run: the last lines, counts and a digest of everything.
#[derive(Clone, Debug)]
pub struct Trace {
    lines: VecDeque<Line>,
    lines_max: usize,
    /// How many lines went before the first that is kept.
    dropped: u64,
    digest: Digest,
    counts: [u64; FATES],
    datagrams: u64,
    duplicates: u64,
    names: Vec<String>,
}

/// Names a line, so that its fate can be told later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineId(u64);

#[derive(Clone, Debug)]
struct Line {
    at: Instant,
    host: HostId,
    event: Event,
}

#[derive(Clone, Debug)]
enum Event {
    Datagram { from: SocketAddr, to: SocketAddr, digest: u64, length: usize, kind: Kind, end: End },
    Message { to: HostId, digest: u64, length: usize },
    Remark(&'static str),
}

#[derive(Clone, Copy, Debug)]
struct End {
    fate: Fate,
    at: Instant,
    host: Option<HostId>,
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            lines: VecDeque::new(),
            lines_max: TRACE_LINES,
            dropped: 0,
            digest: Digest::default(),
            counts: [0; FATES],
            datagrams: 0,
            duplicates: 0,
            names: Vec::new(),
        }
    }
}

impl Trace {
    /// A digest of everything since the start. The same on every machine.
    pub fn digest(&self) -> u64 {
        self.digest.0
    }

    /// How many datagrams were sent.
    pub fn sent(&self) -> u64 {
        self.datagrams
    }

    /// How many datagrams ended so. Duplicates are not counted: only the first copy has a fate.
    pub fn count(&self, fate: Fate) -> u64 {
        self.counts[fate as usize]
    }

    /// How many copies links have made.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// How many datagrams were sent since a moment, whatever became of them; of the lines that are kept.
    pub fn datagrams_since(&self, since: Instant) -> usize {
        let recent = self.lines.iter().rev().take_while(|line| line.at >= since);
        recent.filter(|line| matches!(line.event, Event::Datagram { .. })).count()
    }

    pub(crate) fn keep(&mut self, lines: usize) {
        self.lines_max = lines;
        self.trim();
    }

    pub(crate) fn name(&mut self, host: HostId, name: &str) {
        if self.names.len() <= host.0 {
            self.names.resize(host.0 + 1, String::new());
        }
        name.clone_into(&mut self.names[host.0]);
    }

    /// A datagram leaves.
    pub(crate) fn datagram(
        &mut self,
        at: Instant,
        host: HostId,
        [from, to]: [SocketAddr; 2],
        bytes: &[u8],
        kind: Kind,
    ) -> LineId {
        let digest = self.note(at, host, bytes);
        self.digest.address(from);
        self.digest.address(to);
        self.datagrams += 1;
        self.counts[Fate::InFlight as usize] += 1;
        let end = End { fate: Fate::InFlight, at, host: None };
        self.push(Line { at, host, event: Event::Datagram { from, to, digest, length: bytes.len(), kind, end } })
    }

    /// A datagram ended.
    pub(crate) fn end(&mut self, id: LineId, fate: Fate, at: Instant, host: Option<HostId>) {
        self.digest.word(id.0);
        self.digest.word(at.as_nanos() ^ (fate as u64) << 56);
        self.counts[Fate::InFlight as usize] -= 1;
        self.counts[fate as usize] += 1;
        let line = id.0.checked_sub(self.dropped).and_then(|index| self.lines.get_mut(usize::try_from(index).ok()?));
        if let Some(Line { event: Event::Datagram { end, .. }, .. }) = line {
            *end = End { fate, at, host };
        }
    }

    /// A link made a copy.
    pub(crate) fn duplicate(&mut self) {
        self.duplicates += 1;
    }

    /// A message of a connection arrived.
    pub(crate) fn message(&mut self, at: Instant, from: HostId, to: HostId, bytes: &[u8]) {
        let digest = self.note(at, from, bytes);
        self.digest.word(to.0 as u64);
        self.push(Line { at, host: from, event: Event::Message { to, digest, length: bytes.len() } });
    }

    /// Something happened to a host.
    pub(crate) fn remark(&mut self, at: Instant, host: HostId, remark: &'static str) {
        self.note(at, host, remark.as_bytes());
        self.push(Line { at, host, event: Event::Remark(remark) });
    }

    fn note(&mut self, at: Instant, host: HostId, bytes: &[u8]) -> u64 {
        let mut digest = Digest::default();
        digest.bytes(bytes);
        self.digest.word(at.as_nanos());
        self.digest.word(host.0 as u64);
        self.digest.word(digest.0);
        digest.0
    }

    fn push(&mut self, line: Line) -> LineId {
        let id = LineId(self.dropped + self.lines.len() as u64);
        self.lines.push_back(line);
        self.trim();
        id
    }

    fn trim(&mut self) {
        while self.lines.len() > self.lines_max {
            self.lines.pop_front();
            self.dropped += 1;
        }
    }

    fn named(&self, host: HostId) -> Named<'_> {
        Named { host, name: self.names.get(host.0).map_or("", String::as_str) }
    }
}

/// Enough to see that runs differ, eight bytes a step; not for enemies.
#[derive(Clone, Copy, Debug)]
struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    fn word(&mut self, word: u64) {
        // Any odd multiplier of good spread will do: this is 2^64 divided by the golden ratio.
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 29;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last));
        self.word(bytes.len() as u64);
    }

    fn address(&mut self, address: SocketAddr) {
        match address.ip() {
            std::net::IpAddr::V4(ip) => self.word(u64::from(ip.to_bits())),
            std::net::IpAddr::V6(ip) => {
                let (_, [high, low]) = (0, [ip.to_bits() >> 64, ip.to_bits()].map(|half| half as u64));
                self.word(high);
                self.word(low);
            }
        }
        self.word(u64::from(address.port()));
    }
}

struct Named<'a> {
    host: HostId,
    name: &'a str,
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() { write!(f, "host {}", self.host.0) } else { f.write_str(self.name) }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dropped > 0 {
            writeln!(f, "({} earlier lines are not kept)", self.dropped)?;
        }
        let ms = |at: Instant| at.as_nanos() as f64 / 1e6;
        for Line { at, host, event } in &self.lines {
            write!(f, "{:>11.3} ms  {}  ", ms(*at), self.named(*host))?;
            match event {
                Event::Datagram { from, to, digest, length, kind, end } => {
                    write!(f, "{from} -> {to}  {} of {length} bytes {digest:016x}  {:?}", kind.name(), end.fate)?;
                    if let Some(host) = end.host {
                        write!(f, " to {}", self.named(host))?;
                    }
                    if end.at != *at {
                        write!(f, " at {:.3} ms", ms(end.at))?;
                    }
                    writeln!(f)?;
                }
                Event::Message { to, digest, length } => {
                    writeln!(f, "=> {}  message of {length} bytes {digest:016x}", self.named(*to))?;
                }
                Event::Remark(remark) => writeln!(f, "{remark}")?,
            }
        }
        write!(f, "digest {:016x}", self.digest.0)
    }
}
