//! The command line's end.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HOST as HOST_HEADER};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::HOST;
use crate::limits::{CONNECT_WAIT, LINE_BYTES, REPLY_BYTES};

/// Asks the daemon. Each question has a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// Its bytes.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("the daemon is not running (nothing listens at {socket})")]
    NotRunning {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket may not be opened.
    #[error("not permitted to talk to the daemon at {socket}")]
    Permission {
        /// The socket.
        socket: PathBuf,
    },
    /// The stream was refused with this answer.
    #[error("the daemon answered {}", .0.status)]
    Refused(Reply),
    /// The answer is larger than anything the daemon sends.
    #[error("the daemon's answer is too large")]
    TooLarge,
    /// The daemon did not take the connection.
    #[error("the daemon does not answer")]
    TimedOut,
    /// The daemon ended, or it is no daemon.
    #[error("the conversation with the daemon broke off: {0}")]
    Broken(String),
}

impl Client {
    /// A client of the daemon that listens at `socket`.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// Where the daemon should listen.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks and reads the whole answer, whatever its status. There is no limit to how long the daemon thinks.
    pub async fn request(&self, method: Method, path: &str, body: Bytes) -> Result<Reply, ClientError> {
        let response = self.send(method, path, body).await?;
        reply(response).await
    }

    /// Asks for a stream of lines.
    pub async fn watch(&self, path: &str) -> Result<Lines, ClientError> {
        let response = self.send(Method::GET, path, Bytes::new()).await?;
        if response.status() != StatusCode::OK {
            return Err(ClientError::Refused(reply(response).await?));
        }
        Ok(Lines { body: response.into_body(), buffer: BytesMut::new(), searched: 0 })
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<http::Response<Incoming>, ClientError> {
        let stream = match timeout(CONNECT_WAIT, UnixStream::connect(&self.socket)).await {
            Ok(connected) => connected.map_err(|error| self.explain(&error))?,
            Err(_) => return Err(ClientError::TimedOut),
        };
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(async move {
            // Whatever ends it is seen by the reader of the answer.
            let _ended: Result<(), hyper::Error> = connection.await;
        });
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(HOST_HEADER, HOST)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(broken)?;
        sender.send_request(request).await.map_err(broken)
    }

    fn explain(&self, error: &io::Error) -> ClientError {
        let socket = self.socket.clone();
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => ClientError::NotRunning { socket },
            ErrorKind::PermissionDenied => ClientError::Permission { socket },
            _ => ClientError::Broken(error.to_string()),
        }
    }
}

async fn reply(response: http::Response<Incoming>) -> Result<Reply, ClientError> {
    let status = response.status();
    match Limited::new(response.into_body(), REPLY_BYTES).collect().await {
        Ok(body) => Ok(Reply { status, body: body.to_bytes() }),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(ClientError::TooLarge),
        Err(error) => Err(ClientError::Broken(error.to_string())),
    }
}

fn broken(error: impl std::fmt::Display) -> ClientError {
    ClientError::Broken(error.to_string())
}

/// A stream of lines, as they come.
#[derive(Debug)]
pub struct Lines {
    body: Incoming,
    buffer: BytesMut,
    /// How far the buffer is known to hold no line end.
    searched: usize,
}

impl Lines {
    /// The next line that is not empty, without its end; `None` when the daemon ended the stream. Cancel-safe.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            while let Some(line) = self.take_line() {
                if !line.is_empty() {
                    return Ok(Some(line));
                }
            }
            if self.buffer.len() > LINE_BYTES {
                return Err(ClientError::TooLarge);
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(broken(error)),
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        self.buffer.extend_from_slice(&piece);
                    }
                }
            }
        }
    }

    fn take_line(&mut self) -> Option<Bytes> {
        let fresh = self.buffer.get(self.searched..)?;
        let Some(at) = fresh.iter().position(|&byte| byte == b'\n') else {
            self.searched = self.buffer.len();
            return None;
        };
        let mut line = self.buffer.split_to(self.searched + at + 1);
        line.truncate(line.len() - 1);
        self.searched = 0;
        Some(line.freeze())
    }
}
