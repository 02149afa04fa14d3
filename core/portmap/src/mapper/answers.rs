//! What routers say by PCP and NAT-PMP, held against what they were asked.

use std::net::SocketAddrV4;

use wattle_time::Instant;

use super::{Gateway, Mapper, Phase, Protocol, Seen, seconds};
use crate::limits::{ANNOUNCEMENT_MIN, LIFETIME};
use crate::out::Out;
use crate::{ROUTER_PORT, pcp, pmp};

impl Mapper {
    pub(super) fn handle_pcp(&mut self, response: pcp::Response, gateway: Gateway, now: Instant, out: &mut Out) {
        let asked = matches!(self.phase, Phase::Asking { .. } | Phase::Calling { .. }) && self.allowed.pcp;
        match response {
            pcp::Response::Announced { epoch } => self.note_epoch(0, epoch, now, out),
            pcp::Response::Mapped {
                result: 0,
                epoch,
                lifetime,
                nonce,
                internal_port,
                external: (Some(address), port),
            } if asked && nonce == self.nonce && internal_port == gateway.own.port() && lifetime > 0 => {
                self.note_seen(Seen { pcp: Some(true), ..self.seen }, out);
                self.epochs[0] = Some((epoch, now));
                if !self.grant(Protocol::Pcp, SocketAddrV4::new(address, port), lifetime, now, out) {
                    self.refuse_pcp(gateway, out);
                }
            }
            pcp::Response::Mapped { result: 1.., nonce, .. } if asked && nonce == self.nonce => {
                self.note_seen(Seen { pcp: Some(true), ..self.seen }, out);
                self.refuse_pcp(gateway, out);
            }
            pcp::Response::Mapped { .. } | pcp::Response::Refused => {}
        }
    }

    pub(super) fn handle_pmp(&mut self, response: pmp::Response, gateway: Gateway, now: Instant, out: &mut Out) {
        let asked = matches!(self.phase, Phase::Asking { .. });
        match response {
            pmp::Response::Address { result: 0, epoch, external } => {
                self.note_seen(Seen { pmp: Some(true), ..self.seen }, out);
                if asked && self.allowed.pmp {
                    self.epochs[1] = Some((epoch, now));
                    let is_first = self.answers.external.replace(external).is_none();
                    if is_first && (self.answers.pcp_refused || !self.allowed.pcp) {
                        self.ask_pmp_mapping(gateway, out);
                    }
                } else {
                    self.note_epoch(1, epoch, now, out);
                }
            }
            pmp::Response::Mapped { result: 0, internal_port, external_port, lifetime, .. }
                if asked && self.allowed.pmp && internal_port == gateway.own.port() && lifetime > 0 =>
            {
                // The address is that of the question before: an answer without one was not asked for.
                if let Some(external) = self.answers.external {
                    let external = SocketAddrV4::new(external, external_port);
                    self.grant(Protocol::Pmp, external, lifetime, now, out);
                }
            }
            // The answer of routers that know NAT-PMP only to a PCP request (RFC 6887 appendix A).
            pmp::Response::Refused | pmp::Response::Mapped { result: 1.., .. } if asked => {
                self.note_seen(Seen { pcp: Some(self.seen.pcp.unwrap_or(false)), ..self.seen }, out);
                self.refuse_pcp(gateway, out);
            }
            pmp::Response::Refused | pmp::Response::Mapped { .. } | pmp::Response::Address { .. } => {}
        }
    }

    fn refuse_pcp(&mut self, gateway: Gateway, out: &mut Out) {
        let is_new = !std::mem::replace(&mut self.answers.pcp_refused, true);
        if is_new && self.answers.external.is_some() {
            self.ask_pmp_mapping(gateway, out);
        }
    }

    pub(super) fn ask_pmp_mapping(&self, gateway: Gateway, out: &mut Out) {
        let (port, wish) = (gateway.own.port(), self.wish(gateway));
        let request = pmp::ask_mapping(port, wish, seconds(LIFETIME));
        out.transmits.push((SocketAddrV4::new(gateway.router, ROUTER_PORT), request.to_vec()));
    }

    /// A router that was restarted has forgotten its mappings: its epoch begins anew (RFC 6887 section 8.5).
    fn note_epoch(&mut self, which: usize, epoch: u32, now: Instant, out: &mut Out) {
        let Some(last) = self.epochs.get_mut(which) else { return };
        let has_forgotten = last.replace((epoch, now)).is_none_or(|(before, at)| {
            let passed = now.since(at).as_secs() * 7 / 8;
            u64::from(epoch) + 2 < u64::from(before) + passed
        });
        let may = self.begun.is_none_or(|begun| now.since(begun) >= ANNOUNCEMENT_MIN);
        if has_forgotten && may && matches!(self.phase, Phase::Resting { .. }) {
            self.begin(true, now, out);
        }
    }
}
