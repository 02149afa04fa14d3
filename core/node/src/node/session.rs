//! Our standing with the coordination server: commands of people, answers of the server.

use wattle_session::{
    Event as SessionEvent, HostReport, LoginOptions, Out as SessionOut, RequestId, Response, Session, Standing,
};
use wattle_time::Instant;

use super::{Node, Now};
use crate::out::{Event, Out};

impl Node {
    /// Goes to work, or back to it.
    pub fn start(&mut self, now: Now, out: &mut Out) {
        self.with_session(now, out, Session::start);
        self.finish(out);
    }

    /// Stops, keeping our place in the network: the host is left as it was found.
    pub fn stop(&mut self, now: Now, out: &mut Out) {
        self.with_session(now, out, |session, _, effects| session.stop(effects));
        self.forget_map(now, out);
        self.finish(out);
    }

    /// Signs in.
    pub fn login(&mut self, options: LoginOptions, now: Now, out: &mut Out) {
        self.with_session(now, out, |session, mono, effects| session.login(options, mono, effects));
        self.finish(out);
    }

    /// Signs out, and forgets everybody.
    pub fn logout(&mut self, now: Now, out: &mut Out) {
        self.with_session(now, out, |session, _, effects| session.logout(effects));
        self.forget_map(now, out);
        self.finish(out);
    }

    /// What we say about our host changed.
    pub fn set_host(&mut self, host: HostReport, now: Now, out: &mut Out) {
        self.with_session(now, out, |session, mono, effects| session.set_host(host, mono, effects));
        self.finish(out);
    }

    /// What we say about our host.
    pub fn host(&self) -> &HostReport {
        self.session.host()
    }

    /// Our standing.
    pub fn standing(&self) -> &Standing {
        self.session.standing()
    }

    /// Whether the server's map stream runs.
    pub fn is_fed(&self) -> bool {
        self.session.is_fed()
    }

    /// Whether a node key is ours.
    pub fn has_key(&self) -> bool {
        self.session.has_key()
    }

    /// The connection that was wanted is there.
    pub fn handle_connected(&mut self, now: Now, out: &mut Out) {
        self.netcheck.set_control_connected(true);
        self.with_session(now, out, Session::handle_connected);
        self.finish(out);
    }

    /// The connection could not be made, or broke.
    pub fn handle_disconnected(&mut self, now: Now, out: &mut Out) {
        self.netcheck.set_control_connected(false);
        self.with_session(now, out, |session, mono, _| session.handle_disconnected(mono));
        self.finish(out);
    }

    /// The answer to a request.
    pub fn handle_response(&mut self, id: RequestId, response: &Response, now: Now, out: &mut Out) {
        self.with_session(now, out, |session, mono, effects| session.handle_response(id, response, mono, effects));
        self.finish(out);
    }

    /// A request got no answer.
    pub fn handle_failure(&mut self, id: RequestId, now: Now, out: &mut Out) {
        self.with_session(now, out, |session, mono, effects| session.handle_failure(id, mono, effects));
        self.finish(out);
    }

    /// A frame of the map stream.
    pub fn handle_frame(&mut self, id: RequestId, frame: &[u8], now: Now, out: &mut Out) {
        self.with_session(now, out, |session, mono, effects| session.handle_frame(id, frame, mono, now.wall, effects));
        self.finish(out);
    }

    /// The map stream ended.
    pub fn handle_stream_end(&mut self, id: RequestId, now: Now, out: &mut Out) {
        self.with_session(now, out, |session, mono, effects| session.handle_stream_end(id, mono, effects));
        self.finish(out);
    }

    pub(super) fn with_session(
        &mut self,
        now: Now,
        out: &mut Out,
        call: impl FnOnce(&mut Session, Instant, &mut SessionOut),
    ) {
        let mut effects = SessionOut::default();
        call(&mut self.session, now.mono, &mut effects);
        for event in effects.events {
            self.handle_session_event(event, now, out);
        }
        out.requests.extend(effects.requests);
        out.cancels.extend(effects.cancels);
        for delta in effects.deltas {
            self.apply(delta, now, out);
        }
    }

    /// Tells the server what we measured of our network.
    pub(super) fn report_network(&mut self, now: Now, out: &mut Out) {
        let Some(report) = self.netcheck.report() else { return };
        let mut host = self.session.host().clone();
        let mut facts = report.net_facts();
        facts.preferred_region = self.netcheck.home();
        host.facts.net = Some(facts);
        self.with_session(now, out, |session, mono, effects| session.set_host(host, mono, effects));
    }

    fn handle_session_event(&mut self, event: SessionEvent, now: Now, out: &mut Out) {
        match event {
            SessionEvent::Connect => out.events.push(Event::Connect),
            SessionEvent::Disconnect => out.events.push(Event::Disconnect),
            SessionEvent::Check => out.events.push(Event::ControlCheck),
            SessionEvent::StandingChanged(standing) => out.events.push(Event::StandingChanged(standing)),
            SessionEvent::BrowseTo(url) => out.events.push(Event::BrowseTo(url)),
            SessionEvent::KeyAdopted(key) => {
                // First, so that whoever opens relay links for what follows has the key already.
                out.events.push(Event::KeyAdopted(key.clone()));
                self.adopt(key, now);
                self.introduce_all(now, out);
                self.with_relays(now, out, |relays, mono, actions| relays.reset(mono, actions));
                let disco = self.engine.as_ref().map(|engine| engine.paths.disco_key());
                self.with_session(now, out, |session, mono, effects| session.set_disco(disco, mono, effects));
            }
            SessionEvent::KeyForgotten => {
                self.engine = None;
                out.events.push(Event::KeyForgotten);
            }
            SessionEvent::SignedInAs(login_name) => out.events.push(Event::SignedInAs(login_name)),
            SessionEvent::Refused(why) => out.events.push(Event::Refused(why)),
            SessionEvent::ControlTime(time) => out.events.push(Event::ControlTime(time)),
            SessionEvent::PingRequested { url, through_channel } => {
                out.events.push(Event::PingRequested { url, through_channel });
            }
        }
    }
}
