//! Server and client against each other, and the server against what no client of ours would send.

use super::*;
use crate::{Client, ClientError};
use futures_util::StreamExt;
use http::Method;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

/// A running server, which ends in order when the test says so.
struct Running {
    home: tempfile::TempDir,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(handler: impl Handler) -> Self {
        let home = tempfile::tempdir().unwrap();
        let server = Server::bind(&home.path().join("run/wattled.sock")).unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve(handler, async {
            let _end: Result<(), _> = stopped.await;
        }));
        Self { home, stop, task }
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("run/wattled.sock")
    }

    fn client(&self) -> Client {
        Client::new(self.socket())
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }

    /// Sends these bytes and reads the first line of the answer.
    async fn raw(&self, request: &str) -> String {
        let mut stream = UnixStream::connect(self.socket()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let mut piece = [0; 1024];
        while !answer.contains(&b'\n') {
            match stream.read(&mut piece).await.unwrap() {
                0 => break,
                length => answer.extend_from_slice(&piece[..length]),
            }
        }
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    }
}

async fn echo(request: Request, caller: PeerCredentials) -> Response {
    let said = String::from_utf8_lossy(request.body()).into_owned();
    respond::text(StatusCode::OK, format!("{} {} {said} uid={}", request.method(), request.uri(), caller.uid))
}

#[tokio::test]
async fn the_handler_sees_the_request_and_who_sent_it() {
    let running = Running::start(echo);
    let reply = running.client().request(Method::POST, "/localapi/v0/ping?ip=100.64.0.1", "hi".into()).await.unwrap();
    let uid = nix::unistd::getuid();
    assert_eq!(reply.body, format!("POST /localapi/v0/ping?ip=100.64.0.1 hi uid={uid}"));
    assert_eq!(reply.status, StatusCode::OK);
    let socket = running.socket();
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o666);
    running.end().await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn what_a_web_page_could_send_is_refused() {
    let running = Running::start(echo);
    let host = "Host: local-tailscaled.sock\r\n";
    for (headers, status) in [
        (host.to_owned(), "HTTP/1.1 200 OK"),
        ("Host: wattled\r\n".to_owned(), "HTTP/1.1 200 OK"),
        (format!("{host}Origin: null\r\n"), "HTTP/1.1 403 Forbidden"),
        (format!("{host}Referer: https://example.com/\r\n"), "HTTP/1.1 403 Forbidden"),
        ("Host: example.com\r\n".to_owned(), "HTTP/1.1 403 Forbidden"),
        (format!("{host}Host: example.com\r\n"), "HTTP/1.1 403 Forbidden"),
        (String::new(), "HTTP/1.1 403 Forbidden"),
    ] {
        assert_eq!(running.raw(&format!("GET / HTTP/1.1\r\n{headers}\r\n")).await, status, "{headers}");
    }
    running.end().await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let running = Running::start(echo);
    let reply = running.client().request(Method::POST, "/", vec![b'x'; REQUEST_BYTES + 1].into()).await;
    // The server may close before it has read what it will not take.
    match reply {
        Ok(reply) => assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE),
        Err(error) => assert!(matches!(error, ClientError::Broken(_)), "{error}"),
    }
    running.end().await;
}

#[tokio::test]
async fn lines_arrive_one_by_one_while_the_stream_goes_on() {
    let (source, pieces) = mpsc::channel::<Bytes>(8);
    let pieces = std::sync::Mutex::new(Some(pieces));
    let running = Running::start(move |_request: Request, _caller: PeerCredentials| {
        let pieces = pieces.lock().unwrap().take().unwrap();
        let stream = futures_util::stream::unfold(pieces, |mut pieces| async move {
            pieces.recv().await.map(|piece| (piece, pieces))
        });
        std::future::ready(respond::json_lines(Body::stream(stream)))
    });
    source.send("{\"State\":2}\n{\"Sta".into()).await.unwrap();
    let mut lines = running.client().watch("/localapi/v0/watch-ipn-bus?mask=2").await.unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap(), "{\"State\":2}");
    source.send("te\":6}\n\n".into()).await.unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap(), "{\"State\":6}");
    drop(source);
    assert_eq!(lines.next().await.unwrap(), None);
    running.end().await;
}

#[tokio::test]
async fn a_stream_is_dropped_when_its_listener_leaves() {
    struct Flag(Arc<AtomicBool>, mpsc::Sender<()>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
            let _told: Result<(), _> = self.1.try_send(());
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let (tell, mut told) = mpsc::channel(1);
    let seen = Arc::clone(&dropped);
    let running = Running::start(move |_request: Request, _caller: PeerCredentials| {
        let flag = Flag(Arc::clone(&seen), tell.clone());
        let first = futures_util::stream::iter([Bytes::from_static(b"{}\n")]);
        let stream = first.chain(futures_util::stream::pending()).inspect(move |_| {
            let _held = &flag;
        });
        std::future::ready(respond::json_lines(Body::stream(stream)))
    });
    let mut lines = running.client().watch("/").await.unwrap();
    assert!(lines.next().await.unwrap().is_some());
    assert!(!dropped.load(Ordering::Acquire));
    drop(lines);
    told.recv().await.unwrap();
    assert!(dropped.load(Ordering::Acquire));
    running.end().await;
}

#[tokio::test]
async fn a_refused_stream_carries_the_reason() {
    let running = Running::start(|_request: Request, _caller: PeerCredentials| {
        std::future::ready(respond::text(StatusCode::FORBIDDEN, "not yours"))
    });
    match running.client().watch("/").await {
        Err(ClientError::Refused(reply)) => assert_eq!(reply.body, "not yours"),
        other => panic!("{other:?}"),
    }
    running.end().await;
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("wattled.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let first = Server::bind(&path).unwrap();
    assert!(matches!(Server::bind(&path), Err(BindError::AlreadyRunning { .. })));
    drop(first);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "a letter").unwrap();
    assert!(matches!(Server::bind(&path), Err(BindError::NotASocket { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"a letter");
}

#[tokio::test]
async fn without_a_daemon_the_client_says_so() {
    let home = tempfile::tempdir().unwrap();
    let client = Client::new(home.path().join("nobody.sock"));
    let outcome = client.request(Method::GET, "/", Bytes::new()).await;
    assert!(matches!(outcome, Err(ClientError::NotRunning { .. })), "{outcome:?}");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_and_later_ones_are_served() {
    let running = Running::start(echo);
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        held.push(UnixStream::connect(running.socket()).await.unwrap());
    }
    let mut beyond = UnixStream::connect(running.socket()).await.unwrap();
    assert_eq!(beyond.read(&mut [0; 16]).await.unwrap(), 0);
    // The server notices that the others left some time after they did.
    held.clear();
    let request = || async { running.client().request(Method::GET, "/", Bytes::new()).await };
    while request().await.is_err() {
        tokio::task::yield_now().await;
    }
    running.end().await;
}
