//! One client's stream: a reader and a writer in one task, until either is done.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::timeout;
use wattle_relay_core::{ClientId, CutReason, Drain, Next};
use wattle_wire::derp::FrameDecoder;

use crate::RelayHandle;
use crate::limits::{IDLE, READ_BYTES_BUSY, READ_BYTES_IDLE, WRITE_STALL};

impl RelayHandle {
    /// Serves a client whose HTTP upgrade is done. Returns why it ended.
    pub async fn serve_client<R, W>(&self, reader: R, mut writer: W, source: SocketAddr) -> CutReason
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let Ok((id, waker)) = self.connect(source) else {
            tracing::warn!(%source, "the relay is full");
            return CutReason::Refused;
        };
        let _departure = Departure { relay: self, id };
        let reason = tokio::select! {
            reason = self.read(id, reader) => reason,
            reason = self.write(id, &waker, &mut writer) => reason,
        };
        // The other side may be gone already: closing is a courtesy.
        let _closed = timeout(WRITE_STALL, writer.shutdown()).await;
        tracing::debug!(%source, %reason, "relay connection over");
        reason
    }

    async fn read(&self, id: ClientId, mut reader: impl AsyncRead + Unpin) -> CutReason {
        let mut stream = FrameDecoder::for_server();
        let mut size = READ_BYTES_IDLE;
        loop {
            let space = stream.space(size);
            let offered = space.len();
            match timeout(IDLE, reader.read(space)).await {
                Ok(Ok(0) | Err(_)) => return CutReason::Ended,
                Ok(Ok(length)) => {
                    stream.filled(length);
                    if length == offered {
                        size = READ_BYTES_BUSY;
                    }
                }
                Err(_quiet) => {
                    stream.release();
                    size = READ_BYTES_IDLE;
                    continue;
                }
            }
            loop {
                match self.with(|relay, now, out| relay.handle_stream(id, &mut stream, now, out)) {
                    Next::Read => break,
                    Next::ReadAfter(when) => self.sleep_until(when).await,
                    Next::Ask(question) => {
                        let allowed = self.verify(question.key, question.source).await;
                        self.with(|relay, now, out| relay.admit(id, allowed, now, out));
                    }
                    Next::Cut(reason) => return reason,
                }
            }
        }
    }

    async fn write(&self, id: ClientId, waker: &Notify, writer: &mut (impl AsyncWrite + Unpin)) -> CutReason {
        let mut buffer = Vec::new();
        loop {
            match self.with(|relay, _, _| relay.drain(id, &mut buffer)) {
                Drain::Bytes => {
                    if let Err(reason) = write_steadily(writer, &buffer).await {
                        return reason;
                    }
                    buffer.clear();
                }
                Drain::Empty if buffer.capacity() == 0 => waker.notified().await,
                Drain::Empty => {
                    if timeout(IDLE, waker.notified()).await.is_err() {
                        buffer = Vec::new();
                    }
                }
                Drain::Cut(reason) => return reason,
            }
        }
    }
}

/// Writes all of `bytes` as long as there is some progress.
async fn write_steadily(writer: &mut (impl AsyncWrite + Unpin), mut bytes: &[u8]) -> Result<(), CutReason> {
    while !bytes.is_empty() {
        match timeout(WRITE_STALL, writer.write(bytes)).await {
            Ok(Ok(0) | Err(_)) => return Err(CutReason::Ended),
            Ok(Ok(length)) => bytes = bytes.get(length..).unwrap_or_default(),
            Err(_) => return Err(CutReason::Stalled),
        }
    }
    match timeout(WRITE_STALL, writer.flush()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(CutReason::Ended),
        Err(_) => Err(CutReason::Stalled),
    }
}

/// Takes the client out of the relay however its task ends.
struct Departure<'a> {
    relay: &'a RelayHandle,
    id: ClientId,
}

impl Drop for Departure<'_> {
    fn drop(&mut self) {
        self.relay.with(|relay, _, out| relay.disconnect(self.id, out));
    }
}
