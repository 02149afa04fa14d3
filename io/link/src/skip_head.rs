//! A response whose head is not sent: DERP's fast start, where both sides know what it would say.
//!
//! A handler upgrades the connection as ever, and says by a header that the head shall be left out; what it writes after that
//! is what the client reads first.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The header of a 101 answer that asks for it.
pub(crate) const FAST_START: &str = "derp-fast-start";

/// Asks for it, from where the answer is seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct SkipResponseHead(Arc<AtomicBool>);

impl SkipResponseHead {
    /// Leaves out the head of the response that is about to be written.
    pub(crate) fn skip(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The connection below.
pub(crate) struct HeadSkipping<S> {
    below: S,
    wanted: SkipResponseHead,
    /// How much of the empty line that ends a head was seen.
    seen: usize,
}

const END: &[u8] = b"\r\n\r\n";

impl<S> HeadSkipping<S> {
    pub(crate) fn new(below: S, wanted: SkipResponseHead) -> Self {
        Self { below, wanted, seen: 0 }
    }

    fn is_skipping(&self) -> bool {
        self.seen < END.len() && self.wanted.0.load(Ordering::Acquire)
    }

    /// How many of these bytes belong to the head.
    fn take_head(&mut self, bytes: &[u8]) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            self.seen = if END.get(self.seen) == Some(byte) { self.seen + 1 } else { usize::from(*byte == b'\r') };
            if self.seen == END.len() {
                return at + 1;
            }
        }
        bytes.len()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadSkipping<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.below).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadSkipping<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_skipping() && !bytes.is_empty() {
            return Poll::Ready(Ok(self.take_head(bytes)));
        }
        Pin::new(&mut self.below).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_skipping() {
            let first = parts.iter().find(|part| !part.is_empty()).map_or(&[][..], |part| part);
            return self.poll_write(cx, first);
        }
        Pin::new(&mut self.below).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.below.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.below).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.below).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn written(skip: bool, pieces: &[&[u8]]) -> Vec<u8> {
        let wanted = SkipResponseHead::default();
        if skip {
            wanted.skip();
        }
        let mut stream = HeadSkipping::new(io::Cursor::new(Vec::new()), wanted);
        for piece in pieces {
            stream.write_all(piece).await.unwrap();
        }
        stream.below.into_inner()
    }

    const ANSWER: &[u8] = b"HTTP/1.1 101 Switching\r\nUpgrade: DERP\r\n\r\nframes\r\n\r\nmore";

    #[tokio::test]
    async fn only_a_head_that_shall_be_skipped_is() {
        assert_eq!(written(true, &[ANSWER]).await, b"frames\r\n\r\nmore");
        assert_eq!(written(false, &[ANSWER]).await, ANSWER);
    }

    proptest! {
        #[test]
        fn wherever_the_head_is_cut_it_is_skipped_whole(cut in 0usize..ANSWER.len()) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (front, back) = ANSWER.split_at(cut);
            prop_assert_eq!(runtime.block_on(written(true, &[front, back])), b"frames\r\n\r\nmore");
        }
    }
}
