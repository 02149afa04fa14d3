//! The ways to one peer through other nodes that relay UDP: asking for an allocation, the handshake with the relay, and
//! the passage that comes of it.
//!
//! All of it runs only while there is traffic and no trusted direct path; a passage ranks below a direct path and above
//! DERP, and has DERP beside it until authenticated bytes have come by it, as any path.
//!
//! What it is not: the relay (`wattle-relay-core`), or the direct paths (`discovery.rs`).
//! Source: tailscale `wgengine/magicsock/relaymanager.go`. Other than there, messages over UDP that get lost are
//! repeated, and a passage whose ping is late has DERP beside it at once.

mod handshake;
mod passage;
mod request;

use std::net::SocketAddr;

use wattle_keys::{DiscoPublic, NodePublic};
use wattle_netmap::RegionId;
use wattle_time::Instant;
use wattle_wire::disco::{AllocateResponse, Allocation, Handshake, Message, TransactionId, in_order};
use wattle_wire::geneve::Vni;

use self::handshake::Handshaking;
use self::passage::SentPing;
use self::request::Request;
use crate::allowance::Allowance;
use crate::disco::Disco;
use crate::limits::{CALLS, HANDSHAKES_MAX, PASSAGES_MAX, PEER_RELAYS_ASKED_MAX, PEER_RELAYS_REFUSED_MAX};
use crate::timing::{
    HEARTBEAT, PASSAGE_KEPT, PEER_RELAY_GRACE, PEER_RELAY_RETRY, PEER_RELAY_SEARCH, PEER_RELAY_UPGRADE, REFUSAL,
    SESSION_ACTIVE,
};
use crate::{Event, Out, PingId, Way};

pub(crate) use self::passage::Passage;

/// A node that relays for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// We ourselves, reached by the peer where we do not reach it.
    Ourselves,
    /// Another node, asked over DERP.
    Peer { node: NodePublic, disco: DiscoPublic, region: RegionId },
}

/// What a call needs from around the peer.
pub(crate) struct Around<'a> {
    pub(crate) disco: &'a mut Disco,
    pub(crate) out: &'a mut Out,
    pub(crate) us: NodePublic,
    pub(crate) peer: NodePublic,
    /// The peer's disco key.
    pub(crate) theirs: DiscoPublic,
    /// Where DERP reaches the peer.
    pub(crate) region: Option<RegionId>,
    /// Whether a direct path is trusted.
    pub(crate) direct: bool,
    /// When both ends insist on different relays, this one gives in.
    pub(crate) yields: bool,
    pub(crate) now: Instant,
}

/// What is known and under way about the passages to one peer.
#[derive(Debug, Default)]
pub(crate) struct Via {
    requests: Vec<Request>,
    handshakes: Vec<Handshaking>,
    /// The passage that data takes, if it takes one.
    best: Option<Passage>,
    /// Others that worked when they were last tried.
    spares: Vec<Passage>,
    /// Relays that answered pings and carried no data, and until when they are left alone.
    refused: Vec<(DiscoPublic, Instant)>,
    calls: Allowance,
    outbound_at: Option<Instant>,
    used_at: Option<Instant>,
    searched_at: Option<Instant>,
    search_due: Option<Instant>,
    heartbeat_due: Option<Instant>,
}

impl Via {
    /// The passage that data takes unless there is a direct path.
    pub(crate) fn best(&self) -> Option<&Passage> {
        self.best.as_ref()
    }

    /// Whether something is under way with a relay.
    pub(crate) fn is_busy(&self) -> bool {
        !self.requests.is_empty() || !self.handshakes.is_empty()
    }

    /// Whether [`Self::search`] is to be called: after each other call.
    pub(crate) fn wants_search(&self, now: Instant) -> bool {
        self.search_due.is_some_and(|due| due <= now)
    }

    /// Whether nothing here is worth its memory any more.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        !self.is_busy()
            && self.search_due.is_none()
            && self.heartbeat_due.is_none()
            && self.used_at.is_none_or(|used| now.since(used) >= PASSAGE_KEPT)
    }

    /// Data went to the peer.
    pub(crate) fn note_outbound(&mut self, around: &mut Around<'_>) {
        let now = around.now;
        let resumes = !self.is_active(now);
        self.outbound_at = Some(now);
        self.used_at = Some(now);
        if around.direct {
            return;
        }
        if let Some(best) = &mut self.best {
            best.note_outbound(now);
            if resumes || self.heartbeat_due.is_none() {
                self.heartbeat_due = Some(now);
            }
        }
        if self.search_due.is_none() {
            let earliest = self.searched_at.map_or(now, |searched| searched + PEER_RELAY_SEARCH);
            self.search_due = Some(earliest.max(now + PEER_RELAY_GRACE));
        }
        self.handle_timeout(around);
    }

    /// Authenticated bytes came through a relay.
    pub(crate) fn note_inbound(&mut self, server: SocketAddr, vni: Vni, around: &mut Around<'_>) {
        let now = around.now;
        self.used_at = Some(now);
        if let Some(best) = self.best.as_mut().filter(|best| best.is(server, vni)) {
            return best.note_data();
        }
        if let Some(at) = self.spares.iter().position(|spare| spare.is(server, vni)) {
            match &mut self.best {
                // The peer insists on another relay: that both carry data is known as well.
                Some(best) if best.is_trusted() && !around.yields => best.note_data(),
                _ => {
                    let mut adopted = self.spares.swap_remove(at);
                    adopted.note_data();
                    adopted.ping(None, around);
                    self.replace_best(adopted);
                }
            }
        } else if let Some(handshake) = self.handshakes.iter_mut().find(|handshake| handshake.is(server, vni)) {
            handshake.note_data();
        }
    }

    /// Authenticated bytes came by DERP: perhaps only so.
    pub(crate) fn note_data_by_derp(&mut self, now: Instant) {
        if let Some(best) = &mut self.best {
            best.note_data_elsewhere(now);
        }
    }

    /// The tunnel doubts that its packets arrive.
    pub(crate) fn doubt(&mut self) {
        if let Some(best) = &mut self.best {
            best.doubt();
        }
    }

    /// Our own network is another one: no relay knows our address any more.
    pub(crate) fn reset(&mut self, around: &mut Around<'_>) {
        self.handshakes.clear();
        self.spares.clear();
        if let Some(best) = &mut self.best {
            best.distrust();
            best.doubt();
        }
        if self.is_active(around.now) && !around.direct {
            self.search_due = Some(around.now);
            self.handle_timeout(around);
        }
    }

    /// A relay says what it has set aside. Returns whether we have asked for it.
    pub(crate) fn handle_response(
        &mut self,
        from: NodePublic,
        response: &AllocateResponse,
        around: &mut Around<'_>,
    ) -> bool {
        let Some(at) = self.requests.iter().position(|request| request.is_answered_by(from, response, around.us))
        else {
            return false;
        };
        self.requests.swap_remove(at);
        if self.concerns_us(&response.allocation, around) {
            if let Some(region) = around.region {
                let call = Message::CallMeMaybeVia(response.allocation.clone());
                around.write_to_peer(Way::Relay { region, peer: around.peer }, &call);
            }
            self.meet(&response.allocation, around);
        }
        true
    }

    /// The peer wants to meet at a relay.
    pub(crate) fn handle_call(&mut self, allocation: &Allocation, around: &mut Around<'_>) {
        if self.calls.take(CALLS, around.now) && self.concerns_us(allocation, around) {
            self.used_at = Some(around.now);
            self.meet(allocation, around);
        }
    }

    /// Whether this relay may have sent a challenge for the allocation.
    pub(crate) fn find_handshake(&self, server: &DiscoPublic, vni: Vni) -> Option<&Handshaking> {
        self.handshakes.iter().find(|handshake| handshake.is_with(server, vni))
    }

    /// A relay wants to see that its packets reach us.
    pub(crate) fn handle_challenge(
        &mut self,
        server: &DiscoPublic,
        from: SocketAddr,
        challenge: &Handshake,
        around: &mut Around<'_>,
    ) {
        if let Some(handshake) = self.handshakes.iter_mut().find(|one| one.is_with(server, challenge.vni)) {
            handshake.handle_challenge(from, challenge, around);
        }
    }

    /// The peer pinged us through a relay: its handshake is done, so ours will get through.
    pub(crate) fn note_ping_from(&mut self, server: SocketAddr, vni: Vni, around: &mut Around<'_>) {
        if let Some(handshake) = self.handshakes.iter_mut().find(|handshake| handshake.is(server, vni)) {
            handshake.note_ping(around);
        } else if let Some(best) = self.best.as_mut().filter(|best| best.is(server, vni) && !best.is_trusted()) {
            best.ping_again(around);
        }
    }

    /// An answer came through a relay. Returns whether it was one of ours.
    pub(crate) fn handle_pong(
        &mut self,
        server: SocketAddr,
        vni: Vni,
        transaction: TransactionId,
        around: &mut Around<'_>,
    ) -> bool {
        let now = around.now;
        for passage in self.best.iter_mut().chain(&mut self.spares).filter(|passage| passage.is(server, vni)) {
            if let Some(SentPing { sent_at, asked, .. }) = passage.note_pong(transaction, now) {
                self.used_at = Some(now);
                if let Some(id) = asked {
                    let (peer, way, latency) = (around.peer, passage.way(), now.since(sent_at));
                    around.out.events.push(Event::PingAnswered { id, peer, way, latency });
                }
                return true;
            }
        }
        let answered = |handshake: &Handshaking| handshake.is(server, vni) && handshake.sent_at(transaction).is_some();
        let Some(at) = self.handshakes.iter().position(answered) else { return false };
        if let Some(passage) = self.handshakes.swap_remove(at).conclude(transaction, now) {
            self.used_at = Some(now);
            self.accept(passage, around);
        }
        true
    }

    /// A person wants to know which way answers first.
    pub(crate) fn ask(&mut self, id: PingId, around: &mut Around<'_>) {
        if let Some(best) = &mut self.best {
            best.ping(Some(id), around);
        }
    }

    /// Lets time pass.
    pub(crate) fn handle_timeout(&mut self, around: &mut Around<'_>) {
        let now = around.now;
        self.refused.retain(|(_, until)| now < *until);
        self.requests.retain_mut(|request| request.handle_timeout(around));
        self.handshakes.retain_mut(|handshake| handshake.handle_timeout(around));
        self.spares.retain(|spare| !spare.is_over(now));
        if let Some(best) = &mut self.best {
            let verdict = best.handle_timeout(around);
            if verdict == passage::Verdict::CarriesNothing && self.refused.len() < PEER_RELAYS_REFUSED_MAX {
                self.refused.push((best.server_key, now + REFUSAL));
            }
            if verdict != passage::Verdict::Stays {
                self.best = None;
                self.promote_spare(around);
                let earliest = self.searched_at.map_or(now, |searched| searched + PEER_RELAY_RETRY);
                self.search_due = Some(earliest.max(now));
            }
        }
        if !self.is_active(now) || around.direct {
            self.heartbeat_due = None;
            self.search_due = None;
            return;
        }
        if self.heartbeat_due.is_some_and(|due| due <= now) {
            self.heartbeat_due = Some(now + HEARTBEAT);
            if let Some(best) = &mut self.best {
                best.ping(None, around);
            }
        }
    }

    /// When the next thing is due, and what.
    pub(crate) fn next_due(&self) -> Option<(Instant, &'static str)> {
        let requests = self.requests.iter().map(Request::next_due);
        let handshakes = self.handshakes.iter().map(Handshaking::next_due);
        let best = self.best.as_ref().and_then(Passage::next_due);
        let beat = self.heartbeat_due.map(|due| (due, "heartbeat through a peer relay"));
        let search = self.search_due.map(|due| (due, "search for a peer relay"));
        let rests = !self.is_busy() && beat.is_none() && search.is_none();
        let over = self.used_at.filter(|_| rests).map(|used| (used + PASSAGE_KEPT, "passages of an unused peer"));
        requests.chain(handshakes).chain([best, beat, search, over].into_iter().flatten()).min()
    }

    fn is_active(&self, now: Instant) -> bool {
        self.outbound_at.is_some_and(|outbound| now.since(outbound) < SESSION_ACTIVE)
    }

    /// Asks these relays for an allocation.
    pub(crate) fn search(&mut self, servers: &[Server], around: &mut Around<'_>) {
        let now = around.now;
        self.searched_at = Some(now);
        let content = self.best.as_ref().is_some_and(Passage::is_trusted);
        self.search_due = Some(now + if content { PEER_RELAY_UPGRADE } else { PEER_RELAY_SEARCH });
        for server in servers.iter().take(PEER_RELAYS_ASKED_MAX) {
            if !self.requests.iter().any(|request| request.server == *server) {
                self.requests.push(Request::send(*server, around));
            }
        }
    }

    fn concerns_us(&self, allocation: &Allocation, around: &Around<'_>) -> bool {
        let is_refused = self.refused.iter().any(|(server, _)| *server == allocation.server);
        allocation.clients == in_order(around.disco.public(), around.theirs) && !is_refused
    }

    /// Begins the handshake with a relay, unless one with the same or a newer allocation of it is under way or works.
    fn meet(&mut self, allocation: &Allocation, around: &mut Around<'_>) {
        let known = self.handshakes.iter().position(|handshake| handshake.server() == allocation.server);
        if let Some(at) = known {
            if self.handshakes[at].lamport_id() >= allocation.lamport_id {
                return;
            }
            self.handshakes.swap_remove(at);
        }
        let same = |passage: &&Passage| passage.server_key == allocation.server && passage.vni == allocation.vni;
        let best_works = self.best.as_ref().filter(same).is_some_and(Passage::is_trusted);
        let spare_works = self.spares.iter().find(same).is_some_and(|spare| spare.has_answered_lately(around.now));
        // A new handshake could bind another of our addresses, and packets on the passage would be dropped meanwhile.
        if best_works || spare_works || self.handshakes.len() >= HANDSHAKES_MAX {
            return;
        }
        self.handshakes.extend(Handshaking::begin(allocation, around));
    }

    /// A passage works. The one of two ends that does not yield chooses between several.
    fn accept(&mut self, passage: Passage, around: &mut Around<'_>) {
        self.spares.retain(|spare| spare.server_key != passage.server_key);
        let take = match &self.best {
            None => true,
            Some(best) if !best.is_trusted() || best.server_key == passage.server_key => true,
            Some(best) => !around.yields && passage.is_clearly_better_than(best),
        };
        if !take {
            self.keep_spare(passage);
            return;
        }
        let renewed = self.best.take_if(|best| best.server_key == passage.server_key);
        debug_assert!(renewed.is_none_or(|old| old.server_key == passage.server_key));
        self.replace_best(passage);
        if self.is_active(around.now) && !around.direct {
            self.heartbeat_due = Some(around.now + HEARTBEAT);
        }
    }

    fn replace_best(&mut self, passage: Passage) {
        if let Some(former) = self.best.replace(passage) {
            self.keep_spare(former);
        }
    }

    /// Nobody pings a spare, so it is not known to work: it has to show that again when it is needed.
    fn keep_spare(&mut self, mut passage: Passage) {
        passage.distrust();
        if self.spares.len() >= PASSAGES_MAX {
            self.spares.remove(0);
        }
        self.spares.push(passage);
    }

    /// The best passage is gone: one that worked before may still do.
    fn promote_spare(&mut self, around: &mut Around<'_>) {
        let now = around.now;
        let usable =
            |spare: &Passage| !self.refused.iter().any(|(server, until)| *server == spare.server_key && now < *until);
        if let Some(at) = self.spares.iter().position(usable) {
            let mut spare = self.spares.swap_remove(at);
            spare.doubt();
            spare.ping(None, around);
            self.best = Some(spare);
        }
    }
}

impl Around<'_> {
    /// Writes to the peer by a way.
    fn write_to_peer(&mut self, way: Way, message: &Message) {
        if let Some(mut pen) = self.disco.pen(&self.theirs, self.out) {
            pen.write(way, message);
        }
    }

    /// Pings the peer by a way; `None` when it cannot be written to.
    fn ping_peer(&mut self, way: Way) -> Option<TransactionId> {
        Some(self.disco.pen(&self.theirs, self.out)?.ping(way))
    }
}
