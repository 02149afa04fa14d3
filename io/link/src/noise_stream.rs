//! A byte stream inside the control channel: what is written is sealed, what is read was opened.
//!
//! Writes are gathered and sealed on flush, so that many small writes become few records and one write below. A peer that
//! stops taking or sending bytes is cut by time; the buffers of an idle stream are given back.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use wattle_noise::early::{self, Early};
use wattle_noise::{Channel, RecordOpener, RecordSealer};

use crate::limits::{FIRST_READ_MAX, GATHERED_MAX, IDLE_READ_MAX, READ_AT_ONCE, WRITE_STALL_MAX};

/// The control channel over some stream.
#[derive(Debug)]
pub struct NoiseStream<S> {
    below: S,
    inbound: Inbound,
    outbound: Outbound,
}

impl<S> NoiseStream<S> {
    /// A server's side. `response` is the handshake message that the peer still waits for; it leaves with the first flush.
    pub fn accepted(below: S, channel: Channel, response: &[u8]) -> Self {
        Self::new(below, channel, response.to_vec(), false)
    }

    /// A node's side. The server's early payload, if it sends one, is taken out of what is read.
    pub fn dialed(below: S, channel: Channel) -> Self {
        Self::new(below, channel, Vec::new(), true)
    }

    fn new(below: S, channel: Channel, sealed: Vec<u8>, expects_early: bool) -> Self {
        Self {
            below,
            inbound: Inbound {
                opener: channel.opener,
                partial: Vec::new(),
                plain: Vec::new(),
                taken: 0,
                expects_early,
                silence: Watch::new(FIRST_READ_MAX),
            },
            outbound: Outbound {
                sealer: channel.sealer,
                gathered: Vec::new(),
                sealed,
                written: 0,
                stall: Watch::new(WRITE_STALL_MAX),
            },
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for NoiseStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, wanted: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.inbound.give(wanted) {
                return Poll::Ready(Ok(()));
            }
            if !ready!(this.inbound.poll_fill(&mut this.below, cx))? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for NoiseStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, plain: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(plain)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.outbound.gathered.len() >= GATHERED_MAX {
            ready!(this.outbound.poll_drain(&mut this.below, cx))?;
        }
        Poll::Ready(Ok(this.outbound.gather(parts)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.outbound.poll_drain(&mut this.below, cx))?;
        Pin::new(&mut this.below).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.outbound.poll_drain(&mut this.below, cx))?;
        Pin::new(&mut this.below).poll_shutdown(cx)
    }
}

#[derive(Debug)]
struct Inbound {
    opener: RecordOpener,
    /// The start of a record whose rest has not arrived.
    partial: Vec<u8>,
    /// Opened text, of which `taken` bytes were given away.
    plain: Vec<u8>,
    taken: usize,
    expects_early: bool,
    silence: Watch,
}

impl Inbound {
    /// Gives opened text; whether there was any.
    fn give(&mut self, wanted: &mut ReadBuf<'_>) -> bool {
        if self.expects_early {
            return false;
        }
        let rest = self.plain.get(self.taken..).unwrap_or_default();
        if rest.is_empty() {
            return false;
        }
        let length = rest.len().min(wanted.remaining());
        wanted.put_slice(&rest[..length]);
        self.taken += length;
        if self.taken == self.plain.len() {
            (self.plain, self.taken) = (Vec::new(), 0);
        }
        true
    }

    /// Reads and opens once; false at the end of the stream.
    fn poll_fill<S: AsyncRead + Unpin>(&mut self, below: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut space = [std::mem::MaybeUninit::uninit(); READ_AT_ONCE];
        let mut arrived = ReadBuf::uninit(&mut space);
        match Pin::new(below).poll_read(cx, &mut arrived) {
            Poll::Pending => {
                ready!(self.silence.poll_over(cx));
                return Poll::Ready(Err(timed_out("the peer is silent")));
            }
            Poll::Ready(result) => result?,
        }
        if arrived.filled().is_empty() {
            let cut = !self.partial.is_empty() || self.expects_early && !self.plain.is_empty();
            return Poll::Ready(if cut { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(false) });
        }
        self.silence.rest(IDLE_READ_MAX);
        self.open(arrived.filled())?;
        if self.expects_early {
            self.take_early()?;
        }
        Poll::Ready(Ok(true))
    }

    fn open(&mut self, arrived: &[u8]) -> io::Result<()> {
        if self.partial.is_empty() {
            let used = self.opener.open(arrived, &mut self.plain).map_err(not_genuine)?;
            self.partial = arrived[used..].to_vec();
        } else {
            self.partial.extend_from_slice(arrived);
            let used = self.opener.open(&self.partial, &mut self.plain).map_err(not_genuine)?;
            self.partial = self.partial.split_off(used);
        }
        Ok(())
    }

    fn take_early(&mut self) -> io::Result<()> {
        match early::parse(&self.plain).map_err(not_genuine)? {
            Early::Payload { used, .. } => (self.taken, self.expects_early) = (used, false),
            Early::Absent => self.expects_early = false,
            Early::Incomplete => {}
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Outbound {
    sealer: RecordSealer,
    /// Text that is not sealed yet, at most [`GATHERED_MAX`].
    gathered: Vec<u8>,
    /// Sealed bytes, of which `written` are written. Sealed only when empty, so it is bounded like `gathered`.
    sealed: Vec<u8>,
    written: usize,
    stall: Watch,
}

impl Outbound {
    fn gather(&mut self, parts: &[io::IoSlice<'_>]) -> usize {
        let before = self.gathered.len();
        for part in parts {
            let space = GATHERED_MAX.saturating_sub(self.gathered.len());
            self.gathered.extend_from_slice(&part[..part.len().min(space)]);
        }
        self.gathered.len() - before
    }

    /// Seals and writes until nothing is left.
    fn poll_drain<S: AsyncWrite + Unpin>(&mut self, below: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while self.written < self.sealed.len() {
                match Pin::new(&mut *below).poll_write(cx, &self.sealed[self.written..]) {
                    Poll::Pending => {
                        ready!(self.stall.poll_over(cx));
                        return Poll::Ready(Err(timed_out("the peer takes nothing")));
                    }
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(length)) => {
                        self.written += length;
                        self.stall.rest(WRITE_STALL_MAX);
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                }
            }
            (self.sealed, self.written) = (Vec::new(), 0);
            if self.gathered.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let gathered = std::mem::take(&mut self.gathered);
            self.sealer.seal(&gathered, &mut self.sealed).map_err(not_genuine)?;
        }
    }
}

/// Counts the time in which nothing moves. The timer exists only while somebody waits.
#[derive(Debug)]
struct Watch {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Watch {
    fn new(limit: Duration) -> Self {
        Self { limit, timer: None }
    }

    /// Something moved: the count begins anew, with this limit.
    fn rest(&mut self, limit: Duration) {
        self.limit = limit;
        self.timer = None;
    }

    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + limit)));
        timer.as_mut().poll(cx)
    }
}

fn timed_out(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, text)
}

fn not_genuine(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests;
