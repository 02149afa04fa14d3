//! An HTTP server: accepts, speaks TLS when told to, and hands requests to an axum router.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use crate::duplex::Duplex;
use crate::limits::{
    ACCEPT_RETRY, CONNECTION_WINDOW, CONNECTIONS_MAX, DEAD_PEER, HEAD_BYTES_MAX, HEAD_READ_MAX, HEADER_LIST_MAX,
    HEADERS_MAX, PENDING_RESETS_MAX, PING_ANSWER_MAX, PING_INTERVAL, SEND_QUEUE_MAX, SHUTDOWN_GRACE, STREAM_WINDOW,
    STREAMS_MAX, TLS_HANDSHAKE_MAX,
};
use crate::serve::answer;
use crate::skip_head::{FAST_START, HeadSkipping, SkipResponseHead};
use crate::tls::ServerIdentity;

/// A bound HTTP server. It answers nothing until it is served.
pub struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Server {
    /// Binds an address. With an identity it speaks TLS, HTTP/1.1 and HTTP/2; without, both in plain.
    pub async fn bind(address: SocketAddr, identity: Option<&ServerIdentity>) -> Result<Self, ListenError> {
        let listener = TcpListener::bind(address).await.map_err(|error| ListenError::new(address, &error))?;
        Ok(Self { listener, tls: identity.map(|identity| TlsAcceptor::from(identity.config())) })
    }

    /// Where it listens; tells the port when it was bound to port 0.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` is done, and then until requests have ended or had a few seconds to. Every request
    /// carries `ConnectInfo<SocketAddr>`. Connections that were upgraded belong to whoever upgraded them.
    pub async fn serve(self, router: Router, shutdown: impl Future<Output = ()>) {
        let Self { listener, tls } = self;
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let http = Arc::new(http_builder());
        let graceful = GracefulShutdown::new();
        tokio::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &connections) => accepted,
                () = shutdown.as_mut() => break,
            };
            let Some((tcp, peer, permit)) = accepted else { continue };
            let (http, tls, router, watcher) = (http.clone(), tls.clone(), router.clone(), graceful.watcher());
            tokio::spawn(async move {
                if let Err(error) = connection(tcp, peer, tls, &http, router, watcher).await {
                    tracing::debug!(%peer, %error, "a connection ended early");
                }
                drop(permit);
            });
        }
        drop(listener);
        let _cut_those_that_take_longer = tokio::time::timeout(SHUTDOWN_GRACE, graceful.shutdown()).await;
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("listener", &self.listener).field("tls", &self.tls.is_some()).finish()
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = connections.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((tcp, peer)) => Some((tcp, peer, permit)),
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_RETRY).await;
            None
        }
    }
}

async fn connection(
    tcp: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    http: &Builder<TokioExecutor>,
    router: Router,
    watcher: Watcher,
) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    SockRef::from(&tcp).set_tcp_keepalive(&TcpKeepalive::new().with_time(DEAD_PEER))?;
    let Some(tls) = tls else { return requests(tcp, peer, http, router, watcher).await };
    let handshake = tokio::time::timeout(TLS_HANDSHAKE_MAX, tls.accept(tcp));
    let stream = handshake.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    requests(stream, peer, http, router, watcher).await
}

async fn requests(
    stream: impl Duplex + 'static,
    peer: SocketAddr,
    http: &Builder<TokioExecutor>,
    router: Router,
    watcher: Watcher,
) -> io::Result<()> {
    let asked = Arc::new(AtomicBool::new(false));
    let skip_head = SkipResponseHead::default();
    let stream = HeadSkipping::new(stream, skip_head.clone());
    let asks = asked.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        asks.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(ConnectInfo(peer));
        let (answering, skip_head) = (answer(router.clone(), request), skip_head.clone());
        async move {
            let answer = answering.await;
            let is_short = |answer: &Response<Body>| {
                answer.status() == StatusCode::SWITCHING_PROTOCOLS && answer.headers().contains_key(FAST_START)
            };
            if answer.as_ref().is_ok_and(is_short) {
                skip_head.skip();
            }
            answer
        }
    });
    let served = http.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    let served = watcher.watch(served);
    tokio::pin!(served);
    // hyper's own limit begins once it knows the HTTP version, which a peer can put off for ever.
    match tokio::time::timeout(HEAD_READ_MAX, served.as_mut()).await {
        Ok(ended) => ended.map_err(io::Error::other),
        Err(_) if asked.load(Ordering::Relaxed) => served.await.map_err(io::Error::other),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn http_builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_ANSWER_MAX)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(PENDING_RESETS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_QUEUE_MAX);
    builder
}

/// Why an address cannot be listened on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// Somebody else has it.
    #[error("{0} is in use by another program; stop that or choose another port")]
    Taken(SocketAddr),
    /// Ports below 1024, mostly.
    #[error("listening on {0} is not permitted; ports below 1024 need root or CAP_NET_BIND_SERVICE")]
    NotPermitted(SocketAddr),
    /// Not an address of this machine.
    #[error("{0} is not an address of this machine")]
    NotOurs(SocketAddr),
    /// Something else.
    #[error("cannot listen on {0}: {1}")]
    Other(SocketAddr, String),
}

impl ListenError {
    fn new(address: SocketAddr, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::Taken(address),
            io::ErrorKind::PermissionDenied => Self::NotPermitted(address),
            io::ErrorKind::AddrNotAvailable => Self::NotOurs(address),
            _ => Self::Other(address, error.to_string()),
        }
    }
}
