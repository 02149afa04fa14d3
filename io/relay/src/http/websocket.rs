//! A WebSocket as a stream of bytes: binary messages one after the other, whatever their borders.

use std::io;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};

/// The two directions of `socket`. A text message is an error; pings are answered inside.
pub(super) fn split(socket: WebSocket) -> (impl AsyncRead + Unpin, impl AsyncWrite + Unpin) {
    let (sink, stream) = socket.split();
    let bytes = stream.filter_map(|message| {
        std::future::ready(match message {
            Ok(Message::Binary(bytes)) => Some(Ok(bytes)),
            Ok(Message::Ping(_) | Message::Pong(_)) => None,
            Ok(Message::Close(_)) => Some(Err(io::ErrorKind::UnexpectedEof.into())),
            Ok(Message::Text(_)) => Some(Err(io::ErrorKind::InvalidData.into())),
            Err(error) => Some(Err(io::Error::other(error))),
        })
    });
    let sink = sink
        .sink_map_err(io::Error::other)
        .with(|bytes: Bytes| std::future::ready(Ok::<_, io::Error>(Message::Binary(bytes))));
    (StreamReader::new(bytes), SinkWriter::new(CopyToBytes::new(sink)))
}
