//! Whole clients over in-memory streams, and the router without a listener.

mod upgrades;

use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tower::ServiceExt;
use wattle_keys::{NodePrivate, NodePublic};
use wattle_wire::derp::{Frame, FrameDecoder, LoginFacts, Ping, SendPacket};

use crate::http::{BootstrapNames, router};
use crate::{Admission, Config, RelayHandle, Verify};

fn relay(admission: Admission, verify: Option<Verify>) -> RelayHandle {
    let key = NodePrivate::from_bytes([9; 32]);
    RelayHandle::new(Config { key, admission, rate: None }, verify).unwrap()
}

struct Client {
    key: NodePrivate,
    stream: DuplexStream,
    frames: FrameDecoder,
}

impl Client {
    async fn connect(relay: &RelayHandle, number: u8) -> Self {
        let (ours, theirs) = tokio::io::duplex(256 << 10);
        let relay = relay.clone();
        let public = relay.public_key();
        tokio::spawn(async move {
            let (reader, writer) = tokio::io::split(theirs);
            relay.serve_client(reader, writer, ([192, 0, 2, number], 7).into()).await
        });
        let key = NodePrivate::from_bytes([number; 32]);
        let login = LoginFacts::default().seal(&key, &public, &[number; 24]);
        let mut client = Self { key, stream: ours, frames: FrameDecoder::for_client() };
        client.stream.write_all(&login).await.unwrap();
        client
    }

    async fn join(relay: &RelayHandle, number: u8) -> Self {
        let mut client = Self::connect(relay, number).await;
        client.expect(|frame| matches!(frame, Frame::ServerWelcome(_)).then_some(())).await.unwrap();
        client
    }

    async fn send(&mut self, to: &NodePublic, packet: &[u8]) {
        let mut frame = Vec::new();
        SendPacket { to: *to, packet }.encode(&mut frame);
        self.stream.write_all(&frame).await.unwrap();
    }

    /// The first frame that `wanted` takes; `None` when the relay closes first.
    async fn expect<T>(&mut self, wanted: impl Fn(&Frame<'_>) -> Option<T>) -> Option<T> {
        loop {
            while let Some(frame) = self.frames.next_frame().unwrap() {
                if let Some(found) = wanted(&frame) {
                    return Some(found);
                }
            }
            let space = self.frames.space(4096);
            match self.stream.read(space).await.unwrap() {
                0 => return None,
                length => self.frames.filled(length),
            }
        }
    }

    async fn receive(&mut self) -> Option<Vec<u8>> {
        self.expect(|frame| match frame {
            Frame::RecvPacket(packet) => Some(packet.packet.to_vec()),
            _ => None,
        })
        .await
    }
}

#[tokio::test]
async fn a_pair_talks_while_a_third_talks_nonsense() {
    let relay = relay(Admission::Open, None);
    let (mut a, mut b) = (Client::join(&relay, 1).await, Client::join(&relay, 2).await);
    let mut rude = Client::join(&relay, 3).await;
    rude.stream.write_all(&[0xff; 64]).await.unwrap();
    assert_eq!(rude.receive().await, None);
    for number in 0..20u8 {
        a.send(&b.key.public(), &[number; 1200]).await;
    }
    for number in 0..20u8 {
        assert_eq!(b.receive().await, Some(vec![number; 1200]));
    }
    assert_eq!(relay.counters().malformed_total, 1);
    assert_eq!(relay.counters().clients, 2);
}

#[tokio::test]
async fn who_is_not_verified_is_closed_and_who_is_revoked_too() {
    let friend = NodePrivate::from_bytes([1; 32]).public();
    let verify: Verify = std::sync::Arc::new(move |key, _| Box::pin(std::future::ready(key == friend)));
    let relay = relay(Admission::Ask, Some(verify));
    let mut a = Client::join(&relay, 1).await;
    let mut stranger = Client::connect(&relay, 2).await;
    assert_eq!(stranger.receive().await, None);
    relay.revoke(&a.key.public());
    assert_eq!(a.receive().await, None);
    assert_eq!(relay.counters().refused_total, 1);
}

#[tokio::test(start_paused = true)]
async fn the_silent_are_cut_and_the_quiet_kept_alive() {
    let relay = relay(Admission::Open, None);
    tokio::spawn(relay.clone().run_timers());
    let (mut ours, theirs) = tokio::io::duplex(1024);
    let silent = tokio::spawn({
        let relay = relay.clone();
        async move {
            let (reader, writer) = tokio::io::split(theirs);
            relay.serve_client(reader, writer, ([192, 0, 2, 9], 7).into()).await
        }
    });
    let mut greeting = Vec::new();
    let read_to_end = tokio::time::timeout(Duration::from_secs(30), ours.read_to_end(&mut greeting));
    assert!(read_to_end.await.is_ok());
    assert_eq!(silent.await.unwrap(), crate::CutReason::LoginTimeout);
}

#[tokio::test]
async fn a_client_that_pings_without_reading_is_cut_in_the_end() {
    let relay = relay(Admission::Open, None);
    let mut a = Client::join(&relay, 1).await;
    let mut frame = Vec::new();
    Ping { token: [1; 8] }.encode(&mut frame);
    // Far more pongs than queue and stream hold: the relay drops them, and goes on reading.
    for _ in 0..40_000 {
        a.stream.write_all(&frame).await.unwrap();
    }
    let mut b = Client::join(&relay, 2).await;
    let to = b.key.public();
    a.send(&to, b"still read").await;
    assert_eq!(b.receive().await, Some(b"still read".to_vec()));
}

async fn get(path: &str, headers: &[(&str, &str)]) -> axum::response::Response {
    let router = router(relay(Admission::Open, None), BootstrapNames::default());
    let mut request = Request::get(path).extension(ConnectInfo(std::net::SocketAddr::from(([127, 0, 0, 1], 1))));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn the_endpoints_answer_as_clients_expect() {
    let probe = get("/derp/probe", &[]).await;
    assert_eq!(probe.status(), StatusCode::OK);
    assert_eq!(probe.headers()["access-control-allow-origin"], "*");
    assert_eq!(get("/derp/latency-check", &[]).await.status(), StatusCode::OK);
    assert_eq!(get("/derp", &[]).await.status(), StatusCode::UPGRADE_REQUIRED);
    assert_eq!(get("/bootstrap-dns?q=example.com", &[]).await.status(), StatusCode::OK);
    let portal = get("/generate_204", &[("X-Tailscale-Challenge", "ts_relay")]).await;
    assert_eq!(portal.status(), StatusCode::NO_CONTENT);
    assert_eq!(portal.headers()["x-tailscale-response"], "response ts_relay");
    let upgraded = get("/derp", &[("Upgrade", "DERP"), ("Connection", "Upgrade")]).await;
    assert_eq!(upgraded.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(upgraded.headers()["derp-version"], "2");
    assert_eq!(upgraded.headers()["derp-public-key"], relay(Admission::Open, None).public_key().to_hex().as_str());
}
