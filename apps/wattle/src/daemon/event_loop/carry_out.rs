//! What the node says is done here, in its order: tables first, then packets, requests, and facts.

use http::StatusCode;
use wattle_host::Desired;
use wattle_local_api::respond;
use wattle_node::{Event, Out};
use wattle_session::Standing;
use wattle_time::UnixTime;
use wattle_tun::MTU;
use wattle_wire::local::Notify;

use super::{EventLoop, now};
use crate::daemon::limits::CLOCK_SKEW_MAX;
use crate::daemon::status;

impl EventLoop {
    /// Does all that stands there, and what follows from it.
    pub(super) fn carry_out(&mut self, mut out: Out) {
        loop {
            let mut more = Out::default();
            self.carry_out_once(out, &mut more);
            if more.is_empty() {
                break;
            }
            out = more;
        }
        self.note_state();
        let relay_connected = self.node.self_status().home_connected;
        self.health.observe(self.is_wanted(), relay_connected, now().mono);
    }

    fn carry_out_once(&mut self, out: Out, more: &mut Out) {
        if let Some(tables) = out.tables {
            self.tables.store(tables);
        }
        for (to, packet) in out.udp {
            let sent = self.sender.send(to, &packet);
            self.unsent.note(to.is_ipv4(), sent, wattle_clock::now());
        }
        for (region, peer, packet) in out.relay {
            self.relays.send(region, peer, packet);
        }
        for packet in out.tun {
            if let Err(error) = self.tun.send(&packet) {
                tracing::debug!(%error, "the host took no packet");
            }
        }
        for id in out.cancels {
            self.control.cancel(id);
        }
        for request in out.requests {
            self.control.send(request);
        }
        for event in out.events {
            self.act_on(event, more);
        }
    }

    fn act_on(&mut self, event: Event, more: &mut Out) {
        match event {
            Event::HostWanted { addresses, routes } => {
                let desired = Desired { addresses, routes, throw: Vec::new(), mtu: MTU };
                self.host.want(Some(desired).filter(|desired| !desired.addresses.is_empty()));
            }
            Event::RelayOpen(region) => {
                let key = self.saved.node_key.clone();
                match (self.node.map().derp.regions.get(&region), key) {
                    (Some(region), Some(key)) => self.relays.open(region, key),
                    _ => tracing::debug!(region = region.0, "a relay that is not in the map was asked for"),
                }
            }
            Event::RelayClose(region) => self.relays.close(region),
            Event::RelayPrefer(region, preferred) => self.relays.prefer(region, preferred),
            Event::Connect => self.control.connect(&self.saved.prefs.control_url),
            Event::RelayCheck(region) => self.relays.check(region),
            Event::ControlCheck => self.control.check(),
            Event::Disconnect => self.control.disconnect(),
            Event::BrowseTo(_) if self.people.spare_auth_key.is_some() => self.sign_in_with_spare_key(more),
            Event::BrowseTo(url) => {
                tracing::info!(url, "somebody must open a page");
                self.people.browse_to = Some(url.clone());
                self.tell(Notify { browse_to_url: Some(url), ..Notify::default() });
            }
            Event::StandingChanged(standing) => tracing::debug!(?standing, "standing"),
            Event::SignedInAs(login) => tracing::info!(login, "signed in"),
            Event::ControlTime(time) => self.note_control_time(time),
            Event::PingRequested { url, through_channel } => {
                let client = self.control.client().filter(|_| through_channel).cloned();
                self.chores.show_life(url, client);
            }
            Event::Refused(_) if self.is_turned_away() && self.people.spare_auth_key.is_some() => {
                self.sign_in_with_spare_key(more);
            }
            Event::Refused(sentence) => {
                self.people.turned_away = self.is_turned_away();
                self.people.signing_in &= !self.people.turned_away;
                tracing::warn!(sentence, "the coordination server refuses");
                self.people.control_problem = Some(sentence.clone());
                self.tell(Notify { err_message: Some(sentence), ..Notify::default() });
            }
            Event::KeyAdopted(key) => {
                self.saved.node_key = Some(key);
                self.save();
            }
            Event::KeyForgotten => {
                self.saved.node_key = None;
                self.save();
            }
            Event::NetmapChanged => {
                self.port_mapping.obey(self.node.map());
                self.refresh_peer_relay();
            }
            Event::PeerRelayWanted { from, request } => self.allocate(from, &request, more),
            Event::ReportReady => {
                self.port_mapping.refresh();
                if self.node.report().is_some_and(|report| report.udp) {
                    self.node.set_captive_portal(Some(false));
                } else {
                    self.look_for_captive_portal();
                }
                self.answer_netchecks();
            }
            Event::Resolve(host) => self.chores.resolve(host),
            Event::MeasureHttps(region) => {
                if let Some(region) = self.node.map().derp.regions.get(&region) {
                    self.chores.measure(region);
                }
            }
            Event::DnsForward { id, query, upstreams } => self.chores.forward(id, query, &upstreams),
            Event::PingDone { token, outcome } => {
                if let Some((address, reply)) = self.people.pings.remove(&token) {
                    let result = status::ping_result(&self.node, address, outcome);
                    _ = reply.send(super::questions::json(&result));
                }
            }
        }
    }

    fn is_turned_away(&self) -> bool {
        *self.node.standing() == Standing::SignedOut
    }

    fn sign_in_with_spare_key(&mut self, more: &mut Out) {
        let key = self.people.spare_auth_key.take();
        self.sign_in(key, more);
    }

    /// Keys expire by the server's clock: a host whose own clock is wrong should hear of it.
    fn note_control_time(&mut self, time: UnixTime) {
        let here = now().wall;
        let skew = here.since(time).max(time.since(here));
        let sentence =
            format!("the clock of this machine differs from the coordination server's by {} seconds", skew.as_secs());
        self.people.clock_problem = (skew > CLOCK_SKEW_MAX).then_some(sentence);
    }

    fn answer_netchecks(&mut self) {
        let Some(report) = self.node.report() else { return };
        let report = status::netcheck(report, now());
        for reply in self.people.netchecks.drain(..) {
            _ = reply.send(super::questions::json(&report));
        }
    }

    /// Writes what survives a restart. A disk that takes nothing does not stop a node that works.
    pub(super) fn save(&mut self) {
        if let Err(error) = self.saved.write() {
            tracing::error!(%error, "keys and preferences are not saved");
            let sentence = format!("keys and preferences are not saved: {error}");
            self.tell(Notify { err_message: Some(sentence), ..Notify::default() });
        }
    }
}

/// The refusal of what only root and the operator may do.
pub(super) fn forbidden() -> wattle_local_api::Response {
    respond::text(
        StatusCode::FORBIDDEN,
        "access denied: only root and the operator (wattle set --operator) may do this",
    )
}
