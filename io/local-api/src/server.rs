//! The daemon's end.

use std::convert::Infallible;
use std::fs::{self, DirBuilder, Permissions};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HOST as HOST_HEADER, ORIGIN, REFERER};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::limits::{CONNECTIONS, HEADERS, REQUEST_BYTES, REQUEST_WAIT, SHUTDOWN_WAIT};
use crate::{Body, HOST, PeerCredentials, respond};

/// A request, its body read.
pub type Request = http::Request<Bytes>;

/// An answer.
pub type Response = http::Response<Body>;

/// What answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one. It is dropped unfinished when the caller leaves.
    fn handle(&self, request: Request, caller: PeerCredentials) -> impl Future<Output = Response> + Send;
}

impl<F, Answer> Handler for F
where
    F: Fn(Request, PeerCredentials) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Response> + Send,
{
    fn handle(&self, request: Request, caller: PeerCredentials) -> impl Future<Output = Response> + Send {
        self(request, caller)
    }
}

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody answers at the socket.
    #[error("a daemon is already listening at {socket}: stop it first, or choose another place with --socket")]
    AlreadyRunning {
        /// The socket.
        socket: PathBuf,
    },
    /// Something that is not a socket stands there.
    #[error("{socket} is not a socket and was left alone: choose another place with --socket")]
    NotASocket {
        /// The path.
        socket: PathBuf,
    },
    /// The folder belongs to another user.
    #[error("not permitted to listen at {socket}: run as root, or choose another place with --socket")]
    Permission {
        /// The socket.
        socket: PathBuf,
    },
    /// Anything else.
    #[error("cannot listen at {socket}: {source}")]
    Io {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A listening server.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    socket: PathBuf,
}

impl Server {
    /// Listens at `socket`. Makes its folder, and takes the place of a daemon that ended without cleaning up. Anybody
    /// on this machine may connect: what they may do is decided by who they are.
    pub fn bind(socket: &Path) -> Result<Self, BindError> {
        let explain = |source: io::Error| match source.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                BindError::Permission { socket: socket.to_owned() }
            }
            _ => BindError::Io { socket: socket.to_owned(), source },
        };
        if let Some(folder) = socket.parent() {
            DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(explain)?;
        }
        match fs::symlink_metadata(socket) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(BindError::NotASocket { socket: socket.to_owned() });
            }
            Ok(_) => {
                if std::os::unix::net::UnixStream::connect(socket).is_ok() {
                    return Err(BindError::AlreadyRunning { socket: socket.to_owned() });
                }
                fs::remove_file(socket).map_err(explain)?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(explain(error)),
        }
        let listener = UnixListener::bind(socket).map_err(explain)?;
        fs::set_permissions(socket, Permissions::from_mode(0o666)).map_err(explain)?;
        Ok(Self { listener, socket: socket.to_owned() })
    }

    /// Answers until `shutdown` ends; then lets running answers end, a moment at most, and removes the socket.
    pub async fn serve(self, handler: impl Handler, shutdown: impl Future<Output = ()>) {
        let handler = Arc::new(handler);
        let (operators, others) = (Arc::new(Semaphore::new(CONNECTIONS)), Arc::new(Semaphore::new(CONNECTIONS)));
        let own_uid = nix::unistd::geteuid().as_raw();
        let connections = GracefulShutdown::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                accepted = self.listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _address)) => stream,
                Err(error) => {
                    // Out of descriptors, mostly: wait for some to come back rather than spin.
                    tracing::warn!(%error, "could not take a LocalAPI connection");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Ok(caller) = PeerCredentials::of(&stream) else { continue };
            // Others cannot take the places of those who run this machine.
            let room = if caller.is_root() || caller.uid == own_uid { &operators } else { &others };
            let Ok(place) = Arc::clone(room).try_acquire_owned() else {
                tracing::debug!(uid = caller.uid, "too many LocalAPI connections: one was closed");
                continue;
            };
            let handler = Arc::clone(&handler);
            let service = service_fn(move |request| {
                let handler = Arc::clone(&handler);
                async move { Ok::<_, Infallible>(answer(&*handler, request, caller).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(REQUEST_WAIT)
                .max_headers(HEADERS)
                .serve_connection(TokioIo::new(stream), service);
            let connection = connections.watch(connection);
            tokio::spawn(async move {
                // That a caller left or spoke nonsense concerns nobody but the caller.
                let _gone: Result<(), hyper::Error> = connection.await;
                drop(place);
            });
        }
        if timeout(SHUTDOWN_WAIT, connections.shutdown()).await.is_err() {
            tracing::debug!("LocalAPI streams were still open at the end");
        }
        let _gone: io::Result<()> = fs::remove_file(&self.socket);
    }
}

async fn answer(handler: &impl Handler, request: http::Request<Incoming>, caller: PeerCredentials) -> Response {
    if let Err(refusal) = check_origin(request.headers()) {
        return respond::text(StatusCode::FORBIDDEN, refusal);
    }
    let (head, body) = request.into_parts();
    match timeout(REQUEST_WAIT, Limited::new(body, REQUEST_BYTES).collect()).await {
        Ok(Ok(body)) => handler.handle(http::Request::from_parts(head, body.to_bytes()), caller).await,
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            respond::text(StatusCode::PAYLOAD_TOO_LARGE, "the request body is too large")
        }
        Ok(Err(_)) => respond::text(StatusCode::BAD_REQUEST, "the request body could not be read"),
        Err(_) => respond::text(StatusCode::REQUEST_TIMEOUT, "the request body did not come in time"),
    }
}

/// A web page must not be able to reach us through a proxy to this socket (tailscale `localapi.go` `validHost`).
fn check_origin(headers: &HeaderMap) -> Result<(), &'static str> {
    if headers.contains_key(ORIGIN) || headers.contains_key(REFERER) {
        return Err("requests from web pages are refused");
    }
    let mut hosts = headers.get_all(HOST_HEADER).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if host == HOST || host == "wattled" => Ok(()),
        _ => Err("the Host of a LocalAPI request is local-tailscaled.sock"),
    }
}

#[cfg(test)]
mod tests;
