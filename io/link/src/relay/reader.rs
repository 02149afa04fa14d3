//! What a relay sends us.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, ReadHalf};
use tokio::time::timeout;
use wattle_keys::NodePublic;
use wattle_wire::derp::{Frame, FrameDecoder, FrameError, PeerGoneReason};

use crate::duplex::BoxedStream;
use crate::limits::{RELAY_READ_AT_ONCE, RELAY_SILENCE_MAX};

/// The inbound half of a relay connection.
pub struct RelayReader {
    stream: ReadHalf<BoxedStream>,
    decoder: FrameDecoder,
}

/// What a relay tells us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayEvent {
    /// A packet from a peer; its bytes are in the buffer that was handed in.
    Packet {
        /// Who sent it.
        from: NodePublic,
    },
    /// A peer cannot be reached here.
    PeerGone {
        /// Who.
        peer: NodePublic,
        /// Why.
        reason: PeerGoneReason,
    },
    /// Answer it with a pong of the same token.
    Ping([u8; 8]),
    /// The answer to our ping.
    Pong([u8; 8]),
    /// The relay is alive.
    KeepAlive,
    /// What is wrong with the relay or with us; `None`: nothing any more.
    Health(Option<String>),
    /// The relay restarts: come back after the first, and try for the second duration.
    Restarting {
        /// When.
        reconnect_in: Duration,
        /// How long.
        try_for: Duration,
    },
}

impl RelayReader {
    pub(super) fn new(stream: ReadHalf<BoxedStream>, decoder: FrameDecoder) -> Self {
        Self { stream, decoder }
    }

    /// The next event. A packet's bytes replace what is in `packet`. A call may be dropped and made again.
    pub async fn next(&mut self, packet: &mut Vec<u8>) -> Result<RelayEvent, RelayError> {
        loop {
            while let Some(frame) = self.decoder.next_frame()? {
                if let Some(event) = event(&frame, packet) {
                    return Ok(event);
                }
            }
            read_more(&mut self.stream, &mut self.decoder).await?;
        }
    }
}

impl std::fmt::Debug for RelayReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RelayReader(..)")
    }
}

/// What a frame means to a node; `None`: nothing, it is for the login or for relays among themselves.
fn event(frame: &Frame<'_>, packet: &mut Vec<u8>) -> Option<RelayEvent> {
    Some(match frame {
        Frame::RecvPacket(frame) => {
            packet.clear();
            packet.extend_from_slice(frame.packet);
            RelayEvent::Packet { from: frame.from }
        }
        Frame::PeerGone(frame) => RelayEvent::PeerGone { peer: frame.peer, reason: frame.reason },
        Frame::Ping(frame) => RelayEvent::Ping(frame.token),
        Frame::Pong(frame) => RelayEvent::Pong(frame.token),
        Frame::KeepAlive(_) => RelayEvent::KeepAlive,
        Frame::Health(frame) => RelayEvent::Health((!frame.problem.is_empty()).then(|| frame.problem.to_owned())),
        Frame::Restarting(frame) => RelayEvent::Restarting {
            reconnect_in: Duration::from_millis(frame.reconnect_in_ms.into()),
            try_for: Duration::from_millis(frame.try_for_ms.into()),
        },
        _ => return None,
    })
}

/// Reads until a frame is one that `pick` takes; others are passed over.
pub(super) async fn expect<T>(
    stream: &mut BoxedStream,
    decoder: &mut FrameDecoder,
    pick: impl Fn(Frame<'_>) -> Option<T>,
) -> Result<T, RelayError> {
    loop {
        while let Some(frame) = decoder.next_frame()? {
            if let Some(picked) = pick(frame) {
                return Ok(picked);
            }
        }
        read_more(stream, decoder).await?;
    }
}

async fn read_more(stream: &mut (impl AsyncRead + Unpin), decoder: &mut FrameDecoder) -> Result<(), RelayError> {
    let reading = stream.read(decoder.space(RELAY_READ_AT_ONCE));
    let length = match timeout(RELAY_SILENCE_MAX, reading).await.map_err(|_| RelayError::Silent)? {
        Ok(0) => return Err(RelayError::Closed),
        Ok(length) => length,
        // Relays that stop do not end TLS in form.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(RelayError::Closed),
        Err(error) => return Err(error.into()),
    };
    decoder.filled(length);
    Ok(())
}

/// Why a relay connection ended.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The relay closed it.
    #[error("the relay closed the connection")]
    Closed,
    /// Not even a keepalive.
    #[error("the relay is silent")]
    Silent,
    /// It takes nothing.
    #[error("the relay takes nothing")]
    Stalled,
    /// It does not speak DERP.
    #[error("the relay sent a broken frame: {0}")]
    Frame(#[from] FrameError),
    /// The system says.
    #[error("the connection to the relay broke: {0}")]
    Io(#[from] io::Error),
}
