//! The two ways from HTTP to DERP, over a real socket.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use wattle_keys::NodePrivate;
use wattle_wire::derp::{Frame, FrameDecoder, LoginFacts};

use super::relay;
use crate::http::{BootstrapNames, router};
use crate::{Admission, RelayHandle};

async fn serve() -> (RelayHandle, SocketAddr) {
    let relay = relay(Admission::Open, None);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router(relay.clone(), BootstrapNames::default()).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    (relay, address)
}

fn login(relay: &RelayHandle) -> Vec<u8> {
    LoginFacts::default().seal(&NodePrivate::from_bytes([1; 32]), &relay.public_key(), &[1; 24])
}

#[tokio::test]
async fn an_upgrade_to_derp_is_a_login_away_from_a_client() {
    let (relay, address) = serve().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /derp HTTP/1.1\r\nHost: relay\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n")
        .await
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("upgrade: derp\r\n") && head.contains("connection: upgrade\r\n"), "{head}");
    stream.write_all(&login(&relay)).await.unwrap();
    let mut frames = FrameDecoder::for_client();
    let mut kinds = Vec::new();
    while kinds.len() < 2 {
        let space = frames.space(1024);
        let length = stream.read(space).await.unwrap();
        assert_ne!(length, 0);
        frames.filled(length);
        while let Some(frame) = frames.next_frame().unwrap() {
            kinds.push(matches!(frame, Frame::ServerKey(_) | Frame::ServerWelcome(_)));
        }
    }
    assert_eq!(kinds, [true, true]);
}

#[tokio::test]
async fn a_websocket_carries_the_same_bytes_whatever_its_messages() {
    let (relay, address) = serve().await;
    let mut request = format!("ws://{address}/derp").into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "derp".parse().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, answer) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], "derp");
    // A frame may be cut anywhere between messages.
    for piece in login(&relay).chunks(17) {
        socket.send(Message::binary(piece.to_vec())).await.unwrap();
    }
    let mut frames = FrameDecoder::for_client();
    loop {
        let Some(Ok(message)) = socket.next().await else { panic!("closed before the welcome") };
        frames.push(&message.into_data());
        let mut welcomed = false;
        while let Some(frame) = frames.next_frame().unwrap() {
            welcomed |= matches!(frame, Frame::ServerWelcome(_));
        }
        if welcomed {
            break;
        }
    }
    assert_eq!(relay.counters().clients, 1);
}

#[tokio::test]
async fn a_websocket_for_something_else_is_refused() {
    let (_relay, address) = serve().await;
    let request = format!("ws://{address}/derp").into_client_request().unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    assert!(tokio_tungstenite::client_async(request, stream).await.is_err());
}
