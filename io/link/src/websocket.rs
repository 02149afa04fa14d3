//! A byte stream in the binary messages of a WebSocket. Message borders mean nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::limits::{WEBSOCKET_MESSAGE_MAX, WEBSOCKET_QUEUE_MAX};

/// Bytes over a WebSocket.
#[derive(Debug)]
pub(crate) struct WebSocketBytes<S> {
    socket: WebSocketStream<S>,
    /// The rest of the last message.
    unread: Bytes,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketBytes<S> {
    /// After the HTTP part is done.
    pub(crate) async fn new(below: S, role: Role) -> Self {
        let config = WebSocketConfig::default()
            .max_message_size(Some(WEBSOCKET_MESSAGE_MAX))
            .max_frame_size(Some(WEBSOCKET_MESSAGE_MAX))
            .read_buffer_size(WEBSOCKET_MESSAGE_MAX / 2)
            // What comes here was gathered already: write it at once.
            .write_buffer_size(0)
            .max_write_buffer_size(WEBSOCKET_QUEUE_MAX);
        Self::over(WebSocketStream::from_raw_socket(below, role, Some(config)).await)
    }

    /// Over a WebSocket that is there already.
    pub(crate) fn over(socket: WebSocketStream<S>) -> Self {
        Self { socket, unread: Bytes::new() }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocketBytes<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, wanted: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.unread.is_empty() {
            match ready!(Pin::new(&mut this.socket).poll_next(cx)) {
                None | Some(Ok(Message::Close(_))) => return Poll::Ready(Ok(())),
                Some(Ok(Message::Binary(bytes))) => this.unread = bytes,
                // Pings are answered below; texts have no meaning here.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(read_error(error)),
            }
        }
        let length = this.unread.len().min(wanted.remaining());
        wanted.put_slice(&this.unread.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocketBytes<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let socket = &mut self.get_mut().socket;
        ready!(Pin::new(&mut *socket).poll_ready(cx)).map_err(io_error)?;
        let length = bytes.len().min(WEBSOCKET_MESSAGE_MAX);
        Pin::new(socket).start_send(Message::Binary(Bytes::copy_from_slice(&bytes[..length]))).map_err(io_error)?;
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx).map_err(io_error)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_close(cx).map_err(io_error)
    }
}

/// A peer that goes away without closing is the end of the stream: the protocol above says whether it came too early.
fn read_error(error: Error) -> io::Result<()> {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => Ok(()),
        other => Err(io_error(other)),
    }
}

fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}
