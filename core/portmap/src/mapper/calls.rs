//! The exchange with a UPnP router: its description, its address, the mapping; one request at a time.

use std::net::SocketAddrV4;

use rand_core::RngCore;
use wattle_time::Instant;

use super::{Mapper, Phase, Protocol, Seen, Step, seconds};
use crate::igd::{CONFLICT, Call, Igd, ONLY_PERMANENT, Outcome};
use crate::limits::{HTTP_MAX, LIFETIME, PORTS_TRIED_MAX};
use crate::out::{HttpId, HttpRequest, Out};
use crate::ssdp::Page;

impl Mapper {
    pub(super) fn call(&mut self, step: Step, doubt: bool, now: Instant, out: &mut Out) {
        let Some(gateway) = self.gateway else { return };
        let (page, action) = match (&step, &self.igd) {
            (Step::Describe(page), _) => (page.clone(), None),
            (_, None) => return self.fail(doubt, now, out),
            (Step::Address, Some(igd)) => (igd.control.clone(), Some(igd.request(Call::ExternalAddress))),
            (Step::Map { port, lifetime, .. }, Some(igd)) => {
                let call = Call::Map { own: gateway.own, external_port: *port, lifetime: *lifetime };
                (igd.control.clone(), Some(igd.request(call)))
            }
        };
        let id = self.request(page, action, out);
        self.phase = Phase::Calling { step, id, ends: now + HTTP_MAX, doubt };
    }

    pub(super) fn request(&mut self, page: Page, action: Option<(String, String)>, out: &mut Out) -> HttpId {
        self.http += 1;
        let id = HttpId(self.http);
        out.requests.push(HttpRequest { id, to: page.at, path: page.path, action });
        id
    }

    pub(super) fn proceed(&mut self, step: Step, answer: &[u8], doubt: bool, now: Instant, out: &mut Out) {
        let Some(gateway) = self.gateway else { return };
        match (step, Outcome::read(answer)) {
            (Step::Describe(page), _) => match Igd::find(answer, &page) {
                Some(igd) => {
                    self.igd = Some(igd);
                    self.note_seen(Seen { upnp: Some(true), ..self.seen }, out);
                    self.call(Step::Address, doubt, now, out);
                }
                None => self.fail_call(doubt, now, out),
            },
            (Step::Address, Outcome::Address(external)) if self.is_plausible(external, out) => {
                let port = self.wish(gateway);
                self.call(Step::Map { external, port, lifetime: seconds(LIFETIME), tried: 0 }, doubt, now, out);
            }
            (Step::Map { external, port, lifetime, .. }, Outcome::Mapped(chosen)) => {
                let external = SocketAddrV4::new(external, chosen.unwrap_or(port));
                // What never ends is asked for again all the same: the router may be restarted.
                let lifetime = if lifetime == 0 { seconds(LIFETIME) } else { lifetime };
                if !self.grant(Protocol::Upnp, external, lifetime, now, out) {
                    self.fail_call(doubt, now, out);
                }
            }
            (Step::Map { external, port, lifetime: 1.., tried }, Outcome::Fault(ONLY_PERMANENT)) => {
                self.call(Step::Map { external, port, lifetime: 0, tried }, doubt, now, out);
            }
            (Step::Map { external, lifetime, tried, .. }, Outcome::Fault(CONFLICT)) if tried < PORTS_TRIED_MAX => {
                let port = 1024 + (self.rng.next_u32() % (65_536 - 1024)) as u16;
                self.call(Step::Map { external, port, lifetime, tried: tried + 1 }, doubt, now, out);
            }
            (Step::Address | Step::Map { .. }, _) => self.fail_call(doubt, now, out),
        }
    }

    /// HTTP led nowhere. What was known of the router may be out of date.
    pub(super) fn fail_call(&mut self, doubt: bool, now: Instant, out: &mut Out) {
        if self.igd.take().is_some() && self.held.is_some() && doubt {
            self.lose(out);
            self.begin(false, now, out);
        } else {
            self.fail(doubt, now, out);
        }
    }
}
