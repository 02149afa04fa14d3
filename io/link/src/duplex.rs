//! Any two-way byte stream, once its kind does not matter any more.

use tokio::io::{AsyncRead, AsyncWrite};

/// What can be read and written: TCP, TLS, an upgraded HTTP connection, a WebSocket.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A two-way byte stream of a kind that is known only at run time.
pub type BoxedStream = Box<dyn Duplex>;
