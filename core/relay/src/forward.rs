//! A packet's way from one client to another, and what a sender and a receiver learn of each other's leaving.

use std::collections::BTreeSet;

use wattle_keys::NodePublic;
use wattle_time::Instant;
use wattle_wire::derp::{Frame, PeerGone, PeerGoneReason, SendPacket, recv_packet_header};
use wattle_wire::disco::looks_like_disco;

use crate::limits;
use crate::{ClientId, Next, Out, Relay};

impl Relay {
    /// Puts the packet into the queue of its receiver's active connection.
    pub(crate) fn forward(
        &mut self,
        from: ClientId,
        from_key: NodePublic,
        send: &SendPacket<'_>,
        now: Instant,
        out: &mut Out,
    ) -> Next {
        let bytes = send.packet.len() as u64;
        self.counters.packets_received_total += 1;
        self.counters.bytes_received_total += bytes;
        let disco = looks_like_disco(send.packet);

        let Some(sender) = self.clients.find_mut(from) else { return Next::Read };
        let next = match sender.rate.as_mut().and_then(|rate| rate.charge(bytes, now)) {
            Some(when) => {
                self.counters.rate_limited_total += 1;
                Next::ReadAfter(when)
            }
            None => Next::Read,
        };
        if sender.duplicated {
            self.clients.make_active(from, &from_key);
        }

        let Some(to) = self.clients.active(&send.to) else {
            self.counters.dropped_unknown_total += 1;
            if disco {
                self.tell_that_peer_is_not_here(from, send.to, now, out);
            }
            return next;
        };
        self.remember_receiver(from, to);
        let Some(receiver) = self.clients.find_mut(to) else { return next };
        let idle = receiver.is_drained();
        let queue = if disco { &mut receiver.disco } else { &mut receiver.data };
        if queue.push(&[&recv_packet_header(&from_key, send.packet.len()), send.packet]) {
            self.counters.dropped_queue_full_total += 1;
        }
        self.counters.packets_forwarded_total += 1;
        self.counters.bytes_forwarded_total += bytes;
        self.counters.disco_forwarded_total += u64::from(disco);
        if idle {
            out.wake.push(to);
        }
        next
    }

    /// The last connection of `key` left: who heard from it is told. If there is another connection, that one
    /// takes the promise over.
    pub(crate) fn tell_that_peer_left(&mut self, key: NodePublic, heard_by: BTreeSet<ClientId>, out: &mut Out) {
        if let Some(heir) = self.clients.active(&key).and_then(|id| self.clients.find_mut(id)) {
            heir.heard_by.extend(heard_by);
            return;
        }
        let gone = Frame::PeerGone(PeerGone { peer: key, reason: PeerGoneReason::Disconnected });
        for id in heard_by {
            if self.clients.find(id).is_some() {
                self.counters.peer_gone_total += 1;
                self.send_control(id, &gone, out);
            }
        }
    }

    /// Only disco is answered: it starts conversations, so the sender learns at once that it calls the wrong relay.
    fn tell_that_peer_is_not_here(&mut self, id: ClientId, peer: NodePublic, now: Instant, out: &mut Out) {
        if self.clients.find_mut(id).is_some_and(|client| client.not_here.try_take(now)) {
            self.counters.peer_gone_total += 1;
            self.send_control(id, &Frame::PeerGone(PeerGone { peer, reason: PeerGoneReason::NotHere }), out);
        }
    }

    fn remember_receiver(&mut self, from: ClientId, to: ClientId) {
        let Some(sender) = self.clients.find_mut(from) else { return };
        if sender.last_receiver == Some(to) {
            return;
        }
        sender.last_receiver = Some(to);
        if sender.heard_by.len() >= limits::HEARD_BY && !sender.heard_by.contains(&to) {
            let mut heard_by = std::mem::take(&mut sender.heard_by);
            heard_by.retain(|id| self.clients.find(*id).is_some());
            let Some(sender) = self.clients.find_mut(from) else { return };
            sender.heard_by = heard_by;
        }
        let Some(sender) = self.clients.find_mut(from) else { return };
        if sender.heard_by.len() < limits::HEARD_BY {
            sender.heard_by.insert(to);
        }
    }
}
