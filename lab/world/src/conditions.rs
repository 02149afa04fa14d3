//! What happens to datagrams between hosts.

use std::time::Duration;

/// The weather on the whole internet. Latency grows with distance: each pair of hosts has its own share of `spread`.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// One way, at least.
    pub latency: Duration,
    /// One way, up to this much more between some pairs.
    pub spread: Duration,
    /// One way inside a site.
    pub latency_inside: Duration,
    /// Of a thousand datagrams between sites, so many are lost.
    pub lost_per_thousand: u32,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(8),
            spread: Duration::from_millis(8),
            latency_inside: Duration::from_micros(300),
            lost_per_thousand: 0,
        }
    }
}

/// What a host's firewall or network drops, in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blockade {
    /// Nothing.
    #[default]
    None,
    /// Every datagram.
    AllDatagrams,
    /// Datagrams that start otherwise: what a box does that looks into packets.
    AllBut(&'static [u8]),
}

impl Blockade {
    /// Whether it drops this datagram.
    pub(crate) fn drops(self, datagram: &[u8]) -> bool {
        match self {
            Self::None => false,
            Self::AllDatagrams => true,
            Self::AllBut(start) => !datagram.starts_with(start),
        }
    }
}
