//! The check of our own network, and STUN answers of relays, of liars and of strangers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use wattle_netcheck::limits::{LOCAL_ADDRESSES_MAX, RECENT_PER_FAMILY_MAX};
use wattle_netcheck::{Event, LocalNetwork, Netcheck, Out};
use wattle_netmap::{DerpMap, DerpNode, DerpRegion, RegionId, is_tailnet_address};
use wattle_time::Instant;
use wattle_wire::stun::{self, TransactionId};

use super::outside;

const REGIONS: u16 = 4;
const PORT: u16 = 41641;
/// Probes of one run over these regions: three tries, two families, and as many again for the home region.
const RUN: u64 = REGIONS as u64 * 2 * 3 * 2;
/// Endpoints beside those that others have told of: the best of each family, its guess, one seen by each region.
const ENDPOINTS_MAX: usize = LOCAL_ADDRESSES_MAX + RECENT_PER_FAMILY_MAX * 2 + 3 + 2 * REGIONS as usize;

pub(super) struct Network {
    netcheck: Netcheck,
    out: Out,
    probes: Vec<TransactionId>,
    allowed: u64,
    sent: u64,
    grown_at: Instant,
}

impl Network {
    pub(super) fn new(now: Instant) -> Self {
        let netcheck = Netcheck::new(outside::node(outside::SELF), [8; 32], now);
        let mut network =
            Self { netcheck, out: Out::default(), probes: Vec::new(), allowed: RUN * 2, sent: 0, grown_at: now };
        network.netcheck.set_control_connected(true);
        network.netcheck.set_local(local(0), now, &mut network.out);
        network.netcheck.set_derp_map(&derp_map(0), now, &mut network.out);
        network
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.netcheck.next_timeout().map(|deadline| deadline.latest)
    }

    pub(super) fn refresh(&mut self, now: Instant) {
        self.netcheck.refresh(now, &mut self.out);
    }

    pub(super) fn activity(&mut self, now: Instant) {
        self.netcheck.note_activity(now);
    }

    /// An answer: to one of our questions or to none, from anywhere, saying anything.
    pub(super) fn stun(&mut self, u: &mut Unstructured<'_>, now: Instant) -> Result<()> {
        let back = u.int_in_range(0..=15)?;
        let known = self.probes.iter().rev().nth(back).copied();
        let (from, seen) = (outside::address(u.arbitrary()?), outside::address(u.arbitrary()?));
        let mut packet = Vec::new();
        stun::encode_response(known.unwrap_or(TransactionId([back as u8; 12])), seen, &mut packet);
        if u.ratio(1, 8)? {
            let at = u.int_in_range(0..=packet.len() - 1)?;
            packet[at] ^= u.arbitrary::<u8>()?;
        }
        let ours = self.netcheck.handle_stun(from, &packet, now, &mut self.out);
        assert!(!ours || known.is_some() || packet[8..20] != [back as u8; 12], "an answer to no question of ours");
        Ok(())
    }

    /// News of the host, of the map of relays, or of names.
    pub(super) fn change(&mut self, u: &mut Unstructured<'_>, now: Instant) -> Result<()> {
        self.allowed += RUN;
        let choice: u8 = u.arbitrary()?;
        match u.int_in_range(0..=4)? {
            0 => self.netcheck.set_local(local(choice), now, &mut self.out),
            1 => self.netcheck.set_derp_map(&derp_map(choice), now, &mut self.out),
            2 => {
                let addresses = [outside::address(choice).ip()];
                let addresses = if choice & 1 == 0 { &addresses[..] } else { &[] };
                self.netcheck.handle_resolved("relay.example.com", addresses, now, &mut self.out);
            }
            3 => {
                let latency = (choice & 1 == 0).then(|| Duration::from_millis(choice.into()));
                self.netcheck.handle_https(RegionId(u16::from(choice >> 4)), latency, now, &mut self.out);
            }
            _ => self.netcheck.note_relay_frame(RegionId(u16::from(choice & 7)), now),
        }
        Ok(())
    }

    /// Meets timers and looks at what is wanted. Returns our endpoints when they were found anew.
    pub(super) fn settle(&mut self, now: Instant) -> Option<Vec<SocketAddr>> {
        for _ in 0..super::SETTLE_MAX {
            if self.netcheck.next_timeout().is_some_and(|deadline| deadline.earliest <= now) {
                self.netcheck.handle_timeout(now, &mut self.out);
            }
        }
        let due = self.netcheck.next_timeout().filter(|deadline| deadline.latest <= now);
        assert!(due.is_none(), "{due:?} is due again and again");
        let out = std::mem::take(&mut self.out);
        for transmit in &out.transmits {
            let transaction = stun::decode_request(&transmit.packet).expect("a request as servers want it");
            self.probes.push(transaction);
        }
        let passed = now.since(self.grown_at).as_secs();
        if passed > 0 {
            // At most one run a second, and none for time that was slept away.
            self.allowed += RUN * passed.min(60);
            self.grown_at = now;
        }
        self.sent += out.transmits.len() as u64;
        assert!(self.sent <= self.allowed + RUN, "{} probes where {} were due", self.sent, self.allowed);
        let endpoints = self.netcheck.endpoints();
        assert!(endpoints.len() <= ENDPOINTS_MAX, "{} endpoints", endpoints.len());
        endpoints.iter().for_each(|endpoint| assert!(!is_tailnet_address(endpoint.address.ip())));
        let is_fresh = out.events.iter().any(|event| matches!(event, Event::EndpointsRefreshed { .. }));
        is_fresh.then(|| endpoints.iter().map(|endpoint| endpoint.address).collect())
    }
}

fn local(choice: u8) -> LocalNetwork {
    let addresses: Vec<IpAddr> =
        (0..choice % 40).map(|number| outside::address(choice.wrapping_add(number)).ip()).collect();
    LocalNetwork { addresses, port_v4: PORT, port_v6: (choice & 64 == 0).then_some(PORT) }
}

/// Regions with addresses, and one whose name must be looked up.
fn derp_map(choice: u8) -> DerpMap {
    let mut map = DerpMap::default();
    for number in 1..=REGIONS - u16::from(choice % 3) {
        let id = RegionId(number);
        let address = Ipv4Addr::new(203, 0, 113, number as u8);
        let node = DerpNode {
            name: format!("{number}a"),
            region: id,
            host_name: "relay.example.com".to_owned(),
            ipv4: (number != REGIONS).then_some(Some(address.into())),
            ipv6: (number != REGIONS).then_some(Some(address.to_ipv6_mapped().into())),
            stun_port: Some(3478),
            ..DerpNode::default()
        };
        map.regions.insert(id, DerpRegion { id, nodes: vec![node], ..DerpRegion::default() });
    }
    map
}
