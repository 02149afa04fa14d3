//! HTTP/2 inside a control channel, served by an axum router.

use std::convert::Infallible;
use std::io;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tower::ServiceExt;
use wattle_keys::MachinePublic;

use crate::accept::ControlStream;
use crate::limits::{
    CONNECTION_WINDOW, HEADER_LIST_MAX, PENDING_RESETS_MAX, PING_ANSWER_MAX, PING_INTERVAL, SEND_QUEUE_MAX,
    SHUTDOWN_GRACE, STREAM_WINDOW, STREAMS_MAX,
};

/// Who makes the requests of a control channel: each of them carries this as an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The machine, proven.
    pub machine: MachinePublic,
    /// The capability version that it claims.
    pub version: u16,
}

/// Serves requests until the peer leaves, or `shutdown` is done and its requests had their time to end.
pub async fn serve_control(
    stream: ControlStream,
    peer: Peer,
    router: Router,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        answer(router.clone(), request)
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_ANSWER_MAX)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(PENDING_RESETS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_QUEUE_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return result.map_err(io::Error::other),
        () = shutdown => connection.as_mut().graceful_shutdown(),
    }
    // Map streams have no end of their own, so that time has to end them.
    match tokio::time::timeout(SHUTDOWN_GRACE, connection).await {
        Ok(result) => result.map_err(io::Error::other),
        Err(_) => Ok(()),
    }
}

/// Hands a request, with whatever method and body, to the router.
pub(crate) async fn answer(router: Router, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    router.oneshot(request.map(Body::new)).await
}
