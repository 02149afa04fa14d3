//! The relay client against a relay of a few lines.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wattle_keys::{NodePrivate, NodePublic};
use wattle_netmap::{DerpNode, RegionId};
use wattle_wire::derp::{
    Frame, FrameDecoder, Health, KeepAlive, PeerGone, PeerGoneReason, Ping, RecvPacket, ServerKey, WelcomeFacts,
};

use super::*;
use crate::skip_head::FAST_START;
use crate::{DialError, RelayConnection, RelayError, RelayEvent, RelayOptions, https_latency};

fn relay_key() -> NodePrivate {
    NodePrivate::from_bytes([3; 32])
}

fn node_key() -> NodePrivate {
    NodePrivate::from_bytes([4; 32])
}

fn peer() -> NodePublic {
    NodePublic::from_bytes([9; 32])
}

fn relay() -> Router {
    Router::new().route("/derp", get(derp)).route("/derp/latency-check", get(|| async { "" }))
}

async fn derp(mut request: Request) -> Response {
    assert_eq!(request.headers()[UPGRADE], "DERP");
    let fast = request.headers().contains_key(FAST_START);
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut stream = TokioIo::new(upgrade.await.unwrap());
        let mut out = Vec::new();
        ServerKey { key: relay_key().public() }.encode(&mut out);
        stream.write_all(&out).await.unwrap();
        let mut decoder = FrameDecoder::for_server();
        let mut echoed = 0;
        loop {
            let length = stream.read(decoder.space(1000)).await.unwrap_or(0);
            decoder.filled(length);
            if length == 0 {
                return;
            }
            out.clear();
            while let Some(frame) = decoder.next_frame().unwrap() {
                match frame {
                    Frame::ClientLogin(login) if login.key == node_key().public() => {
                        login.open(&relay_key()).unwrap();
                        let facts = WelcomeFacts { rate_bytes_per_second: 5000, ..Default::default() };
                        out.extend(facts.seal(&relay_key(), &login.key, &[1; 24]));
                        KeepAlive.encode(&mut out);
                        Ping { token: [8; 8] }.encode(&mut out);
                        Health { problem: "overloaded" }.encode(&mut out);
                    }
                    Frame::ClientLogin(_) => return,
                    Frame::SendPacket(sent) => {
                        RecvPacket { from: sent.to, packet: sent.packet }.encode(&mut out);
                        echoed += 1;
                    }
                    Frame::Pong(pong) => {
                        assert_eq!(pong.token, [8; 8]);
                        PeerGone { peer: peer(), reason: PeerGoneReason::NotHere }.encode(&mut out);
                    }
                    Frame::NotePreferred(_) if echoed > 0 => return,
                    _ => {}
                }
            }
            stream.write_all(&out).await.unwrap();
            stream.flush().await.unwrap();
        }
    });
    let mut response =
        (http::StatusCode::SWITCHING_PROTOCOLS, [(UPGRADE, "DERP"), (CONNECTION, "Upgrade")]).into_response();
    if fast {
        response.headers_mut().insert(FAST_START, HeaderValue::from_static("1"));
    }
    response
}

fn node(address: SocketAddr) -> DerpNode {
    DerpNode {
        name: "900a".to_owned(),
        region: RegionId(900),
        host_name: "relay.invalid".to_owned(),
        ipv4: Some(Some(address.ip())),
        derp_port: address.port(),
        ..Default::default()
    }
}

#[tokio::test]
async fn packets_and_news_go_through_a_pinned_relay() {
    let (identity, _) = ServerIdentity::self_signed(&["relay.invalid".to_owned()]).unwrap();
    let mut node = node(serve(relay(), Some(&identity)).await);
    node.cert_name = identity.pin().to_owned();
    let connection = RelayConnection::dial(&dialer(), &node, &node_key(), &RelayOptions::default()).await.unwrap();
    assert_eq!((connection.key, connection.welcome.rate_bytes_per_second), (relay_key().public(), 5000));
    let RelayConnection { mut reader, mut writer, .. } = connection;

    let mut packet = Vec::new();
    assert_eq!(reader.next(&mut packet).await.unwrap(), RelayEvent::KeepAlive);
    assert_eq!(reader.next(&mut packet).await.unwrap(), RelayEvent::Ping([8; 8]));
    assert_eq!(reader.next(&mut packet).await.unwrap(), RelayEvent::Health(Some("overloaded".to_owned())));
    writer.pong([8; 8]);
    writer.flush().await.unwrap();
    let gone = RelayEvent::PeerGone { peer: peer(), reason: PeerGoneReason::NotHere };
    assert_eq!(reader.next(&mut packet).await.unwrap(), gone);
    for text in [&b"one"[..], &[7; 60_000]] {
        assert!(writer.send(&peer(), text));
        writer.flush().await.unwrap();
        assert_eq!(reader.next(&mut packet).await.unwrap(), RelayEvent::Packet { from: peer() });
        assert_eq!(packet, text);
    }
    writer.note_preferred(true);
    writer.flush().await.unwrap();
    assert!(matches!(reader.next(&mut packet).await, Err(RelayError::Closed | RelayError::Io(_))));
}

#[tokio::test]
async fn a_relay_that_announces_its_key_is_logged_in_to_at_once() {
    let (identity, _) = ServerIdentity::self_signed(&["relay.invalid".to_owned()]).unwrap();
    let announcing = identity.announcing(&relay_key().public()).unwrap();
    assert_eq!(announcing.pin(), identity.pin());
    let mut node = node(serve(relay(), Some(&announcing)).await);
    node.cert_name = identity.pin().to_owned();
    let mut connection = RelayConnection::dial(&dialer(), &node, &node_key(), &RelayOptions::default()).await.unwrap();
    assert_eq!(connection.key, relay_key().public());
    assert_eq!(connection.reader.next(&mut Vec::new()).await.unwrap(), RelayEvent::KeepAlive);
}

#[tokio::test]
async fn a_relay_that_takes_nothing_costs_packets_and_no_memory() {
    let options = RelayOptions { plain_http: true, ..Default::default() };
    let node = node(serve(relay(), None).await);
    let mut connection = RelayConnection::dial(&dialer(), &node, &node_key(), &options).await.unwrap();
    let taken = (0..1000).filter(|_| connection.writer.send(&peer(), &[0; 1000])).count();
    assert_eq!(taken, 256 * 1024 / 1037);
}

#[tokio::test]
async fn the_wrong_certificate_is_named() {
    let (identity, _) = ServerIdentity::self_signed(&["relay.invalid".to_owned()]).unwrap();
    let mut node = node(serve(relay(), Some(&identity)).await);
    for cert_name in [String::new(), format!("sha256-raw:{}", "0".repeat(64))] {
        node.cert_name = cert_name;
        let error = RelayConnection::dial(&dialer(), &node, &node_key(), &RelayOptions::default()).await.unwrap_err();
        assert!(matches!(error, DialError::NotTrusted { .. }), "{error}");
    }
    node.insecure_for_tests = true;
    assert!(https_latency(&dialer(), &node, false).await.is_ok());
}

#[tokio::test]
async fn a_relay_that_does_not_let_us_in_and_a_web_site_are_told_apart() {
    let options = RelayOptions { plain_http: true, ..Default::default() };
    let relay = node(serve(relay(), None).await);
    let stranger = NodePrivate::from_bytes([5; 32]);
    let error = RelayConnection::dial(&dialer(), &relay, &stranger, &options).await.unwrap_err();
    assert!(matches!(error, DialError::Refused { .. }), "{error}");

    let site = node(serve(Router::new(), None).await);
    let error = RelayConnection::dial(&dialer(), &site, &stranger, &options).await.unwrap_err();
    assert!(matches!(error, DialError::NotRelay { .. }), "{error}");
    let error = https_latency(&dialer(), &site, true).await.unwrap_err();
    assert!(matches!(error, DialError::NotRelay { .. }), "{error}");
}
