//! A server is played by hand, on virtual time.

use std::time::Duration;

use proptest::prelude::*;
use wattle_netmap::{Endpoint, EndpointKind};
use wattle_time::{Instant, UnixTime};

use super::{Config, Session};
use crate::{Event, HostReport, Kind, LoginOptions, Out, Request, RequestId, Response, Standing};

const START: Instant = Instant::from_nanos(1_000_000_000_000);
const WALL: UnixTime = UnixTime::from_secs(1_790_000_000);

fn session() -> Session {
    Session::new(Config { version: 119, node_key: None, host: HostReport::default(), ephemeral: false }, [3; 32])
}

/// Calls and gives what it caused.
fn effects(call: impl FnOnce(&mut Out)) -> Out {
    let mut out = Out::default();
    call(&mut out);
    out
}

fn ok(body: &str) -> Response {
    Response { status: 200, retry_after: None, body: body.as_bytes().to_vec() }
}

fn refused(status: u16, body: &str) -> Response {
    Response { status, ..ok(body) }
}

fn frame(json: &str) -> Vec<u8> {
    zstd::bulk::compress(json.as_bytes(), 1).unwrap()
}

fn first_map(more: &str) -> Vec<u8> {
    let key = format!("nodekey:{}", "1".repeat(64));
    frame(&format!(
        r#"{{"Node":{{"ID":1,"StableID":"n1","Name":"a.b.","User":1,"Key":"{key}","MachineAuthorized":true{more}}}}}"#
    ))
}

fn only_request(out: &Out) -> &Request {
    assert_eq!(out.requests.len(), 1, "{out:?}");
    &out.requests[0]
}

fn text(request: &Request) -> &str {
    std::str::from_utf8(&request.body).unwrap()
}

/// Signs in with a key, up to the open stream.
fn member() -> (Session, RequestId) {
    let mut session = session();
    let options = LoginOptions { auth_key: Some("secret".to_owned()), fresh_key: false };
    let out = effects(|out| session.login(options, START, out));
    assert!(matches!(out.events[..], [Event::Connect]));
    let out = effects(|out| session.handle_connected(START, out));
    let register = only_request(&out);
    assert_eq!((register.path, register.kind), ("/machine/register", Kind::Once));
    assert!(text(register).contains(r#""AuthKey":"secret""#));
    let id = register.id;
    let out = effects(|out| session.handle_response(id, &ok(r#"{"MachineAuthorized":true}"#), START, out));
    assert!(out.events.iter().any(|event| matches!(event, Event::KeyAdopted(_))));
    assert_eq!(session.standing(), &Standing::Member);
    let stream = only_request(&out);
    assert_eq!((stream.path, stream.kind), ("/machine/map", Kind::Stream));
    (session, stream.id)
}

#[test]
fn an_auth_key_signs_in_and_the_first_map_arrives() {
    let (mut session, stream) = member();
    let out = effects(|out| session.handle_frame(stream, &first_map(""), START, WALL, out));
    assert_eq!(out.deltas.len(), 1);
    assert!(session.is_fed());
    let report = only_request(&out);
    assert_eq!(report.kind, Kind::Once);
    assert!(text(report).contains(r#""OmitPeers":true"#));
}

#[test]
fn without_a_key_a_person_is_asked_and_waited_for() {
    let mut session = session();
    session.login(LoginOptions::default(), START, &mut Out::default());
    let out = effects(|out| session.handle_connected(START, out));
    let id = only_request(&out).id;
    let page = r#"{"AuthURL":"http://c/register/x"}"#;
    let out = effects(|out| session.handle_response(id, &ok(page), START, out));
    assert!(out.events.iter().any(|event| matches!(event, Event::BrowseTo(url) if url == "http://c/register/x")));
    let held = only_request(&out);
    assert_eq!(held.kind, Kind::Held);
    assert!(text(held).contains(r#""Followup":"http://c/register/x""#));
    let id = held.id;
    let out = effects(|out| session.handle_response(id, &ok(page), START, out));
    assert!(out.requests.is_empty() && !out.events.iter().any(|event| matches!(event, Event::BrowseTo(_))));
    let again = session.next_timeout().unwrap().latest;
    let out = effects(|out| session.handle_timeout(again, out));
    let id = only_request(&out).id;
    let out = effects(|out| session.handle_response(id, &ok(r#"{"MachineAuthorized":true}"#), again, out));
    assert!(out.events.iter().any(|event| matches!(event, Event::KeyAdopted(_))));
}

#[test]
fn a_refusal_is_told_and_not_repeated() {
    for answer in [ok(r#"{"Error":"unknown auth key"}"#), refused(401, "unknown auth key")] {
        let mut session = session();
        session.login(LoginOptions { auth_key: Some("bad".into()), fresh_key: false }, START, &mut Out::default());
        let out = effects(|out| session.handle_connected(START, out));
        let id = only_request(&out).id;
        let out = effects(|out| session.handle_response(id, &answer, START, out));
        assert!(matches!(&out.events[..], [Event::Refused(why)] if why == "unknown auth key"));
        assert!(out.requests.is_empty() && session.next_timeout().is_none());
    }
}

#[test]
fn a_lost_connection_is_dialled_again_and_the_stream_reopened() {
    let (mut session, stream) = member();
    session.handle_frame(stream, &first_map(""), START, WALL, &mut Out::default());
    session.handle_disconnected(START);
    let due = session.next_timeout().unwrap().latest;
    assert!(due.since(START) <= Duration::from_secs(1));
    let out = effects(|out| session.handle_timeout(due, out));
    assert!(matches!(out.events[..], [Event::Connect]));
    let out = effects(|out| session.handle_connected(due, out));
    assert_eq!(only_request(&out).kind, Kind::Stream);
    let again = only_request(&out).id;
    let out = effects(|out| session.handle_frame(again, &first_map(""), due, WALL, out));
    assert_eq!(only_request(&out).kind, Kind::Once, "a restarted server is told where we are");
    assert!(effects(|out| session.handle_frame(stream, &first_map(""), due, WALL, out)).deltas.is_empty());
}

#[test]
fn after_a_network_change_the_connection_is_asked_and_a_wait_for_a_dial_ends() {
    let (mut session, stream) = member();
    session.handle_frame(stream, &first_map(""), START, WALL, &mut Out::default());
    let out = effects(|out| session.handle_network_change(START, out));
    assert!(matches!(out.events[..], [Event::Check]));
    for _ in 0..8 {
        session.handle_disconnected(START);
    }
    let out = effects(|out| session.handle_network_change(START, out));
    assert!(matches!(out.events[..], [Event::Connect]));
    let out = effects(|out| session.handle_network_change(START, out));
    assert!(matches!(out.events[..], [Event::Connect]), "a dial in the old network is given up");
    session.handle_disconnected(START);
    assert!(session.next_timeout().unwrap().latest.since(START) <= Duration::from_secs(1), "waits start small again");
}

#[test]
fn a_server_that_forgot_us_is_asked_to_register_again() {
    let (mut session, stream) = member();
    session.handle_response(stream, &refused(404, "no such node"), START, &mut Out::default());
    let due = session.next_timeout().unwrap().latest;
    let out = effects(|out| session.handle_timeout(due, out));
    assert_eq!(only_request(&out).path, "/machine/register");
}

#[test]
fn a_server_that_takes_us_in_but_does_not_feed_us_is_asked_ever_more_rarely() {
    let (mut session, mut stream) = member();
    let (mut now, mut waits) = (START, Vec::new());
    for _ in 0..12 {
        session.handle_response(stream, &refused(404, "no such node"), now, &mut Out::default());
        let due = session.next_timeout().unwrap().latest;
        waits.push(due.since(now));
        now = due;
        let id = only_request(&effects(|out| session.handle_timeout(now, out))).id;
        let out = effects(|out| session.handle_response(id, &ok(r#"{"MachineAuthorized":true}"#), now, out));
        stream = only_request(&out).id;
    }
    assert!(waits[11] > Duration::from_secs(10), "{waits:?}");
}

#[test]
fn a_busy_server_is_left_alone_as_long_as_it_says() {
    let (mut session, stream) = member();
    let busy = Response { retry_after: Some(Duration::from_secs(42)), ..refused(429, "") };
    session.handle_response(stream, &busy, START, &mut Out::default());
    assert_eq!(session.next_timeout().unwrap().latest, START + Duration::from_secs(42));
}

#[test]
fn an_expired_key_is_replaced_and_the_old_one_named() {
    let (mut session, stream) = member();
    let out = effects(|out| {
        session.handle_frame(stream, &first_map(r#","KeyExpiry":"2020-01-01T00:00:00Z""#), START, WALL, out)
    });
    assert!(out.events.iter().any(|event| matches!(event, Event::StandingChanged(Standing::Expired))));
    let out = effects(|out| session.login(LoginOptions::default(), START, out));
    let register = only_request(&out);
    assert!(!text(register).contains(&format!(r#""OldNodeKey":"nodekey:{}""#, "0".repeat(64))));
    assert!(text(register).contains("OldNodeKey"));
}

#[test]
fn keys_that_are_called_expired_are_not_made_for_ever() {
    let mut session = session();
    session.login(LoginOptions { auth_key: Some("k".into()), fresh_key: false }, START, &mut Out::default());
    let mut out = effects(|out| session.handle_connected(START, out));
    let mut rounds = 0;
    while let Some(request) = out.requests.first() {
        let id = request.id;
        out = effects(|out| session.handle_response(id, &ok(r#"{"NodeKeyExpired":true}"#), START, out));
        rounds += 1;
        assert!(rounds < 10);
    }
    assert!(out.events.iter().any(|event| matches!(event, Event::Refused(_))));
}

#[test]
fn a_silent_stream_is_cut() {
    let (mut session, stream) = member();
    session.handle_frame(stream, &first_map(""), START, WALL, &mut Out::default());
    let keepalive = START + Duration::from_secs(60);
    session.handle_frame(stream, &frame(r#"{"KeepAlive":true}"#), keepalive, WALL, &mut Out::default());
    let late = keepalive + Duration::from_secs(120);
    assert!(session.next_timeout().unwrap().earliest == late);
    let out = effects(|out| session.handle_timeout(late, out));
    assert!(out.events.iter().any(|event| matches!(event, Event::Disconnect)));
    assert!(!session.is_fed());
}

#[test]
fn changes_are_reported_one_request_at_a_time() {
    let (mut session, stream) = member();
    let out = effects(|out| session.handle_frame(stream, &first_map(""), START, WALL, out));
    let first = only_request(&out).id;
    let endpoint = Endpoint { address: "192.0.2.1:41641".parse().unwrap(), kind: EndpointKind::Stun };
    let out = effects(|out| session.set_endpoints(&[endpoint], START, out));
    assert!(out.requests.is_empty());
    let out = effects(|out| session.handle_response(first, &ok("{}"), START, out));
    assert!(text(only_request(&out)).contains(r#""Endpoints":["192.0.2.1:41641"]"#));
    let second = only_request(&out).id;
    let out = effects(|out| session.handle_response(second, &ok("{}"), START, out));
    assert!(out.requests.is_empty());
    assert!(effects(|out| session.set_endpoints(&[endpoint], START, out)).requests.is_empty());
}

#[test]
fn logging_out_tells_the_server_and_forgets_the_key() {
    let (mut session, stream) = member();
    let out = effects(|out| session.logout(out));
    assert!(text(only_request(&out)).contains(r#""Expiry":"1970-01-01T00:02:03Z""#));
    assert_eq!(out.cancels, [stream]);
    assert!(out.events.iter().any(|event| matches!(event, Event::KeyForgotten)));
    assert!(!session.has_key() && session.standing() == &Standing::SignedOut);
}

#[test]
fn a_first_map_without_ourselves_ends_the_stream() {
    let (mut session, stream) = member();
    let out = effects(|out| session.handle_frame(stream, &frame(r#"{"Domain":"x"}"#), START, WALL, out));
    assert_eq!(out.cancels, [stream]);
    assert!(out.deltas.is_empty());
}

proptest! {
    #[test]
    fn any_frame_is_handled(bytes: Vec<u8>, packed: bool) {
        let (mut session, stream) = member();
        let bytes = if packed { zstd::bulk::compress(&bytes, 1).unwrap() } else { bytes };
        let out = effects(|out| session.handle_frame(stream, &bytes, START, WALL, out));
        prop_assert!(out.deltas.is_empty());
        prop_assert!(session.next_timeout().is_some());
    }

    #[test]
    fn any_answer_is_handled(status: u16, body: Vec<u8>) {
        let (mut session, stream) = member();
        session.handle_response(stream, &Response { status, retry_after: None, body }, START, &mut Out::default());
        prop_assert!(session.next_timeout().is_some());
    }

    /// Whatever happens in whatever order: requests leave over a connection only, one stream at a time, and no timer spins.
    #[test]
    fn any_order_of_events_keeps_the_session_sane(steps in prop::collection::vec((0u8..15, 0u8..4), 1..120)) {
        let (mut session, mut now) = (session(), START);
        let (mut up, mut open): (bool, Vec<(RequestId, Kind)>) = (false, Vec::new());
        for (step, which) in steps {
            let mut out = Out::default();
            let answered = open.get(usize::from(which)).copied();
            match step {
                0 => session.login(LoginOptions { auth_key: None, fresh_key: which == 0 }, now, &mut out),
                1 => session.start(now, &mut out),
                2 => session.stop(&mut out),
                3 => session.logout(&mut out),
                4 => session.set_disco(Some(wattle_keys::DiscoPublic::from_bytes([which; 32])), now, &mut out),
                5 if !up => {
                    up = true;
                    session.handle_connected(now, &mut out);
                }
                6 => {
                    (up, open) = (false, Vec::new());
                    session.handle_disconnected(now);
                }
                7 | 8 => if let Some((id, kind)) = answered {
                    match kind {
                        Kind::Stream => session.handle_frame(id, &first_map(""), now, WALL, &mut out),
                        Kind::Once | Kind::Held => {
                            open.retain(|(other, _)| *other != id);
                            session.handle_response(id, &ok(r#"{"MachineAuthorized":true}"#), now, &mut out);
                        }
                    }
                },
                9 | 10 => if let Some((id, _)) = answered {
                    let bodies = [r#"{"AuthURL":"http://c/x"}"#, r#"{"NodeKeyExpired":true}"#, "garbage"];
                    open.retain(|(other, _)| *other != id);
                    let response = if step == 9 { ok(bodies[usize::from(which) % 3]) } else { refused(404, "") };
                    session.handle_response(id, &response, now, &mut out);
                },
                11 => if let Some((id, _)) = answered {
                    open.retain(|(other, _)| *other != id);
                    session.handle_failure(id, now, &mut out);
                },
                12 => session.handle_network_change(now, &mut out),
                _ => if let Some(deadline) = session.next_timeout() {
                    now = now.max(deadline.latest);
                    session.handle_timeout(now, &mut out);
                },
            }
            open.retain(|(id, _)| !out.cancels.contains(id));
            if out.events.iter().any(|event| matches!(event, Event::Disconnect)) {
                (up, open) = (false, Vec::new());
            }
            prop_assert!(up || out.requests.is_empty(), "a request without a connection");
            open.extend(out.requests.iter().map(|request| (request.id, request.kind)));
            prop_assert!(open.iter().filter(|(_, kind)| *kind == Kind::Stream).count() <= 1, "two streams");
            prop_assert!(open.len() <= 8, "requests pile up");
            if step > 12 {
                prop_assert!(session.next_timeout().is_none_or(|deadline| deadline.latest > now), "a timer spins");
            }
        }
    }
}
