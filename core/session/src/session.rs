//! The machine: what is wanted, what is on its way, and what comes next.

mod answers;

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use wattle_keys::{DiscoPublic, NodePrivate};
use wattle_netmap::Endpoint;
use wattle_time::{Deadline, Instant, UnixTime, earliest};

use crate::backoff::Backoff;
use crate::feed::Feed;
use crate::limits::STREAM_SILENCE_MAX;
use crate::login::{Attempt, Login, LoginOptions, Standing};
use crate::message::{self, MAP, REGISTER, Registration};
use crate::out::{Event, Kind, Out, Request, RequestId};
use crate::report::{HostReport, Report};

/// What a session begins with.
#[derive(Debug)]
pub struct Config {
    /// The capability version that we claim.
    pub version: u16,
    /// The node key that was stored; `None`: signed out.
    pub node_key: Option<NodePrivate>,
    /// What we say about our host.
    pub host: HostReport,
    /// Whether the server should forget us when we go away.
    pub ephemeral: bool,
}

/// A node's standing with its coordination server.
#[derive(Debug)]
pub struct Session {
    version: u16,
    ephemeral: bool,
    key: Option<NodePrivate>,
    running: bool,
    standing: Standing,
    login: Login,
    link: Link,
    feed: Option<Feed>,
    report: Report,
    logout: Option<RequestId>,
    link_backoff: Backoff,
    backoff: Backoff,
    /// When a request that failed is tried again.
    retry_at: Option<Instant>,
    next_id: u64,
    rng: ChaCha8Rng,
}

/// The connection to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    Dialling,
    Up,
    /// Dialled again then.
    Waiting(Instant),
}

impl Session {
    /// A session that does nothing yet.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let report = Report { host: config.host, ..Report::default() };
        Self {
            version: config.version,
            ephemeral: config.ephemeral,
            key: config.node_key,
            running: false,
            standing: Standing::SignedOut,
            login: Login::Idle,
            link: Link::Down,
            feed: None,
            report,
            logout: None,
            link_backoff: Backoff::default(),
            backoff: Backoff::default(),
            retry_at: None,
            next_id: 0,
            rng: ChaCha8Rng::from_seed(seed),
        }
    }

    /// Goes to work: with a key, back to our place in the network.
    pub fn start(&mut self, now: Instant, out: &mut Out) {
        self.running = true;
        if self.key.is_some() && matches!(self.login, Login::Idle) {
            self.login = Login::Registering(Attempt::new(None, None));
        }
        self.proceed(now, out);
    }

    /// Stops, keeping our place.
    pub fn stop(&mut self, out: &mut Out) {
        self.running = false;
        self.cancel_all(out);
        if matches!(self.login, Login::Done) {
            self.login = Login::Idle;
        }
        if self.link != Link::Down {
            self.link = Link::Down;
            out.events.push(Event::Disconnect);
        }
    }

    /// Signs in, with a new key when we have none or when asked for one.
    pub fn login(&mut self, options: LoginOptions, now: Instant, out: &mut Out) {
        self.running = true;
        self.cancel_all(out);
        let renew = options.fresh_key || self.standing == Standing::Expired || self.key.is_none();
        let new_key = renew.then(|| self.make_key());
        self.login = Login::Registering(Attempt::new(new_key, options.auth_key));
        self.retry_at = None;
        self.backoff.reset();
        self.proceed(now, out);
    }

    /// Signs out: the server expires our key, and we forget it. Without a connection we only forget.
    pub fn logout(&mut self, out: &mut Out) {
        self.cancel_all(out);
        if let (Some(key), Link::Up) = (&self.key, self.link) {
            let body = Registration { log_out: true, ..self.registration(key, None, None) }.encode();
            let public = key.public();
            self.logout = Some(self.post(Kind::Once, REGISTER, public, body, out));
        }
        self.key = None;
        self.login = Login::Idle;
        out.events.push(Event::KeyForgotten);
        self.stand(Standing::SignedOut, out);
    }

    /// Our standing.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Whether the map stream runs and has brought a map.
    pub fn is_fed(&self) -> bool {
        self.feed.as_ref().is_some_and(Feed::has_started)
    }

    /// Whether a node key is ours.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// What we say about our host changed.
    pub fn set_host(&mut self, host: HostReport, now: Instant, out: &mut Out) {
        self.report.set_host(host);
        self.proceed(now, out);
    }

    /// What we say about our host.
    pub fn host(&self) -> &HostReport {
        &self.report.host
    }

    /// Where we may be reached changed.
    pub fn set_endpoints(&mut self, endpoints: &[Endpoint], now: Instant, out: &mut Out) {
        self.report.set_endpoints(endpoints);
        self.proceed(now, out);
    }

    /// Our path discovery key changed.
    pub fn set_disco(&mut self, disco: Option<DiscoPublic>, now: Instant, out: &mut Out) {
        self.report.set_disco(disco);
        self.proceed(now, out);
    }

    /// The dial that [`Event::Connect`] asked for succeeded.
    pub fn handle_connected(&mut self, now: Instant, out: &mut Out) {
        if !self.running && self.logout.is_none() {
            out.events.push(Event::Disconnect);
            return;
        }
        self.link = Link::Up;
        self.retry_at = None;
        self.proceed(now, out);
    }

    /// The dial failed, or the connection broke.
    pub fn handle_disconnected(&mut self, now: Instant) {
        self.drop_requests();
        if !self.running {
            self.link = Link::Down;
            return;
        }
        self.link = Link::Waiting(now + self.link_backoff.wait(&mut self.rng));
    }

    /// The network under us changed. A connection that stands may have survived: it is asked. A wait for the next dial, and
    /// a dial in the old network, give way to a new one: what was in the way may be gone.
    pub fn handle_network_change(&mut self, now: Instant, out: &mut Out) {
        self.link_backoff.reset();
        match self.link {
            Link::Up => out.events.push(Event::Check),
            Link::Waiting(_) | Link::Dialling => self.link = Link::Down,
            Link::Down => {}
        }
        self.proceed(now, out);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Out) {
        if let Some(feed) = &self.feed
            && now.since(feed.heard) >= STREAM_SILENCE_MAX
        {
            out.events.push(Event::Disconnect);
            self.handle_disconnected(now);
        }
        if let Link::Waiting(at) = self.link
            && at <= now
        {
            self.link = Link::Down;
        }
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
        }
        self.proceed(now, out);
    }

    /// When [`Self::handle_timeout`] must be called.
    pub fn next_timeout(&self) -> Option<Deadline> {
        let silence = self.feed.as_ref().map(|feed| {
            let end = feed.heard + STREAM_SILENCE_MAX;
            Deadline::between(end, end + STREAM_SILENCE_MAX / 10, "silent map stream")
        });
        let dial = match self.link {
            Link::Waiting(at) => Some(Deadline::at(at, "dial the coordination server")),
            Link::Down | Link::Dialling | Link::Up => None,
        };
        earliest([silence, dial, self.retry_at.map(|at| Deadline::at(at, "ask the coordination server again"))])
    }

    /// Starts whatever can be started now. Every input ends here.
    fn proceed(&mut self, now: Instant, out: &mut Out) {
        if !self.running || matches!(self.login, Login::Idle) {
            return;
        }
        if self.link == Link::Down {
            self.link = Link::Dialling;
            out.events.push(Event::Connect);
        }
        if self.link != Link::Up || self.retry_at.is_some() {
            return;
        }
        match &self.login {
            Login::Registering(attempt) if attempt.request.is_none() => self.register(out),
            Login::Done if self.feed.is_none() => self.open_feed(now, out),
            Login::Done if self.is_fed() && self.report.due && self.report.request.is_none() => self.send_report(out),
            Login::Idle | Login::Registering(_) | Login::Done => {}
        }
    }

    fn register(&mut self, out: &mut Out) {
        let Login::Registering(attempt) = &self.login else { return };
        let Some(key) = attempt.new_key.as_ref().or(self.key.as_ref()) else { return };
        let body = self.registration(key, attempt.auth_key.as_deref(), attempt.followup.as_deref()).encode();
        let kind = if attempt.followup.is_some() { Kind::Held } else { Kind::Once };
        let public = key.public();
        let id = self.post(kind, REGISTER, public, body, out);
        if let Login::Registering(attempt) = &mut self.login {
            attempt.request = Some(id);
        }
    }

    fn registration<'a>(
        &'a self,
        key: &'a NodePrivate,
        auth_key: Option<&'a str>,
        followup: Option<&'a str>,
    ) -> Registration<'a> {
        let old_key = self.key.as_ref().filter(|old| *old != key).map(NodePrivate::public);
        Registration {
            version: self.version,
            key: key.public(),
            old_key,
            auth_key,
            followup,
            ephemeral: self.ephemeral,
            log_out: false,
            host: &self.report.host,
        }
    }

    fn open_feed(&mut self, now: Instant, out: &mut Out) {
        let Some(key) = self.key.as_ref().map(NodePrivate::public) else { return };
        let body = message::stream(self.version, key, &self.report);
        let id = self.post(Kind::Stream, MAP, key, body, out);
        self.feed = Some(Feed::new(id, now));
        // A server that was restarted has forgotten where we are.
        self.report.due = true;
    }

    fn send_report(&mut self, out: &mut Out) {
        let Some(key) = self.key.as_ref().map(NodePrivate::public) else { return };
        let body = message::report(self.version, key, &self.report);
        self.report.due = false;
        self.report.request = Some(self.post(Kind::Once, MAP, key, body, out));
    }

    fn post(
        &mut self,
        kind: Kind,
        path: &'static str,
        node: wattle_keys::NodePublic,
        body: Vec<u8>,
        out: &mut Out,
    ) -> RequestId {
        self.next_id += 1;
        let id = RequestId(self.next_id);
        out.requests.push(Request { id, kind, path, node, body });
        id
    }

    fn stand(&mut self, standing: Standing, out: &mut Out) {
        if self.standing != standing {
            self.standing = standing.clone();
            out.events.push(Event::StandingChanged(standing));
        }
    }

    fn make_key(&mut self) -> NodePrivate {
        let mut bytes = [0; 32];
        self.rng.fill_bytes(&mut bytes);
        NodePrivate::from_bytes(bytes)
    }

    fn retry_in(&mut self, wait: Duration, now: Instant) {
        self.retry_at = Some(now + wait);
    }

    /// Forgets what was on its way, and says so.
    fn cancel_all(&mut self, out: &mut Out) {
        if let Login::Registering(Attempt { request: Some(id), .. }) = &self.login {
            out.cancels.push(*id);
        }
        out.cancels.extend(self.feed.as_ref().map(|feed| feed.request));
        out.cancels.extend(self.report.request);
        self.drop_requests();
    }

    /// Forgets what was on its way, because the connection is gone.
    fn drop_requests(&mut self) {
        if let Login::Registering(attempt) = &mut self.login {
            attempt.request = None;
        }
        self.feed = None;
        self.logout = None;
        if self.report.request.take().is_some() {
            self.report.due = true;
        }
    }

    fn note_time(&self, time: Option<UnixTime>, out: &mut Out) {
        out.events.extend(time.map(Event::ControlTime));
    }
}

#[cfg(test)]
mod tests;
