//! Whether data passes by the nominated path: looked at while data goes out, asked when something looks wrong.
//!
//! A *question* is a disco ping and a sealed ping that go by the path alone. An answered sealed ping proves the path, an
//! unanswered one puts the relay beside it; when the disco ping is not answered either, everything is tried anew.

use std::net::SocketAddr;
use std::time::Duration;

use wattle_time::Instant;

use super::{Discovery, Surroundings};
use crate::timing::{
    HEARTBEAT, HEARTBEAT_LATE, LOOK, MUTE, QUESTION, QUESTION_PACE, QUESTION_PACE_MAX, QUIET, RESCUE_INTERVAL, SILENCE,
    TRIAL_PACE, UNANSWERED, UPGRADE_INTERVAL,
};
use crate::{Event, ProofToken, Traffic, Way};

/// What is looked at and asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    look_at: Option<Instant>,
    question: Option<Question>,
    asked_at: Option<Instant>,
    answered_at: Option<Instant>,
    pace: Duration,
    /// The peer has answered a sealed ping, so the absence of an answer means something.
    pub(super) answers_sealed: bool,
    /// From where its data came last, of the direct ways.
    pub(super) source: Option<SocketAddr>,
    /// Questions that were asked only to find that out.
    trials: u32,
    rescued_at: Option<Instant>,
}

/// Questions in a row to find out whether a peer answers sealed pings; then one a minute.
const TRIALS_MAX: u32 = 5;

/// A question that waits for its answer.
#[derive(Clone, Copy, Debug)]
struct Question {
    token: ProofToken,
    to: SocketAddr,
    /// A disco pong from then on answers its disco part.
    since: Instant,
    again_at: Option<Instant>,
    ends_at: Instant,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            look_at: None,
            question: None,
            asked_at: None,
            answered_at: None,
            pace: QUESTION_PACE,
            answers_sealed: false,
            source: None,
            trials: 0,
            rescued_at: None,
        }
    }
}

impl Watch {
    /// Data goes out: look soon, if no look is planned.
    pub(super) fn wake(&mut self, now: Instant) {
        self.look_at.get_or_insert(now + LOOK);
    }

    /// Nothing goes out any more.
    pub(super) fn rest(&mut self) {
        self.look_at = None;
    }

    /// Another path is in use, or another network: nothing observed counts.
    pub(super) fn forget(&mut self) {
        self.question = None;
        self.asked_at = None;
        self.answered_at = None;
        self.pace = QUESTION_PACE;
    }

    pub(super) fn take_look(&mut self, now: Instant) -> bool {
        self.look_at.take_if(|look| *look <= now).is_some()
    }

    pub(super) fn due(&self, active: bool) -> Option<(Instant, &'static str)> {
        let look = self.look_at.filter(|_| active).map(|look| (look, "look at the data"));
        let question =
            self.question.map(|question| (question.again_at.unwrap_or(question.ends_at), "question on the path"));
        [look, question].into_iter().flatten().min()
    }

    /// Whether it is time to find out if the peer answers sealed pings: at first there may have been no session.
    fn is_curious(&self, now: Instant) -> bool {
        let pace = if self.trials < TRIALS_MAX { QUESTION_PACE } else { UPGRADE_INTERVAL };
        !self.answers_sealed && self.is_rested(pace, now)
    }

    fn is_rested(&self, pace: Duration, now: Instant) -> bool {
        self.question.is_none() && self.asked_at.is_none_or(|asked| now.since(asked) >= pace)
    }
}

impl Discovery {
    /// What the data path has sent and got, in answer to [`Event::WantTraffic`].
    pub(crate) fn handle_traffic(&mut self, traffic: Traffic, around: &mut Surroundings<'_>) {
        let now = around.now;
        let (Some(best), Some(sent)) = (self.best, traffic.sent_at) else { return };
        if now.since(sent) >= QUIET {
            return;
        }
        self.outbound_at = self.outbound_at.max(Some(sent));
        let heard = traffic.direct_at.filter(|_| self.watch.source.is_some_and(|source| self.carries(source)));
        let patience = SILENCE.max(best.latency * 4);
        let is_unanswered = heard.is_none_or(|heard| sent > heard);
        let since = heard.max(traffic.burst_at).unwrap_or(sent);
        let silent = is_unanswered && now.since(since) >= patience;
        // While something is on its way, as soon as it is late; not at once again when it is.
        let next = if is_unanswered && !silent { (since + patience).max(now + LOOK / 5) } else { now + LOOK };
        self.watch.look_at = Some(next.min(now + LOOK));
        if traffic.large_at.is_some_and(|large| now.since(large) < QUIET) {
            self.mtu.check(now);
            self.measure_mtu(around);
        }
        if best.is_proven() {
            let is_late = self.heartbeat_is_late(&best.address, HEARTBEAT_LATE.max(best.latency * 4), now);
            if !silent && !is_late {
                self.watch.pace = QUESTION_PACE;
            }
            // Where disco has been silent for long and data comes all the same, its silence is no news.
            let pace = if silent && heard > self.watch.asked_at {
                // It is another silence than the one that was asked about.
                LOOK
            } else if silent || !self.is_mute(&best.address, now) {
                self.watch.pace
            } else {
                HEARTBEAT
            };
            if (silent || is_late) && self.watch.is_rested(pace, now) {
                self.question(around);
            } else if self.watch.is_curious(now) {
                self.watch.trials += 1;
                self.question(around);
            }
            if silent && !self.watch.answers_sealed && now.since(since) >= UNANSWERED {
                self.doubt();
            }
        } else {
            let pace = TRIAL_PACE.get(best.failed() as usize).or(TRIAL_PACE.last()).copied().unwrap_or(UNANSWERED);
            if self.watch.is_rested(pace, now) {
                self.question(around);
            }
        }
    }

    /// The peer sends by a relay what it could send by our path. If it does so because ours do not arrive there, what we
    /// send has to take the relay too, at once; and whether it does has to be asked.
    pub(super) fn suspect_since_peer_does(&mut self, around: &mut Surroundings<'_>) {
        let now = around.now;
        let is_active = self.is_active(now);
        let Some(best) = &mut self.best else { return };
        // Copies that were slower by the relay than the answer to our last question.
        let patience = QUESTION_PACE.max(best.latency * 8);
        let is_fresh = self.watch.answered_at.is_some_and(|answered| now.since(answered) < patience);
        let is_new = now.since(best.since) < patience;
        if is_active && best.is_certain() && !is_fresh && !is_new {
            best.suspect();
            self.question(around);
        }
    }

    /// Asks whether data passes by the nominated path.
    pub(super) fn question(&mut self, around: &mut Surroundings<'_>) {
        let now = around.now;
        let Some(best) = self.best else { return };
        // Without traffic of ours it matters to nobody, and two nodes must not keep each other awake.
        if self.watch.question.is_some() || !self.is_active(now) {
            return;
        }
        let to = Way::Udp(best.address);
        let token = self.send_sealed(to, around);
        let has_answered =
            self.candidates.get(&best.address).is_some_and(|candidate| candidate.answered_since(now - QUESTION));
        let is_mute = best.is_proven() && self.is_mute(&best.address, now);
        if !has_answered && !is_mute {
            self.send_ping(to, None, around);
        }
        if (!best.is_proven() || !self.watch.answers_sealed)
            && let Some(relay) = around.relay_way()
        {
            // It shows whether the peer answers at all, and shows the peer that we doubt.
            self.send_sealed(relay, around);
        }
        let patience = QUESTION.max(best.latency * 3);
        let (again_at, ends_at) = (Some(now + patience / 2), now + patience);
        let since = if has_answered { now - QUESTION } else { now };
        self.watch.question = Some(Question { token, to: best.address, since, again_at, ends_at });
        self.watch.asked_at = Some(now);
    }

    /// Repeats a question, or draws the conclusion from its not being answered.
    pub(super) fn judge_question(&mut self, around: &mut Surroundings<'_>) {
        let now = around.now;
        let Some(question) = &mut self.watch.question else { return };
        if question.ends_at > now {
            if question.again_at.take_if(|again| *again <= now).is_some() {
                let (to, token) = (Way::Udp(question.to), question.token);
                around.pen.out.events.push(Event::SendProof { peer: around.peer, to, token });
            }
            return;
        }
        let question = *question;
        self.watch.question = None;
        let Some(best) = self.best.as_mut().filter(|best| best.address == question.to) else { return };
        let answers_pings =
            self.candidates.find(&question.to).is_some_and(|candidate| candidate.answered_since(question.since));
        if answers_pings && !self.watch.answers_sealed {
            // It may be one that never answers sealed pings.
            best.clear_suspicion();
            return;
        }
        let carried = best.is_proven();
        best.note_unanswered();
        if carried && let Some(relay) = around.relay_way() {
            // So that the peer answers by the relay from now on, and does not wait for our data to get there.
            self.send_sealed(relay, around);
        }
        if !answers_pings {
            if let Some(best) = &mut self.best {
                best.distrust();
            }
            self.rescue(around);
        }
    }

    /// A sealed ping was answered.
    pub(crate) fn handle_proof(&mut self, token: ProofToken, around: &mut Surroundings<'_>) {
        let now = around.now;
        let Some(ping) = self.sealed.take(token, now) else { return };
        self.used_at = now;
        self.watch.answers_sealed = true;
        let Way::Udp(address) = ping.to else { return };
        let latency = now.since(ping.sent_at);
        let is_best = self.best_address() == Some(address);
        match self.candidates.find(&address) {
            // What it says of the latency includes how long the data path took on both sides; pings are more exact.
            Some(candidate) if is_best => candidate.note_data(),
            Some(candidate) => candidate.note_passed(latency, now),
            None => return,
        }
        let Some(best) = self.best.as_mut().filter(|_| is_best) else {
            self.consider(address, true, around);
            return;
        };
        best.note_passed(now);
        self.watch.answered_at = Some(now);
        if self.watch.question.take_if(|question| question.token == token).is_some() {
            self.watch.pace = (self.watch.pace * 2).min(QUESTION_PACE_MAX);
        }
        self.measure_mtu(around);
    }

    /// Whether data from this address speaks for the nominated path.
    pub(super) fn carries(&self, source: SocketAddr) -> bool {
        let Some(best) = self.best else { return false };
        best.is_proven_by(&source) || self.candidates.answers_from(&best.address) == Some(source)
    }

    /// Whether the address has left disco pings unanswered for long.
    fn is_mute(&self, address: &SocketAddr, now: Instant) -> bool {
        self.candidates.get(address).is_none_or(|candidate| !candidate.answered_since(now - MUTE))
    }

    /// Nothing passes any more by the path in use: whatever may be better is tried at once.
    fn rescue(&mut self, around: &mut Surroundings<'_>) {
        let now = around.now;
        if self.watch.rescued_at.is_some_and(|rescued| now.since(rescued) < RESCUE_INTERVAL) {
            return;
        }
        self.watch.rescued_at = Some(now);
        self.candidates.iter_mut().for_each(|(_, candidate)| candidate.hurry());
        self.start_over();
        self.run_round_if_due(around);
        if !self.owes_call {
            // Our own mapping may be what is gone: the peer is told the new one when it is found.
            self.owes_call = true;
            around.pen.out.events.push(Event::WantFreshEndpoints);
        }
    }

    /// Sends a sealed ping.
    pub(super) fn send_sealed(&mut self, to: Way, around: &mut Surroundings<'_>) -> ProofToken {
        let token = around.pen.proof_token();
        self.sealed.note_sent(token, to, around.now);
        around.pen.out.events.push(Event::SendProof { peer: around.peer, to, token });
        token
    }
}
