//! Which relay regions we are connected to. The home region always; others while they are of use.
//!
//! A machine: it says which link to open and close, and the driver says what became of it. Packets for a link that is
//! being made wait in a short queue.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use wattle_keys::NodePublic;
use wattle_netmap::RegionId;
use wattle_time::{Deadline, Instant, earliest};

use crate::limits::{
    HOME_PATIENCE, HOME_PATIENCE_FIRST, RELAY_BACKOFF, RELAY_EAGER_MAX, RELAY_EAGER_WAIT, RELAY_IDLE, RELAY_LINKS_MAX,
    RELAY_PACKETS_WAITING_MAX, RELAY_RESTART_MAX,
};

/// The links to relays.
#[derive(Debug, Default)]
pub(crate) struct RelayLinks {
    home: Option<RegionId>,
    links: BTreeMap<RegionId, Link>,
}

/// What the driver should do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Open(RegionId),
    Close(RegionId),
    Check(RegionId),
    Prefer(RegionId, bool),
    Send(RegionId, NodePublic, Vec<u8>),
    /// The home's link has not been open for too long.
    HomeDown(RegionId),
}

#[derive(Debug)]
struct Link {
    state: State,
    used: Instant,
    /// When [`Action::HomeDown`] is due if it stays closed and is the home's; `None`: it is open, or that was said.
    down_due: Option<Instant>,
    wait: Duration,
    /// Until then a relay that restarts is called at short intervals.
    eager_until: Instant,
    waiting: VecDeque<(NodePublic, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    Lost { again: Instant },
}

impl RelayLinks {
    /// Makes a region our home: its link is opened now and kept.
    pub(crate) fn set_home(&mut self, home: Option<RegionId>, now: Instant, out: &mut Vec<Action>) {
        if self.home == home {
            return;
        }
        let old = std::mem::replace(&mut self.home, home);
        for (region, preferred) in [(old, false), (home, true)] {
            if let Some(region) = region
                && self.is_open(region)
            {
                out.push(Action::Prefer(region, preferred));
            }
        }
        if let Some(region) = home {
            self.want(region, now, out);
        }
    }

    pub(crate) fn is_open(&self, region: RegionId) -> bool {
        self.links.get(&region).is_some_and(|link| link.state == State::Open)
    }

    /// Sends by a region, opening its link when there is none.
    pub(crate) fn send(
        &mut self,
        region: RegionId,
        peer: NodePublic,
        message: Vec<u8>,
        now: Instant,
        out: &mut Vec<Action>,
    ) {
        self.want(region, now, out);
        let Some(link) = self.links.get_mut(&region) else { return };
        if link.state == State::Open {
            out.push(Action::Send(region, peer, message));
            return;
        }
        if link.waiting.len() >= RELAY_PACKETS_WAITING_MAX {
            link.waiting.pop_front();
        }
        link.waiting.push_back((peer, message));
    }

    /// Something came by a region, which makes it worth keeping.
    pub(crate) fn note_use(&mut self, region: RegionId, now: Instant) {
        if let Some(link) = self.links.get_mut(&region) {
            link.used = now;
        }
    }

    pub(crate) fn handle_open(&mut self, region: RegionId, now: Instant, out: &mut Vec<Action>) {
        let Some(link) = self.links.get_mut(&region) else {
            out.push(Action::Close(region));
            return;
        };
        link.state = State::Open;
        link.down_due = None;
        link.used = now;
        link.wait = RELAY_BACKOFF.0;
        out.push(Action::Prefer(region, self.home == Some(region)));
        for (peer, message) in link.waiting.drain(..) {
            out.push(Action::Send(region, peer, message));
        }
    }

    pub(crate) fn handle_lost(&mut self, region: RegionId, now: Instant) {
        if let Some(link) = self.links.get_mut(&region) {
            if link.state == State::Open {
                link.down_due = Some(now + HOME_PATIENCE);
            }
            let longest = if now < link.eager_until { RELAY_EAGER_WAIT } else { RELAY_BACKOFF.1 };
            link.wait = link.wait.min(longest);
            link.state = State::Lost { again: now + link.wait };
            link.wait = (link.wait * 2).min(longest);
        }
    }

    /// Regions that are no longer in the map, or all when we go down.
    pub(crate) fn forget(&mut self, gone: impl Fn(RegionId) -> bool, out: &mut Vec<Action>) {
        self.links.retain(|region, link| {
            let keep = !gone(*region);
            if !keep && !matches!(link.state, State::Lost { .. }) {
                out.push(Action::Close(*region));
            }
            keep
        });
        if self.home.is_some_and(gone) {
            self.home = None;
        }
    }

    /// Our network changed. Open links may have survived it: they are asked. Everything else starts afresh, and at once:
    /// what did not work in the old network may work in this one.
    pub(crate) fn doubt(&mut self, now: Instant, out: &mut Vec<Action>) {
        for (region, link) in &mut self.links {
            link.wait = RELAY_BACKOFF.0;
            if link.state != State::Open {
                link.down_due = Some(now + HOME_PATIENCE_FIRST);
            }
            match link.state {
                State::Open => out.push(Action::Check(*region)),
                // The old network's dial would hang for seconds.
                State::Opening => out.extend([Action::Close(*region), Action::Open(*region)]),
                State::Lost { .. } => link.state = State::Lost { again: now },
            }
        }
        self.handle_timeout(now, out);
    }

    /// A relay goes, and asked us to come back after a while and to try for a while.
    pub(crate) fn handle_restart(&mut self, region: RegionId, reconnect_in: Duration, try_for: Duration, now: Instant) {
        if let Some(link) = self.links.get_mut(&region) {
            let again = now + reconnect_in.min(RELAY_RESTART_MAX);
            if link.state == State::Open {
                link.down_due = Some(again + HOME_PATIENCE);
            }
            link.state = State::Lost { again };
            link.wait = RELAY_BACKOFF.0;
            link.eager_until = again + try_for.min(RELAY_EAGER_MAX);
        }
    }

    /// Makes every link anew: we have another key.
    pub(crate) fn reset(&mut self, now: Instant, out: &mut Vec<Action>) {
        for (region, link) in &mut self.links {
            if link.state == State::Open {
                out.push(Action::Close(*region));
                out.push(Action::Open(*region));
                link.state = State::Opening;
                link.down_due = Some(now + HOME_PATIENCE_FIRST);
            } else if matches!(link.state, State::Lost { .. }) {
                link.state = State::Lost { again: now };
            }
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        let home = self.home;
        if let Some((region, link)) = self.home_link()
            && link.down_due.take_if(|due| *due <= now).is_some()
        {
            out.push(Action::HomeDown(region));
        }
        self.links.retain(|region, link| {
            let is_home = home == Some(*region);
            let idle = !is_home && now.since(link.used) >= RELAY_IDLE;
            match link.state {
                State::Lost { .. } if idle => return false,
                State::Lost { again } if again <= now => {
                    link.state = State::Opening;
                    out.push(Action::Open(*region));
                }
                State::Open if idle => {
                    out.push(Action::Close(*region));
                    return false;
                }
                State::Lost { .. } | State::Open | State::Opening => {}
            }
            true
        });
    }

    pub(crate) fn next_timeout(&self) -> Option<Deadline> {
        let down = self.home.and_then(|home| self.links.get(&home)).and_then(|link| link.down_due);
        let down = down.map(|due| Deadline::at(due, "home relay is down"));
        let links = self.links.iter().map(|(region, link)| match link.state {
            State::Lost { again } => Some(Deadline::at(again, "relay link to make again")),
            State::Open if self.home != Some(*region) => {
                let idle = link.used + RELAY_IDLE;
                Some(Deadline::between(idle, idle + RELAY_IDLE / 4, "relay link to close"))
            }
            State::Open | State::Opening => None,
        });
        earliest(links.chain([down]))
    }

    fn home_link(&mut self) -> Option<(RegionId, &mut Link)> {
        let home = self.home?;
        self.links.get_mut(&home).map(|link| (home, link))
    }

    fn want(&mut self, region: RegionId, now: Instant, out: &mut Vec<Action>) {
        if let Some(link) = self.links.get_mut(&region) {
            link.used = now;
        } else if self.links.len() < RELAY_LINKS_MAX {
            let link = Link {
                state: State::Opening,
                used: now,
                down_due: Some(now + HOME_PATIENCE_FIRST),
                wait: RELAY_BACKOFF.0,
                eager_until: now,
                waiting: VecDeque::new(),
            };
            self.links.insert(region, link);
            out.push(Action::Open(region));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: RegionId = RegionId(1);
    const FAR: RegionId = RegionId(2);
    const START: Instant = Instant::from_nanos(1_000_000_000_000);

    fn peer() -> NodePublic {
        NodePublic::from_bytes([9; 32])
    }

    #[test]
    fn packets_wait_for_the_link_and_the_oldest_give_way() {
        let (mut links, mut out) = (RelayLinks::default(), Vec::new());
        for number in 0..40u8 {
            links.send(FAR, peer(), vec![number], START, &mut out);
        }
        assert_eq!(out, [Action::Open(FAR)]);
        out.clear();
        links.handle_open(FAR, START, &mut out);
        let sent: Vec<u8> = out
            .iter()
            .filter_map(|action| if let Action::Send(_, _, bytes) = action { bytes.first().copied() } else { None })
            .collect();
        assert_eq!(sent, (8..40).collect::<Vec<u8>>());
    }

    #[test]
    fn the_home_stays_and_others_close_when_idle() {
        let (mut links, mut out) = (RelayLinks::default(), Vec::new());
        links.set_home(Some(HOME), START, &mut out);
        links.send(FAR, peer(), vec![1], START, &mut out);
        links.handle_open(HOME, START, &mut out);
        links.handle_open(FAR, START, &mut out);
        out.clear();
        links.handle_timeout(START + RELAY_IDLE, &mut out);
        assert_eq!(out, [Action::Close(FAR)]);
        assert!(links.is_open(HOME) && links.next_timeout().is_none());
    }

    #[test]
    fn a_lost_home_is_made_again_with_growing_waits() {
        let (mut links, mut out) = (RelayLinks::default(), Vec::new());
        links.set_home(Some(HOME), START, &mut out);
        let mut now = START + HOME_PATIENCE_FIRST;
        links.handle_timeout(now, &mut out);
        assert_eq!(out.last(), Some(&Action::HomeDown(HOME)));
        let mut waits = Vec::new();
        for _ in 0..7 {
            links.handle_lost(HOME, now);
            let next = links.next_timeout().unwrap().latest;
            waits.push(next.since(now));
            now = next;
            out.clear();
            links.handle_timeout(now, &mut out);
            assert_eq!(out, [Action::Open(HOME)]);
        }
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(waits.last(), Some(&RELAY_BACKOFF.1));
    }

    #[test]
    fn a_home_that_does_not_come_back_soon_is_said_to_be_down_once() {
        let (mut links, mut out) = (RelayLinks::default(), Vec::new());
        links.set_home(Some(HOME), START, &mut out);
        links.handle_open(HOME, START, &mut out);
        links.handle_lost(HOME, START);
        let mut downs = Vec::new();
        for ms in (0..20_000).step_by(100) {
            let now = START + Duration::from_millis(ms);
            out.clear();
            links.handle_timeout(now, &mut out);
            if out.contains(&Action::Open(HOME)) {
                links.handle_lost(HOME, now);
            }
            if out.contains(&Action::HomeDown(HOME)) {
                downs.push(now.since(START));
            }
        }
        assert_eq!(downs, [HOME_PATIENCE]);
        links.handle_open(HOME, START, &mut out);
        links.handle_lost(HOME, START + Duration::from_secs(30));
        links.handle_open(HOME, START + Duration::from_secs(31), &mut out);
        out.clear();
        links.handle_timeout(START + Duration::from_secs(40), &mut out);
        assert_eq!(out, []);
    }

    #[test]
    fn a_new_network_asks_open_links_and_dials_the_others_at_once() {
        const LOST: RegionId = RegionId(3);
        let (mut links, mut out) = (RelayLinks::default(), Vec::new());
        links.set_home(Some(HOME), START, &mut out);
        links.handle_open(HOME, START, &mut out);
        links.send(FAR, peer(), vec![1], START, &mut out);
        links.send(LOST, peer(), vec![1], START, &mut out);
        for _ in 0..6 {
            links.handle_lost(LOST, START);
        }
        out.clear();
        links.doubt(START, &mut out);
        assert_eq!(out, [Action::Check(HOME), Action::Close(FAR), Action::Open(FAR), Action::Open(LOST)]);
        links.handle_lost(LOST, START);
        assert_eq!(links.next_timeout().unwrap().latest, START + RELAY_BACKOFF.0, "waits start small again");
    }

    #[test]
    fn a_relay_that_restarts_is_called_when_it_said_but_not_in_an_hour() {
        let (mut links, mut out) = (RelayLinks::default(), Vec::new());
        links.send(FAR, peer(), vec![1], START, &mut out);
        for (asked, waits) in [(1, 1), (3600, RELAY_RESTART_MAX.as_secs())] {
            links.handle_open(FAR, START, &mut out);
            links.handle_restart(FAR, Duration::from_secs(asked), Duration::from_secs(20), START);
            assert_eq!(links.next_timeout().unwrap().latest, START + Duration::from_secs(waits));
        }
        // While it may be on its way up it is called often, later as rarely as any other.
        let mut wait_after_failures = |now| {
            for _ in 0..9 {
                links.handle_lost(FAR, now);
            }
            links.next_timeout().unwrap().latest.since(now)
        };
        assert_eq!(wait_after_failures(START + Duration::from_secs(20)), RELAY_EAGER_WAIT);
        assert_eq!(wait_after_failures(START + Duration::from_secs(60)), RELAY_BACKOFF.1);
    }

    #[test]
    fn a_region_that_left_the_map_is_forgotten() {
        let (mut links, mut out) = (RelayLinks::default(), Vec::new());
        links.set_home(Some(HOME), START, &mut out);
        links.handle_open(HOME, START, &mut out);
        out.clear();
        links.forget(|region| region == HOME, &mut out);
        assert_eq!(out, [Action::Close(HOME)]);
        assert!(!links.is_open(HOME));
    }
}
