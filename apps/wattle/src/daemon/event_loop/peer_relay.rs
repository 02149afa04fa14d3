//! The relay for peers, as far as the event loop has to do with it.

use wattle_keys::NodePublic;
use wattle_node::Out;
use wattle_time::Instant;
use wattle_wire::disco::AllocateRequest;

use super::{EventLoop, now};
use crate::daemon::peer_relay::{RelaySeat, Wish};

impl EventLoop {
    /// Does something with the relay, and looks up the names that it wants to know then.
    pub(super) fn look_up<T>(&mut self, act: impl FnOnce(&mut RelaySeat, Instant, T) -> Vec<String>, with: T) {
        for host in act(&mut self.peer_relay, now().mono, with) {
            self.chores.resolve(host);
        }
    }

    /// The preferences or the map changed: there may have to be a relay, or none.
    pub(super) fn refresh_peer_relay(&mut self) {
        let wish = Wish::of(&self.saved.prefs, self.node.may_relay());
        self.look_up(|relay, now, wish| relay.want(wish, now), wish);
        for host in self.peer_relay.set_derp_map(&self.node.map().derp, now().mono) {
            self.chores.resolve(host);
        }
    }

    /// Somebody who may wants us to relay.
    pub(super) fn allocate(&mut self, from: NodePublic, request: &AllocateRequest, out: &mut Out) {
        let (outcome, lookups) = self.peer_relay.allocate(from, request, now().mono);
        lookups.into_iter().for_each(|host| self.chores.resolve(host));
        match outcome {
            Some(Ok(allocation)) => self.node.answer_allocation(from, request, allocation, now(), out),
            Some(Err(refusal)) => tracing::info!(%refusal, peer = %from, "nothing is set aside"),
            None => {}
        }
    }
}
