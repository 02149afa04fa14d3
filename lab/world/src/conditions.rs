//! The weather: what happens to datagrams on the whole internet, and on one link in one direction.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

use crate::kind::Kind;
use crate::{Fate, Kinds};

/// The weather on the whole internet. Latency grows with distance: each pair of places has its own share of `spread`.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// One way, at least.
    pub latency: Duration,
    /// One way, up to this much more between some pairs.
    pub spread: Duration,
    /// One way, up to this much more for each datagram: it reorders them.
    pub jitter: Duration,
    /// One way inside a site.
    pub latency_inside: Duration,
    /// Of a thousand datagrams between sites, so many are lost.
    pub lost_per_thousand: u32,
    /// Of a thousand datagrams between sites, so many come twice.
    pub duplicated_per_thousand: u32,
    /// A connection with data waiting breaks when its way stays down for so long.
    pub connection_timeout: Duration,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(8),
            spread: Duration::from_millis(8),
            jitter: Duration::ZERO,
            latency_inside: Duration::from_micros(300),
            lost_per_thousand: 0,
            duplicated_per_thousand: 0,
            connection_timeout: Duration::from_secs(15),
        }
    }
}

/// A way across a link, as the site or host at its end sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From it.
    Out,
    /// To it.
    In,
}

/// One direction of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whether anything passes.
    pub up: bool,
    /// One way, on top of all else.
    pub latency: Duration,
    /// Up to this much more for each datagram: it reorders them.
    pub jitter: Duration,
    /// Of a thousand datagrams, so many are lost. Reliable messages are sent again instead.
    pub lost_per_thousand: u32,
    /// Of a thousand datagrams, so many come twice.
    pub duplicated_per_thousand: u32,
    /// The largest IP packet that passes whole, headers included.
    pub mtu: u16,
    /// What becomes of larger ones.
    pub too_big: TooBig,
    /// What it drops by its looks.
    pub blockade: Blockade,
}

impl Link {
    /// No time, no loss, no limits.
    pub const PERFECT: Self = Self {
        up: true,
        latency: Duration::ZERO,
        jitter: Duration::ZERO,
        lost_per_thousand: 0,
        duplicated_per_thousand: 0,
        mtu: u16::MAX,
        too_big: TooBig::BlackHole,
        blockade: Blockade::None,
    };

    /// What becomes of a datagram here.
    pub(crate) fn cross(&self, datagram: &Look<'_>, rng: &mut ChaCha20Rng) -> Result<Crossing, Fate> {
        if !self.up {
            return Err(Fate::LinkDown);
        }
        if self.blockade.drops(datagram) {
            return Err(Fate::Blocked);
        }
        if datagram.packet_length() > usize::from(self.mtu) {
            match self.too_big {
                TooBig::BlackHole => return Err(Fate::TooBig),
                TooBig::Fragment if !datagram.is_v6 => {}
                TooBig::Tell | TooBig::Fragment => return Err(Fate::ToldTooBig),
            }
        }
        if chance(self.lost_per_thousand, rng) {
            return Err(Fate::Lost);
        }
        let is_twice = chance(self.duplicated_per_thousand, rng);
        Ok(Crossing { delay: self.latency + up_to(self.jitter, rng), is_twice })
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::PERFECT
    }
}

/// A datagram passed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Crossing {
    pub(crate) delay: Duration,
    pub(crate) is_twice: bool,
}

/// What a link sees of a datagram.
pub(crate) struct Look<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) kind: Kind,
    pub(crate) is_v6: bool,
}

impl Look<'_> {
    /// With UDP and IP headers.
    fn packet_length(&self) -> usize {
        self.bytes.len() + if self.is_v6 { 48 } else { 28 }
    }
}

/// Whether something happens that happens so often. Without a draw when it never does.
pub(crate) fn chance(per_thousand: u32, rng: &mut ChaCha20Rng) -> bool {
    per_thousand > 0 && rng.next_u32() % 1000 < per_thousand
}

/// Any time up to this.
pub(crate) fn up_to(longest: Duration, rng: &mut ChaCha20Rng) -> Duration {
    match u64::try_from(longest.as_nanos()) {
        Ok(0) | Err(_) => Duration::ZERO,
        Ok(nanos) => Duration::from_nanos(rng.next_u64() % nanos),
    }
}

/// What becomes of packets larger than a link takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TooBig {
    /// Nothing is heard of them.
    #[default]
    BlackHole,
    /// The sender is told (ICMP "fragmentation needed", "packet too big").
    Tell,
    /// They pass in pieces. Routers do not fragment IPv6: there it is the same as `Tell`.
    Fragment,
}

/// What a firewall or network drops by the looks of a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blockade {
    /// Nothing.
    #[default]
    None,
    /// Every datagram. Reliable messages pass.
    AllDatagrams,
    /// Datagrams that start otherwise: what a box does that looks into packets.
    AllBut(&'static [u8]),
    /// These kinds.
    Kinds(Kinds),
    /// All but these kinds.
    AllButKinds(Kinds),
    /// Datagrams whose payload is longer.
    LongerThan(usize),
}

impl Blockade {
    /// Whether it drops this datagram.
    pub(crate) fn drops(self, datagram: &Look<'_>) -> bool {
        match self {
            Self::None => false,
            Self::AllDatagrams => true,
            Self::AllBut(start) => !datagram.bytes.starts_with(start),
            Self::Kinds(kinds) => kinds.contains(datagram.kind),
            Self::AllButKinds(kinds) => !kinds.contains(datagram.kind),
            Self::LongerThan(length) => datagram.bytes.len() > length,
        }
    }
}
