//! Which of two paths is better: tailscale `endpoint.go betterAddr`, without its cases for peer relays and wire MTU.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What a path is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quality {
    pub(crate) address: SocketAddr,
    pub(crate) latency: Duration,
}

/// Points must differ by more than this: paths that are as good as equal do not take turns.
const STICKINESS: u32 = 1;
/// A path of no nearer kind must be faster by this much, or by this part: less is jitter, and no one would notice.
const FASTER_MIN: Duration = Duration::from_millis(3);
/// See [`FASTER_MIN`].
const FASTER_PERCENT_MIN: u32 = 20;

impl Quality {
    /// Whether to change from `old` to this path.
    pub(crate) fn is_better_than(&self, old: &Self) -> bool {
        let is_nearer = locality(self.address.ip()) > locality(old.address.ip());
        self.address != old.address
            && self.points(old) > old.points(self) + STICKINESS
            && (is_nearer || self.is_clearly_faster(old))
    }

    fn is_clearly_faster(&self, old: &Self) -> bool {
        old.latency.saturating_sub(self.latency) >= FASTER_MIN
            || faster_by_percent(self.latency, old.latency) >= FASTER_PERCENT_MIN
    }

    fn points(&self, other: &Self) -> u32 {
        locality(self.address.ip()) + faster_by_percent(self.latency, other.latency)
    }
}

/// Nearer kinds of address are preferred even when a little slower: they are cheaper and do not end with a NAT mapping.
fn locality(ip: IpAddr) -> u32 {
    let (loopback, link_local, private, family) = match ip {
        IpAddr::V4(ip) => (ip.is_loopback(), ip.is_link_local(), ip.is_private(), 0),
        IpAddr::V6(ip) => (ip.is_loopback(), ip.is_unicast_link_local(), ip.is_unique_local(), 10),
    };
    let place = match (loopback, link_local, private) {
        (true, ..) => 50,
        (_, true, _) => 30,
        (.., true) => 20,
        _ => 0,
    };
    place + family
}

fn faster_by_percent(this: Duration, other: Duration) -> u32 {
    if this >= other {
        return 0;
    }
    let percent = 100 - this.as_nanos() * 100 / other.as_nanos().max(1);
    u32::try_from(percent).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quality(address: &str, ms: u64) -> Quality {
        Quality { address: address.parse().unwrap(), latency: Duration::from_millis(ms) }
    }

    #[test]
    fn a_local_path_beats_a_slightly_faster_public_one() {
        let (local, public) = (quality("192.168.1.2:1", 11), quality("203.0.113.2:1", 10));
        assert!(local.is_better_than(&public));
        assert!(!public.is_better_than(&local));
    }

    #[test]
    fn a_much_faster_path_beats_a_local_one() {
        assert!(quality("203.0.113.2:1", 5).is_better_than(&quality("10.0.0.2:1", 50)));
    }

    #[test]
    fn ipv6_wins_when_nearly_as_fast() {
        assert!(quality("[2001:db8::1]:1", 21).is_better_than(&quality("203.0.113.2:1", 20)));
    }

    #[test]
    fn one_percent_is_not_worth_a_change() {
        assert!(!quality("203.0.113.3:1", 99).is_better_than(&quality("203.0.113.2:1", 100)));
        assert!(quality("203.0.113.3:1", 90).is_better_than(&quality("203.0.113.2:1", 100)));
        assert!(!quality("203.0.113.3:1", 18).is_better_than(&quality("203.0.113.2:1", 20)), "two of twenty is jitter");
    }

    proptest! {
        #[test]
        fn two_paths_are_never_both_better(a: (IpAddr, u16, u32), b: (IpAddr, u16, u32)) {
            let [a, b] = [a, b].map(|(ip, port, nanos)| Quality {
                address: SocketAddr::new(ip, port),
                latency: Duration::from_nanos(u64::from(nanos)),
            });
            prop_assert!(!(a.is_better_than(&b) && b.is_better_than(&a)));
            prop_assert!(!a.is_better_than(&a));
        }
    }
}
