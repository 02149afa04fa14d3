//! What LocalAPI asks, answered.

use futures_util::stream;
use http::StatusCode;
use serde::Serialize;
use wattle_local_api::{Body, PeerCredentials, Response, respond};
use wattle_node::Out;
use wattle_wire::convert::derp_map_to_wire;
use wattle_wire::local::{Notify, State, watch};

use super::carry_out::forbidden;
use super::preferences::problem_with;
use super::{EventLoop, now};
use crate::daemon::local::{Call, Question};
use crate::daemon::paths;
use crate::daemon::status::{self, Around};

/// A value as the answer.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => respond::json(StatusCode::OK, bytes),
        Err(error) => respond::text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn done() -> Response {
    respond::text(StatusCode::NO_CONTENT, "")
}

impl EventLoop {
    /// Answers a call, now or when what it waits for is there.
    pub(super) fn answer(&mut self, call: Call, out: &mut Out) {
        let Call { question, caller, reply } = call;
        if question.is_privileged() && !self.may(caller) {
            _ = reply.send(forbidden());
            return;
        }
        let response = match question {
            Question::Ping(address, kind) => {
                match self.node.ping(kind, address, now(), out) {
                    Ok(token) => _ = self.people.pings.insert(token, (address, reply)),
                    Err(failure) => _ = reply.send(json(&status::ping_result(&self.node, address, Err(failure)))),
                }
                return;
            }
            Question::Netcheck { fresh } if fresh || self.node.report().is_none() => {
                self.people.netchecks.retain(|waiting| !waiting.is_closed());
                self.people.netchecks.push(reply);
                self.node.measure(now(), out);
                return;
            }
            question => self.answer_now(question, out),
        };
        _ = reply.send(response);
    }

    fn answer_now(&mut self, question: Question, out: &mut Out) -> Response {
        match question {
            Question::Status { peers } => json(&self.status(peers)),
            Question::Prefs => json(&self.shown_prefs()),
            Question::EditPrefs(masked) => {
                let mut prefs = self.saved.prefs.clone();
                masked.apply_to(&mut prefs);
                if let Some(problem) = problem_with(&prefs) {
                    return respond::text(StatusCode::BAD_REQUEST, problem);
                }
                self.set_prefs(prefs, out);
                json(&self.shown_prefs())
            }
            Question::CheckPrefs(prefs) => {
                json(&serde_json::json!({ "Error": problem_with(&prefs).unwrap_or_default() }))
            }
            Question::Start(options) => {
                if let Some(problem) = options.update_prefs.as_ref().and_then(problem_with) {
                    return respond::text(StatusCode::BAD_REQUEST, problem);
                }
                self.start(*options, out);
                done()
            }
            Question::LoginInteractive => {
                self.sign_in_anew(out);
                done()
            }
            Question::Logout => {
                self.sign_out(out);
                done()
            }
            Question::Watch { mask } => self.watch(mask),
            Question::WhoIs(address) => match status::who_is(&self.node, address) {
                Some(found) => json(&found),
                None => {
                    respond::text(StatusCode::NOT_FOUND, format!("no node of this network has the address {address}"))
                }
            },
            Question::DerpMap => json(&derp_map_to_wire(&self.node.map().derp)),
            Question::Paths => json(&paths::all(&self.node, now())),
            Question::Debug(action) => match action.as_str() {
                "rebind" => match self.udp.rebind() {
                    Ok(()) => respond::text(StatusCode::OK, "done\n"),
                    Err(error) => respond::text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
                },
                "restun" => {
                    self.node.measure(now(), out);
                    respond::text(StatusCode::OK, "done\n")
                }
                _ => respond::text(StatusCode::BAD_REQUEST, format!("{action:?} is no action: rebind and restun are")),
            },
            Question::PeerRelaySessions => {
                json(&status::peer_relay(self.peer_relay.port(), &self.peer_relay.sessions()))
            }
            Question::Metrics => {
                respond::text(StatusCode::OK, self.data_threads.metrics() + &self.peer_relay.metrics())
            }
            Question::Shutdown => {
                self.shutting_down = true;
                respond::text(StatusCode::OK, "")
            }
            Question::Ping(..) | Question::Netcheck { .. } => match self.node.report() {
                Some(report) => json(&status::netcheck(report, now())),
                None => respond::text(StatusCode::SERVICE_UNAVAILABLE, "nothing was measured yet"),
            },
        }
    }

    fn status(&self, peers: bool) -> wattle_wire::local::Status {
        let relay_problem = self.peer_relay.problem().cloned();
        let problems =
            [&self.people.control_problem, &self.people.host_problem, &self.people.clock_problem, &relay_problem];
        let told = self.node.map().health.values();
        let seen = self.health.warnings(&self.sight(), now().mono);
        let around = Around {
            state: self.people.state,
            auth_url: self.people.browse_to.as_deref().unwrap_or_default(),
            health: problems.into_iter().flatten().chain(told).cloned().chain(seen).collect(),
        };
        status::status(&self.node, around, peers, now())
    }

    fn watch(&mut self, mask: u64) -> Response {
        let version = || env!("CARGO_PKG_VERSION").to_owned();
        let wants = |bit: u64| mask & bit != 0;
        let page = self
            .people
            .browse_to
            .clone()
            .filter(|_| wants(watch::INITIAL_STATE) && self.people.state == State::NeedsLogin);
        let first = Notify {
            version: version(),
            session_id: format!("{:016x}", now().mono.as_nanos()),
            state: wants(watch::INITIAL_STATE).then_some(self.people.state),
            prefs: wants(watch::INITIAL_PREFS).then(|| self.shown_prefs()),
            initial_status: wants(watch::INITIAL_STATUS).then(|| Box::new(self.status(true))),
            browse_to_url: page,
            ..Notify::default()
        };
        let Some(events) = self.watchers.add(&[first]) else {
            return respond::text(StatusCode::SERVICE_UNAVAILABLE, "too many watch already");
        };
        let lines = stream::unfold(events, |mut events| async move { events.recv().await.map(|line| (line, events)) });
        let mut response = respond::json(StatusCode::OK, Vec::new());
        *response.body_mut() = Body::stream(lines);
        response
    }

    /// Whether a caller may change things: root, whoever runs the daemon, and the operator.
    fn may(&self, caller: PeerCredentials) -> bool {
        let operator = &self.saved.prefs.operator_user;
        let is_operator = || {
            let user = nix::unistd::User::from_name(operator).ok().flatten();
            !operator.is_empty() && user.is_some_and(|user| user.uid.as_raw() == caller.uid)
        };
        caller.is_root() || caller.uid == nix::unistd::geteuid().as_raw() || is_operator()
    }
}
