//! What we send a relay. Frames are gathered, and one flush writes them all.

use tokio::io::{AsyncWriteExt, WriteHalf};
use tokio::time::timeout;
use wattle_keys::NodePublic;
use wattle_wire::derp::{Frame, NotePreferred, Ping, Pong, send_packet_header};

use super::RelayError;
use crate::duplex::BoxedStream;
use crate::limits::{RELAY_QUEUE_MAX, RELAY_WRITE_MAX};

/// The outbound half of a relay connection.
pub struct RelayWriter {
    stream: WriteHalf<BoxedStream>,
    gathered: Vec<u8>,
    written: usize,
}

impl RelayWriter {
    pub(super) fn new(stream: WriteHalf<BoxedStream>) -> Self {
        Self { stream, gathered: Vec::new(), written: 0 }
    }

    /// Gathers a packet for a peer. False: it was dropped, because the relay takes less than we have. Flush first.
    pub fn send(&mut self, to: &NodePublic, packet: &[u8]) -> bool {
        let header = send_packet_header(to, packet.len());
        if self.gathered.len() + header.len() + packet.len() > RELAY_QUEUE_MAX {
            return false;
        }
        self.gathered.extend_from_slice(&header);
        self.gathered.extend_from_slice(packet);
        true
    }

    /// Says whether this relay is our home: then it is where peers find us.
    pub fn note_preferred(&mut self, preferred: bool) {
        self.frame(&Frame::NotePreferred(NotePreferred { preferred }));
    }

    /// Answers a ping.
    pub fn pong(&mut self, token: [u8; 8]) {
        self.frame(&Frame::Pong(Pong { token }));
    }

    /// Asks for a pong.
    pub fn ping(&mut self, token: [u8; 8]) {
        self.frame(&Frame::Ping(Ping { token }));
    }

    /// Writes what was gathered. A call may be dropped and made again.
    pub async fn flush(&mut self) -> Result<(), RelayError> {
        while self.written < self.gathered.len() {
            let writing = self.stream.write(&self.gathered[self.written..]);
            match timeout(RELAY_WRITE_MAX, writing).await.map_err(|_| RelayError::Stalled)?? {
                0 => return Err(RelayError::Closed),
                length => self.written += length,
            }
        }
        self.gathered.clear();
        self.written = 0;
        timeout(RELAY_WRITE_MAX, self.stream.flush()).await.map_err(|_| RelayError::Stalled)??;
        Ok(())
    }

    /// A relay that asks more than it takes gets no answer.
    fn frame(&mut self, frame: &Frame<'_>) {
        if self.gathered.len() <= RELAY_QUEUE_MAX {
            frame.encode(&mut self.gathered);
        }
    }
}

impl std::fmt::Debug for RelayWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RelayWriter({} bytes gathered)", self.gathered.len() - self.written)
    }
}
