//! What the packet path reads. The slow half builds it when something changed and publishes it by swapping one pointer;
//! the data threads never write to it, but for the atomic notes of activity.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wattle_filter::{Filter, Flows};
use wattle_keys::NodePublic;
use wattle_path::{MESSAGE_SURE, Route, Traffic};
use wattle_time::Instant;
use wattle_tunnel::{OVERHEAD, Opener, Sealer};
use wattle_wire::geneve;

use crate::limits::{ACTIVITY_EVERY, PAUSE, TUNNEL_MTU};
use crate::{Routes, Slot};

/// Everything that a packet's way depends on, at one moment.
#[derive(Clone, Debug)]
pub struct Tables {
    /// Which peer an address belongs to.
    pub routes: Arc<Routes>,
    /// The peers by slot.
    pub peers: Vec<Option<Arc<PeerEntry>>>,
    /// Sessions to receive with, sorted by index.
    pub openers: Vec<OpenerEntry>,
    /// What may come in.
    pub filter: Arc<Filter>,
    /// What may come in from a jailed peer.
    pub jailed_filter: Arc<Filter>,
    /// What we sent, for the replies.
    pub flows: Arc<Flows>,
    /// Our tailnet addresses.
    pub own: Vec<IpAddr>,
    /// The ICMP identifier of our own pings; replies to it are for us, not for the host.
    pub echo_id: u16,
}

/// One peer, as the packet path needs it.
#[derive(Clone, Debug)]
pub struct PeerEntry {
    /// Who.
    pub key: NodePublic,
    /// The session to send with; `None` while there is none.
    pub sealer: Option<Arc<Sealer>>,
    /// Where sealed packets go.
    pub route: Route,
    /// Whether nothing may be accepted from it.
    pub jailed: bool,
    /// When packets last went and came.
    pub activity: Arc<Activity>,
}

impl PeerEntry {
    /// The longest IP packet that reaches the peer: what our interface takes, or less where the path is known to carry less.
    pub fn packet_bytes_max(&self) -> usize {
        let Some(hop) = self.route.udp else { return TUNNEL_MTU };
        let outer = OVERHEAD + hop.vni.map_or(0, |_| geneve::HEADER_LENGTH);
        // Sealing pads to whole sixteens.
        (usize::from(hop.mtu).saturating_sub(outer) & !15).min(TUNNEL_MTU)
    }
}

/// One session to receive with.
#[derive(Clone, Debug)]
pub struct OpenerEntry {
    /// What stands in the packet.
    pub index: u32,
    /// Whose it is.
    pub slot: Slot,
    /// What opens it.
    pub opener: Arc<Opener>,
}

impl Tables {
    /// The peer in a slot.
    pub fn peer(&self, slot: Slot) -> Option<&Arc<PeerEntry>> {
        self.peers.get(slot.0 as usize)?.as_ref()
    }

    /// The session with this receiver index.
    pub fn opener(&self, index: u32) -> Option<&OpenerEntry> {
        let at = self.openers.binary_search_by_key(&index, |entry| entry.index).ok()?;
        self.openers.get(at)
    }
}

/// When packets last went to and came from a peer. Each side has one writer and a cache line of its own; the slow half
/// is told at most once a second, and at once when the way changes. It may look at the exact times whenever it wants.
#[derive(Debug, Default)]
pub struct Activity {
    outbound: Departures,
    /// Direct ways and relayed ones apart: while a path is on trial every packet comes by both, and that is no change.
    inbound: [Arrivals; 2],
}

/// Packets that went. Zero means never.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Departures {
    told: AtomicU64,
    last: AtomicU64,
    /// The first after a pause.
    burst: AtomicU64,
    /// The last that not every path passes.
    large: AtomicU64,
}

/// Packets that came.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Arrivals {
    told: AtomicU64,
    way: AtomicU64,
    last: AtomicU64,
}

impl Activity {
    /// Notes that a packet went; whether the slow half should hear of it.
    pub fn note_outbound(&self, now: Instant) -> bool {
        let Departures { told, last, burst, .. } = &self.outbound;
        let former = last.load(Ordering::Relaxed);
        note(last, former, now);
        if former == 0 || now.since(Instant::from_nanos(former)) >= PAUSE {
            burst.store(now.as_nanos().max(1), Ordering::Relaxed);
        }
        due(told, now)
    }

    /// Notes that a message of this length went.
    pub fn note_length(&self, length: usize, now: Instant) {
        if length > usize::from(MESSAGE_SURE) {
            note(&self.outbound.large, self.outbound.large.load(Ordering::Relaxed), now);
        }
    }

    /// Notes that a packet came by a way; whether the slow half should hear of it. The lowest bit of the way's hash tells
    /// relayed ways from direct ones.
    pub fn note_inbound(&self, now: Instant, way: u64) -> bool {
        let [direct, relayed] = &self.inbound;
        let arrivals = if way & 1 == 0 { direct } else { relayed };
        let moved = arrivals.way.load(Ordering::Relaxed) != way;
        if moved {
            arrivals.way.store(way, Ordering::Relaxed);
        }
        note(&arrivals.last, arrivals.last.load(Ordering::Relaxed), now);
        due(&arrivals.told, now) || moved
    }

    /// What went and came, as paths want to know it.
    pub fn traffic(&self) -> Traffic {
        let [direct, _] = &self.inbound;
        let time = |cell: &AtomicU64| Some(cell.load(Ordering::Relaxed)).filter(|nanos| *nanos != 0);
        Traffic {
            sent_at: time(&self.outbound.last).map(Instant::from_nanos),
            burst_at: time(&self.outbound.burst).map(Instant::from_nanos),
            large_at: time(&self.outbound.large).map(Instant::from_nanos),
            direct_at: time(&direct.last).map(Instant::from_nanos),
        }
    }
}

/// Packets of one batch have one time: only the first of them writes.
fn note(last: &AtomicU64, former: u64, now: Instant) {
    if former != now.as_nanos() {
        last.store(now.as_nanos().max(1), Ordering::Relaxed);
    }
}

/// Whether the last report is old enough, which makes this the last report. Zero means never.
fn due(last: &AtomicU64, now: Instant) -> bool {
    let told = last.load(Ordering::Relaxed);
    let is_due = told == 0 || now.since(Instant::from_nanos(told)) >= ACTIVITY_EVERY;
    if is_due {
        last.store(now.as_nanos().max(1), Ordering::Relaxed);
    }
    is_due
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn activity_is_told_once_a_second_and_when_the_way_changes() {
        let activity = Activity::default();
        let start = Instant::from_nanos(5_000_000_000);
        assert!(activity.note_outbound(start));
        assert!(!activity.note_outbound(start + Duration::from_millis(999)));
        assert!(activity.note_outbound(start + Duration::from_millis(1000)));
        assert!(activity.note_inbound(start, 2));
        assert!(!activity.note_inbound(start, 2));
        assert!(activity.note_inbound(start, 4));
        assert!(!activity.note_inbound(start, 4));
    }

    #[test]
    fn a_burst_begins_after_a_pause_and_relayed_packets_say_nothing_of_direct_ones() {
        let activity = Activity::default();
        let at = |ms| Instant::from_nanos(5_000_000_000) + Duration::from_millis(ms);
        assert_eq!(activity.traffic(), Traffic::default());
        for ms in [0, 400, 1300, 2400, 2500] {
            activity.note_outbound(at(ms));
        }
        activity.note_inbound(at(2600), 3);
        activity.note_length(1200, at(2500));
        let traffic = Traffic { sent_at: Some(at(2500)), burst_at: Some(at(2400)), large_at: None, direct_at: None };
        assert_eq!(activity.traffic(), traffic);
        activity.note_inbound(at(2700), 2);
        activity.note_length(1312, at(2700));
        assert_eq!(activity.traffic().large_at, Some(at(2700)));
        assert_eq!(activity.traffic().direct_at, Some(at(2700)));
    }

    #[test]
    fn packets_that_come_by_relay_and_directly_are_not_a_change_each() {
        let activity = Activity::default();
        let start = Instant::from_nanos(5_000_000_000);
        let told = (0..100).filter(|packet| activity.note_inbound(start, 2 + packet % 2)).count();
        assert_eq!(told, 2);
    }
}
