//! One request for an allocation, until it is answered or given up.

use wattle_keys::NodePublic;
use wattle_time::Instant;
use wattle_wire::disco::{AllocateRequest, AllocateResponse, Message, in_order};

use super::{Around, Server};
use crate::timing::{ALLOCATE_REPEAT, ALLOCATE_TIMEOUT};
use crate::{Event, Way};

/// A request under way.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) server: Server,
    request: AllocateRequest,
    sent_at: Instant,
    repeated: bool,
}

impl Request {
    /// Asks a relay.
    pub(super) fn send(server: Server, around: &mut Around<'_>) -> Self {
        let clients = in_order(around.disco.public(), around.theirs);
        let request = AllocateRequest { clients, generation: around.disco.fresh_number() };
        let this = Self { server, request, sent_at: around.now, repeated: false };
        this.write(around);
        this
    }

    /// Whether this is the response to it.
    pub(super) fn is_answered_by(&self, from: NodePublic, response: &AllocateResponse, us: NodePublic) -> bool {
        let asked = match self.server {
            Server::Ourselves => us,
            Server::Peer { node, .. } => node,
        };
        asked == from
            && response.generation == self.request.generation
            && response.allocation.clients == self.request.clients
    }

    /// Lets time pass. Returns whether there is still hope.
    pub(super) fn handle_timeout(&mut self, around: &mut Around<'_>) -> bool {
        if around.now >= self.sent_at + ALLOCATE_REPEAT && !self.repeated {
            self.repeated = true;
            self.write(around);
        }
        around.now < self.sent_at + ALLOCATE_TIMEOUT
    }

    pub(super) fn next_due(&self) -> (Instant, &'static str) {
        if self.repeated {
            (self.sent_at + ALLOCATE_TIMEOUT, "a peer relay is silent")
        } else {
            (self.sent_at + ALLOCATE_REPEAT, "a peer relay is asked again")
        }
    }

    fn write(&self, around: &mut Around<'_>) {
        match self.server {
            Server::Ourselves => {
                around.out.events.push(Event::AllocationRequested { from: around.us, request: self.request });
            }
            Server::Peer { node, disco, region } => {
                if let Some(mut pen) = around.disco.pen(&disco, around.out) {
                    pen.write(Way::Relay { region, peer: node }, &Message::AllocateRequest(self.request));
                }
            }
        }
    }
}
