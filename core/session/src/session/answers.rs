//! What the server says, and what follows from it.

use std::time::Duration;

use wattle_netmap::Node;
use wattle_time::{Instant, UnixTime};
use wattle_wire::RawJson;
use wattle_wire::control::RegisterResponse;

use super::Session;
use crate::backoff::between;
use crate::feed::News;
use crate::limits::{BUSY_WAIT, NEW_KEYS_MAX, REFUSAL_CHARS_MAX, RETRY_AFTER_MAX};
use crate::login::{Attempt, Login, Standing};
use crate::out::{Event, Out, RequestId, Response};

const OK: u16 = 200;
const TOO_MANY_REQUESTS: u16 = 429;

impl Session {
    /// The answer to a request, or the refusal of a stream.
    pub fn handle_response(&mut self, id: RequestId, response: &Response, now: Instant, out: &mut Out) {
        if matches!(&self.login, Login::Registering(attempt) if attempt.request == Some(id)) {
            self.registration_answered(response, now, out);
        } else if self.feed.as_ref().is_some_and(|feed| feed.request == id) {
            self.feed = None;
            self.feed_refused(response, now, out);
        } else if self.report.request == Some(id) {
            self.report.request = None;
            if response.status != OK {
                self.report.due = true;
                self.wait_as_told(response, now);
            } else {
                self.backoff.reset();
            }
        } else if self.logout == Some(id) {
            self.logout = None;
        }
        self.proceed(now, out);
    }

    /// A request got no answer, though the connection may live.
    pub fn handle_failure(&mut self, id: RequestId, now: Instant, out: &mut Out) {
        let retried = match &mut self.login {
            Login::Registering(attempt) if attempt.request == Some(id) => {
                attempt.request = None;
                true
            }
            Login::Idle | Login::Registering(_) | Login::Done => false,
        };
        let reported = self.report.request == Some(id);
        if reported {
            self.report.request = None;
            self.report.due = true;
        }
        if retried || reported {
            let wait = self.backoff.wait(&mut self.rng);
            self.retry_in(wait, now);
        }
        self.handle_stream_end(id, now, out);
    }

    /// A map stream ended.
    pub fn handle_stream_end(&mut self, id: RequestId, now: Instant, out: &mut Out) {
        if self.feed.as_ref().is_some_and(|feed| feed.request == id) {
            self.feed = None;
            let wait = self.backoff.wait(&mut self.rng);
            self.retry_in(wait, now);
        }
        self.proceed(now, out);
    }

    /// A frame of a map stream.
    pub fn handle_frame(&mut self, id: RequestId, frame: &[u8], now: Instant, wall: UnixTime, out: &mut Out) {
        let Some(feed) = self.feed.as_mut().filter(|feed| feed.request == id) else { return };
        match feed.read(frame, now, wall) {
            Ok(news) => self.take(news, wall, out),
            Err(error) => {
                out.cancels.push(id);
                out.events.push(Event::Refused(error.to_string()));
                self.handle_stream_end(id, now, out);
            }
        }
        self.proceed(now, out);
    }

    fn take(&mut self, news: News, wall: UnixTime, out: &mut Out) {
        self.note_time(news.control_time, out);
        if !news.browse_to.is_empty() {
            out.events.push(Event::BrowseTo(news.browse_to));
        }
        if let Some(ping) = news.ping {
            out.events.push(Event::PingRequested { url: ping.url, through_channel: ping.url_is_noise });
        }
        let Some(delta) = news.delta else { return };
        self.link_backoff.reset();
        self.backoff.reset();
        if let Some(node) = &delta.self_node {
            let standing = standing_of(node, wall);
            self.stand(standing, out);
        }
        out.deltas.push(delta);
    }

    fn registration_answered(&mut self, response: &Response, now: Instant, out: &mut Out) {
        if let Login::Registering(attempt) = &mut self.login {
            attempt.request = None;
        }
        if response.status == OK {
            match decode(&response.body) {
                Some(answer) => self.registered(answer, now, out),
                None => {
                    out.events.push(Event::Refused("the answer is not one of a coordination server".to_owned()));
                    let wait = self.backoff.wait(&mut self.rng);
                    self.retry_in(wait, now);
                }
            }
        } else if (400..500).contains(&response.status) && response.status != TOO_MANY_REQUESTS {
            self.refused(sentence(&response.body, response.status), out);
        } else {
            self.wait_as_told(response, now);
        }
    }

    fn registered(&mut self, answer: RegisterResponse, now: Instant, out: &mut Out) {
        if !answer.error.is_empty() {
            self.refused(answer.error, out);
            return;
        }
        if answer.node_key_expired {
            self.renew_key(out);
            return;
        }
        let Login::Registering(attempt) = &mut self.login else { return };
        if !answer.auth_url.is_empty() {
            let asked_before = attempt.followup.as_ref() == Some(&answer.auth_url);
            attempt.followup = Some(answer.auth_url.clone());
            if asked_before {
                // The server held the request as long as it wanted to; a short pause keeps a broken one from spinning.
                self.retry_in(Duration::from_secs(1), now);
            } else {
                out.events.push(Event::BrowseTo(answer.auth_url.clone()));
            }
            self.stand(Standing::WaitingForBrowser { url: answer.auth_url }, out);
            return;
        }
        if let Some(key) = attempt.new_key.take() {
            out.events.push(Event::KeyAdopted(key.clone()));
            self.key = Some(key);
        }
        // The waits go on growing until a map comes: a server may take us in and then not feed us, again and again.
        self.login = Login::Done;
        if !answer.login.login_name.is_empty() {
            out.events.push(Event::SignedInAs(answer.login.login_name));
        }
        self.stand(if answer.machine_authorized { Standing::Member } else { Standing::WaitingForApproval }, out);
    }

    /// Our key has expired: a new one takes its place, if the person or an auth key lets it.
    fn renew_key(&mut self, out: &mut Out) {
        let Login::Registering(attempt) = &self.login else { return };
        let (refused, auth_key) = (attempt.keys_refused + 1, attempt.auth_key.clone());
        if refused > NEW_KEYS_MAX {
            self.refused("the coordination server calls every key of ours expired".to_owned(), out);
            return;
        }
        let new_key = self.make_key();
        self.login = Login::Registering(Attempt { keys_refused: refused, ..Attempt::new(Some(new_key), auth_key) });
    }

    fn refused(&mut self, why: String, out: &mut Out) {
        self.login = Login::Idle;
        out.events.push(Event::Refused(why));
        self.stand(Standing::SignedOut, out);
    }

    /// The server does not want to feed us. If it does not know us any more, we introduce ourselves again.
    fn feed_refused(&mut self, response: &Response, now: Instant, out: &mut Out) {
        self.wait_as_told(response, now);
        if matches!(response.status, 401 | 403 | 404) {
            self.login = Login::Registering(Attempt::new(None, None));
        } else {
            out.events.push(Event::Refused(sentence(&response.body, response.status)));
        }
    }

    fn wait_as_told(&mut self, response: &Response, now: Instant) {
        let own = self.backoff.wait(&mut self.rng);
        let busy = || between(BUSY_WAIT.0, BUSY_WAIT.1, &mut self.rng);
        let told = response.retry_after.map(|wait| wait.min(RETRY_AFTER_MAX));
        let wait = if response.status == TOO_MANY_REQUESTS { told.unwrap_or_else(busy) } else { told.unwrap_or(own) };
        self.retry_in(wait, now);
    }
}

fn standing_of(node: &Node, wall: UnixTime) -> Standing {
    if node.is_expired(wall) {
        Standing::Expired
    } else if node.authorized {
        Standing::Member
    } else {
        Standing::WaitingForApproval
    }
}

fn decode(body: &[u8]) -> Option<RegisterResponse> {
    let text = String::from_utf8(body.to_vec()).ok()?;
    RawJson::parse(text).ok()?.decode().ok()
}

/// A refusal in the server's words, or in ours when it has none.
fn sentence(body: &[u8], status: u16) -> String {
    let text: String = String::from_utf8_lossy(body).trim().chars().take(REFUSAL_CHARS_MAX).collect();
    if text.is_empty() { format!("the coordination server refused with HTTP status {status}") } else { text }
}
