//! How often somebody may try: a token bucket for each of many, with a bound on how many.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use wattle_time::Instant;

/// Token buckets. Those that are full again are forgotten.
#[derive(Clone, Debug)]
pub struct RateLimit {
    /// Between two tries, over a long time.
    spacing: Duration,
    burst: u32,
    keys_max: usize,
    /// When a key's bucket is full again; what is between now and then has been used.
    full_at: BTreeMap<String, Instant>,
}

impl RateLimit {
    /// So many tries a minute, and this many at once after a rest, for each of so many keys.
    pub fn new(per_minute: u32, burst: u32, keys_max: usize) -> Self {
        let spacing = Duration::from_secs(60) / per_minute.max(1);
        Self { spacing, burst: burst.max(1), keys_max: keys_max.max(1), full_at: BTreeMap::new() }
    }

    /// Whether somebody may try now; if so the try counts. An IPv6 address stands for its network of 64 bits, of which
    /// anybody has as many addresses as they like.
    pub fn allow(&mut self, key: &str, now: Instant) -> bool {
        let key = network(key);
        let used_until = self.full_at.get(&key).copied().unwrap_or(now).max(now);
        if used_until.since(now) + self.spacing > self.spacing * self.burst {
            return false;
        }
        if !self.full_at.contains_key(&key) && self.full_at.len() >= self.keys_max {
            self.full_at.retain(|_, full| *full > now);
            if self.full_at.len() >= self.keys_max {
                // Who has used least is forgotten: those who are being held back stay so.
                let least = self.full_at.iter().min_by_key(|(_, full)| **full).map(|(key, _)| key.clone());
                least.and_then(|key| self.full_at.remove(&key));
            }
        }
        self.full_at.insert(key, used_until + self.spacing);
        true
    }
}

fn network(key: &str) -> String {
    match key.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).to_string(),
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    #[test]
    fn a_burst_then_one_after_the_other() {
        let mut limit = RateLimit::new(6, 3, 10);
        let tries: Vec<bool> = (0..5).map(|_| limit.allow("192.0.2.1", at(0))).collect();
        assert_eq!(tries, [true, true, true, false, false]);
        assert!(limit.allow("192.0.2.2", at(0)), "others are others");
        assert!(!limit.allow("192.0.2.1", at(9)));
        assert!(limit.allow("192.0.2.1", at(10)));
        assert!(!limit.allow("192.0.2.1", at(11)));
    }

    #[test]
    fn neighbours_in_an_ipv6_network_are_one() {
        let mut limit = RateLimit::new(1, 1, 10);
        assert!(limit.allow("2001:db8::1", at(0)));
        assert!(!limit.allow("2001:db8::2", at(0)));
        assert!(limit.allow("2001:db8:0:1::2", at(0)));
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_their_share(gaps in prop::collection::vec((0u64..30_000, 0u8..4), 1..200)) {
            let mut limit = RateLimit::new(6, 3, 2);
            let (mut now, mut granted) = (0u64, [0u64; 4]);
            let mut one = RateLimit::new(6, 3, 1);
            let mut granted_one = 0u64;
            for (gap, who) in gaps {
                now += gap;
                let moment = Instant::ORIGIN + Duration::from_millis(now);
                granted[usize::from(who)] += u64::from(limit.allow(&who.to_string(), moment));
                granted_one += u64::from(one.allow("x", moment));
                prop_assert!(limit.full_at.len() <= 2);
            }
            prop_assert!(granted_one <= 3 + now / 10_000);
        }
    }
}
