//! The HTTP server against clients that misbehave.

use axum::extract::ConnectInfo;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::ListenError;

fn router() -> Router {
    Router::new().route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }))
}

#[tokio::test]
async fn requests_know_where_they_come_from() {
    let address = serve(router(), None).await;
    let reply = dialer().get(&format!("http://{address}/")).await.unwrap();
    assert_eq!((reply.status, reply.body), (200, "127.0.0.1".into()));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_ends_its_request_head_is_cut() {
    for start in ["", "GET / HTTP/1.1\r\nHost:"] {
        let address = serve(router(), None).await;
        let mut tcp = TcpStream::connect(address).await.unwrap();
        tcp.write_all(start.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer).await.unwrap();
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_ends_its_tls_handshake_is_cut() {
    let (identity, _) = ServerIdentity::self_signed(&["localhost".to_owned()]).unwrap();
    let address = serve(router(), Some(&identity)).await;
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(&[0x16, 3, 1]).await.unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await.unwrap();
    assert!(answer.is_empty());
}

#[tokio::test]
async fn an_oversized_head_is_refused() {
    let address = serve(router(), None).await;
    let mut tcp = TcpStream::connect(address).await.unwrap();
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(100_000));
    let _may_be_cut_meanwhile = tcp.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _end_or_reset = tcp.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_taken_port_is_explained() {
    let address = serve(router(), None).await;
    assert_eq!(Server::bind(address, None).await.unwrap_err(), ListenError::Taken(address));
}

#[tokio::test]
async fn shutdown_lets_a_running_request_end() {
    let slow = Router::new().route(
        "/",
        get(|| async {
            tokio::task::yield_now().await;
            "done"
        }),
    );
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
    let address = server.local_address().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(slow, async { drop(stopped.await) }));
    assert_eq!(dialer().get(&format!("http://{address}/")).await.unwrap().body, "done");
    drop(stop);
    serving.await.unwrap();
    assert!(dialer().get(&format!("http://{address}/")).await.is_err());
}
