//! A node and a coordination server, as far as connections go.

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use wattle_keys::{ChallengePublic, MachinePrivate};
use wattle_noise::Initiator;
use wattle_wire::control::OverTlsPublicKeyResponse;

use super::*;
use crate::websocket::WebSocketBytes;
use crate::{BoxedStream, ControlClient, DialError, NoiseStream, Peer, RequestError, StreamReply};
use crate::{accept_control, serve_control};

fn node_key() -> MachinePrivate {
    MachinePrivate::from_bytes([1; 32])
}

fn server_key() -> MachinePrivate {
    MachinePrivate::from_bytes([2; 32])
}

/// What is reachable inside the channel.
fn inner() -> Router {
    Router::new()
        .route("/machine/whoami", post(whoami).get(whoami))
        .route("/machine/map", post(|| async { Body::from(frames(&[b"first", b"", b"last"])) }))
        .route("/machine/giant", post(|| async { Body::from(vec![0xff; 8]) }))
        .route(
            "/machine/cut",
            post(|| async { Body::from(frames(&[b"whole"]).into_iter().chain([9]).collect::<Vec<_>>()) }),
        )
}

async fn whoami(Extension(peer): Extension<Peer>, body: Bytes) -> String {
    format!("{} {} {}", peer.machine, peer.version, body.len())
}

fn frames(texts: &[&[u8]]) -> Vec<u8> {
    texts.iter().flat_map(|text| [&(text.len() as u32).to_le_bytes()[..], text].concat()).collect()
}

/// What is reachable outside.
fn outer(challenge: Option<ChallengePublic>) -> Router {
    let key = || async move {
        let keys = OverTlsPublicKeyResponse { public_key: Some(server_key().public()), ..Default::default() };
        axum::Json(keys)
    };
    Router::new().route("/key", get(key)).route("/ts2021", get(ts2021).post(ts2021)).with_state(challenge)
}

async fn ts2021(State(challenge): State<Option<ChallengePublic>>, mut request: Request) -> Response {
    match accept_control(&mut request, &server_key()) {
        Err(refusal) => refusal.into_response(),
        Ok((upgrade, response)) => {
            tokio::spawn(async move {
                let peer = Peer { machine: upgrade.peer(), version: upgrade.version() };
                let stream = upgrade.finish(challenge.as_ref()).await.unwrap();
                let _ended = serve_control(stream, peer, inner(), std::future::pending()).await;
            });
            response
        }
    }
}

async fn dial(address: SocketAddr) -> Result<ControlClient, DialError> {
    ControlClient::dial(&dialer(), &format!("http://{address}").parse()?, &node_key(), 130).await
}

#[tokio::test]
async fn a_node_makes_requests_and_the_server_knows_who_it_is() {
    for challenge in [None, Some(ChallengePublic::from_bytes([7; 32]))] {
        let client = dial(serve(outer(challenge), None).await).await.unwrap();
        assert_eq!(client.server(), server_key().public());
        let reply = client.post("/machine/whoami", None, vec![0; 50_000]).await.unwrap();
        let expected = format!("{} 130 50000", node_key().public());
        assert_eq!((reply.status, reply.body), (200, expected.into()));
        assert_eq!(client.post("/machine/none", None, Vec::new()).await.unwrap().status, 404);
    }
}

#[tokio::test]
async fn a_map_stream_comes_in_messages() {
    let client = dial(serve(outer(None), None).await).await.unwrap();
    let StreamReply::Frames(mut frames) = client.stream("/machine/map", None, Vec::new()).await.unwrap() else {
        panic!("a stream")
    };
    drop(client);
    for expected in ["first", "", "last"] {
        assert_eq!(frames.next().await.unwrap().unwrap(), expected);
    }
    assert_eq!(frames.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_broken_map_stream_is_an_error() {
    let client = dial(serve(outer(None), None).await).await.unwrap();
    for (path, expected) in
        [("/machine/giant", RequestError::TooLong { limit: 4 << 20 }), ("/machine/cut", RequestError::Truncated)]
    {
        let StreamReply::Frames(mut frames) = client.stream(path, None, Vec::new()).await.unwrap() else {
            panic!("a stream")
        };
        let error = loop {
            match frames.next().await {
                Ok(Some(_)) => {}
                other => break other.unwrap_err(),
            }
        };
        assert_eq!(error, expected);
    }
    let StreamReply::Refused(reply) = client.stream("/machine/none", None, Vec::new()).await.unwrap() else {
        panic!("refused")
    };
    assert_eq!(reply.status, 404);
}

#[tokio::test]
async fn over_tls_with_a_trusted_authority_only() {
    let (identity, pem) = ServerIdentity::self_signed(&["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let address = serve(outer(None), Some(&identity)).await;
    let url = format!("https://localhost:{}", address.port()).parse().unwrap();
    let trusting = Dialer::new(ClientTls::trusting_only(pem.certificate.as_bytes()).unwrap(), None);
    let client = ControlClient::dial(&trusting, &url, &node_key(), 119).await.unwrap();
    assert_eq!(client.post("/machine/whoami", None, Vec::new()).await.unwrap().status, 200);

    let error = ControlClient::dial(&dialer(), &url, &node_key(), 119).await.unwrap_err();
    assert!(matches!(error, DialError::NotTrusted { .. }), "{error}");
    let plain = format!("http://{address}").parse().unwrap();
    assert!(ControlClient::dial(&dialer(), &plain, &node_key(), 119).await.is_err());
}

#[tokio::test]
async fn a_websocket_carries_the_channel_too() {
    let address = serve(outer(None), None).await;
    let (initiator, initiation) = Initiator::new(&node_key(), &server_key().public(), 119, [5; 32]).unwrap();
    let handshake = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, initiation);
    let handshake = handshake.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let mut request = format!("ws://{address}/ts2021?X-Tailscale-Handshake={handshake}").into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "tailscale-control-protocol".parse().unwrap());
    let tcp = TcpStream::connect(address).await.unwrap();
    let (socket, response) = tokio_tungstenite::client_async(request, tcp).await.unwrap();
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "tailscale-control-protocol");
    let mut below = WebSocketBytes::over(socket);
    let mut answer = [0; 51];
    below.read_exact(&mut answer).await.unwrap();
    let below: BoxedStream = Box::new(below);
    let stream = NoiseStream::dialed(below, initiator.finish(&answer).unwrap());
    let client = ControlClient::start(stream, server_key().public()).await.unwrap();
    let reply = client.post("/machine/whoami", None, vec![0; 100_000]).await.unwrap();
    assert_eq!(reply.body, format!("{} 119 100000", node_key().public()));
}

#[tokio::test]
async fn a_get_with_a_body_is_served() {
    // Tailnet lock requests are such (tailscale `ipn/ipnlocal/tailnet-lock.go`).
    let client = dial(serve(outer(None), None).await).await.unwrap();
    let reply = client.request(http::Method::GET, "/machine/whoami", vec![0; 3]).await.unwrap();
    assert_eq!(reply.body, format!("{} 130 3", node_key().public()));
}

#[tokio::test]
async fn targets_in_absolute_form_are_served() {
    // The Rust crate `tailscale` writes them, with a Host that lacks the port.
    let address = serve(outer(None), None).await;
    let mut tcp = TcpStream::connect(address).await.unwrap();
    let request = format!("GET http://{address}/key?v=130 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"publicKey\":\"mkey:"), "{answer}");
}

#[tokio::test]
async fn a_replayed_upgrade_reaches_no_handler() {
    let address = serve(outer(None), None).await;
    let (_, initiation) = Initiator::new(&node_key(), &server_key().public(), 130, [5; 32]).unwrap();
    let handshake = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, initiation);
    let request = format!(
        "POST /ts2021 HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: tailscale-control-protocol\r\n\
         X-Tailscale-Handshake: {handshake}\r\n\r\n"
    );
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(request.as_bytes()).await.unwrap();
    // Records of another session, which is all that somebody without the key has.
    tcp.write_all(&[4, 0, 20]).await.unwrap();
    tcp.write_all(&[0; 20]).await.unwrap();
    let mut answer = Vec::new();
    // The server's own settings may come; then it cuts. A reset is as good as an end.
    let _end_or_reset = tcp.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 101"));
    assert!(answer.len() < 1000);
}

#[tokio::test]
async fn what_is_no_coordination_server_is_named() {
    let other = Router::new().route("/", get(|| async { "a web site" }));
    let error = dial(serve(other, None).await).await.unwrap_err();
    assert!(matches!(error, DialError::NotCoordination { .. }), "{error}");

    let error = dial("127.0.0.1:1".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, DialError::Unreachable { .. }), "{error}");

    let refusing = Router::new()
        .route(
            "/key",
            get(|Query(query): Query<Vec<(String, String)>>| async move {
                assert_eq!(query, [("v".to_owned(), "130".to_owned())]);
                let keys = OverTlsPublicKeyResponse { public_key: Some(server_key().public()), ..Default::default() };
                axum::Json(keys)
            }),
        )
        .route("/ts2021", post(|| async { (http::StatusCode::BAD_REQUEST, "this client is too old") }));
    let address = serve(refusing, None).await;
    let error = dial(address).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{address} refuses: this client is too old"));
}

#[tokio::test]
async fn a_server_that_talks_garbage_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let _ignored = tcp.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await;
        }
    });
    assert!(dial(address).await.is_err());
}
