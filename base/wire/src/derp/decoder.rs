//! Cuts a byte stream into frames, at the speed at which it comes, within the limits of the side that reads.

use super::frame::{Frame, FrameError, HEADER_LENGTH, read_header};
use super::limits;
use super::{ClientLogin, ForwardPacket, Ping, Pong, SendPacket};

/// Holds what has been read and not yet taken. Feed it with [`Self::space`] and [`Self::filled`] or with
/// [`Self::push`], then take frames until [`Self::next_frame`] says `None`.
#[derive(Debug)]
pub struct FrameDecoder {
    reader: Reader,
    buffer: Vec<u8>,
    /// Where the bytes start that no frame has taken.
    start: usize,
    /// Where they end: what follows is room for more.
    end: usize,
    /// How many bytes of a frame of unknown type are still to be thrown away.
    skipping: usize,
    skipped: u64,
}

/// Which side reads. It decides what is too long.
#[derive(Clone, Copy, Debug)]
enum Reader {
    Relay,
    Client,
}

impl FrameDecoder {
    /// For a relay: it reads from anybody and holds as little as the frame types need.
    pub const fn for_server() -> Self {
        Self::new(Reader::Relay)
    }

    /// For a client: it reads from the relay that it has chosen.
    pub const fn for_client() -> Self {
        Self::new(Reader::Client)
    }

    const fn new(reader: Reader) -> Self {
        Self { reader, buffer: Vec::new(), start: 0, end: 0, skipping: 0, skipped: 0 }
    }

    /// Room for at least this many bytes, to read into. Say with [`Self::filled`] how many were read.
    pub fn space(&mut self, at_least: usize) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.buffer.len() - self.end < at_least {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            let needed = self.end.saturating_add(at_least);
            if self.buffer.len() < needed {
                self.buffer.resize(needed, 0);
            }
        }
        &mut self.buffer[self.end..]
    }

    /// So many bytes were read into [`Self::space`].
    pub fn filled(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.buffer.len());
    }

    /// Copies bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.space(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.filled(bytes.len());
    }

    /// The next whole frame. After an error the stream makes no sense any more: cut the connection.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        loop {
            if !self.skip() {
                return Ok(None);
            }
            let Some(header) = self.buffer[self.start..self.end].first_chunk::<HEADER_LENGTH>() else {
                return Ok(None);
            };
            let (kind, length) = read_header(header);
            let limit = self.limit(kind);
            if length > limit {
                return Err(FrameError::TooLong { kind, length, limit });
            }
            if !Frame::is_known(kind) {
                self.start += HEADER_LENGTH;
                self.skipping = length;
                self.skipped += 1;
                continue;
            }
            let body_at = self.start + HEADER_LENGTH;
            if self.end - body_at < length {
                return Ok(None);
            }
            self.start = body_at + length;
            return Frame::decode(kind, &self.buffer[body_at..self.start]).map(Some);
        }
    }

    /// Throws away what belongs to a frame of unknown type; says whether it is all gone.
    fn skip(&mut self) -> bool {
        let count = self.skipping.min(self.end - self.start);
        self.start += count;
        self.skipping -= count;
        self.skipping == 0
    }

    fn limit(&self, kind: u8) -> usize {
        match (self.reader, kind) {
            (_, unknown) if !Frame::is_known(unknown) => limits::SKIPPED_FRAME_BYTES_MAX,
            (Reader::Client, _) => limits::CLIENT_FRAME_BYTES_MAX,
            (Reader::Relay, ClientLogin::TYPE) => 32 + wattle_keys::BOX_OVERHEAD + limits::LOGIN_BYTES_MAX,
            (Reader::Relay, SendPacket::TYPE) => 32 + limits::PACKET_BYTES_MAX,
            (Reader::Relay, ForwardPacket::TYPE) => 64 + limits::PACKET_BYTES_MAX,
            (Reader::Relay, Ping::TYPE | Pong::TYPE) => limits::PING_BYTES_MAX,
            (Reader::Relay, _) => limits::SMALL_FRAME_BYTES_MAX,
        }
    }

    /// How many frames of unknown type were skipped.
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Whether nothing is held: the stream stands between two frames.
    pub const fn is_empty(&self) -> bool {
        self.start == self.end && self.skipping == 0
    }

    /// Gives back a big buffer when nothing is in it: a thousand idle clients should cost little.
    pub fn release(&mut self) {
        if self.start == self.end && self.buffer.capacity() > limits::IDLE_BUFFER_BYTES_MAX {
            (self.buffer, self.start, self.end) = (Vec::new(), 0, 0);
        }
    }
}
