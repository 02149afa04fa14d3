//! One node's map stream: what it must be told, as frames, when it must be told.
//!
//! A stream remembers what it was told. When something was applied it waits a moment, so that changes which come together
//! are told together, asks what it has missed, and encodes that; what many streams are told is encoded once.

mod encode;

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;
use wattle_coordinator::{Command, Reply, Report, StreamId, Told, Update};
use wattle_netmap::NodeId;

use crate::event_loop::{AskError, LoopHandle};
use crate::limits::{CHANGES_GATHERED, KEEPALIVE, KEEPALIVE_JITTER};
use encode::Encoder;

pub(crate) use encode::JsonCache;

/// Frames for one node: length and message. Dropping it disconnects the node.
pub(crate) struct MapStream {
    frames: BoxStream<'static, Bytes>,
}

impl MapStream {
    pub(crate) async fn open(
        tailnet: LoopHandle,
        report: Report,
        compress: bool,
        one_shot: bool,
    ) -> Result<Self, AskError> {
        let encoder = Encoder { version: report.capability_version, compress };
        if one_shot {
            let key = report.node_key;
            tailnet.ask(Command::Report(Box::new(report))).await?;
            let node = tailnet.read(move |coordinator| coordinator.node_by_key(&key).map(|entry| entry.record.id));
            let frame = match node.await? {
                Some(node) => tailnet.catch_up(node, None, Told::default()).await,
                None => None,
            };
            let frame = frame.map(|(update, _)| encoder.frame(update, tailnet.json()));
            return Ok(Self { frames: stream::iter(frame).boxed() });
        }
        let changes = tailnet.changes();
        let reply = tailnet.ask(Command::Connect(Box::new(report))).await?;
        let Reply::Connected { node, stream } = reply else { return Err(AskError::Stopping) };
        tailnet.counters().streams.fetch_add(1, Ordering::Relaxed);
        let open = Open { tailnet, node, stream, changes, told: Some(Told::default()), encoder };
        let frames = stream::unfold(open, |mut open| async move { open.next().await.map(|frame| (frame, open)) });
        Ok(Self { frames: frames.boxed() })
    }
}

impl Stream for MapStream {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.frames.poll_next_unpin(context)
    }
}

/// A stream that is open.
struct Open {
    tailnet: LoopHandle,
    node: NodeId,
    stream: StreamId,
    changes: watch::Receiver<u64>,
    /// What it was told; it is away while it is brought up to date.
    told: Option<Told>,
    encoder: Encoder,
}

impl Open {
    /// The next frame; `None` when the stream must end.
    async fn next(&mut self) -> Option<Bytes> {
        let keepalive = tokio::time::Instant::now() + KEEPALIVE + jitter(self.stream);
        loop {
            let first = self.told.as_ref()?.revision().is_none();
            if !first {
                match tokio::time::timeout_at(keepalive, self.changes.changed()).await {
                    Err(_) => return Some(self.encoder.keepalive()),
                    Ok(Err(_)) => return None,
                    Ok(Ok(())) => tokio::time::sleep(CHANGES_GATHERED).await,
                }
            }
            self.changes.mark_unchanged();
            let update = self.catch_up().await?;
            if first || !update.is_empty() {
                return Some(self.encoder.frame(update, self.tailnet.json()));
            }
        }
    }

    async fn catch_up(&mut self) -> Option<Update> {
        let (update, told) = self.tailnet.catch_up(self.node, Some(self.stream), self.told.take()?).await?;
        self.told = Some(told);
        Some(update)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.tailnet.counters().streams.fetch_sub(1, Ordering::Relaxed);
        self.tailnet.tell(Command::Disconnect { node: self.node, stream: self.stream });
    }
}

/// Spreads keepalives, so that a thousand streams that opened together do not wake together. By the stream's number,
/// which costs no dice.
fn jitter(stream: StreamId) -> Duration {
    let span = u64::try_from(KEEPALIVE_JITTER.as_millis()).unwrap_or(1).max(1);
    Duration::from_millis(stream.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) % span)
}
