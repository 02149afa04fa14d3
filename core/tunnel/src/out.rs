//! Everything a call to [`crate::Tunnels`] can cause.

use std::sync::Arc;

use wattle_keys::NodePublic;
use wattle_time::Instant;

use crate::{Opener, Sealer};

/// What stands here when a call returns is all that it caused.
#[derive(Debug, Default)]
pub struct Out {
    /// Messages to send.
    pub transmits: Vec<Transmit>,
    /// What changed, oldest first.
    pub events: Vec<Event>,
}

/// One message to send.
#[derive(Debug)]
pub struct Transmit {
    /// Whereto.
    pub way: Way,
    /// A whole WireGuard message.
    pub message: Vec<u8>,
}

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the peer, by its best path.
    Peer(NodePublic),
    /// An answer to the message being handled: by the peer's best path if there is one, else back to where that message
    /// came from. Without a peer (a cookie reply): always back.
    Back(Option<NodePublic>),
}

/// What changed.
#[derive(Debug)]
pub enum Event {
    /// Data messages with this receiver index can be opened.
    OpenerReady {
        /// Who seals them.
        peer: NodePublic,
        /// What they carry in their header.
        receiver_index: u32,
        /// The fast half.
        opener: Arc<Opener>,
    },
    /// Data messages with this receiver index are nobody's any more.
    OpenerGone {
        /// Who sealed them.
        peer: NodePublic,
        /// What they carry in their header.
        receiver_index: u32,
    },
    /// Packets to this peer are sealed with this from now on.
    SealerReady {
        /// Who opens them.
        peer: NodePublic,
        /// The fast half.
        sealer: Arc<Sealer>,
    },
    /// There is no session to send with: packets to this peer belong to [`crate::Tunnels::send`].
    SealerGone {
        /// To whom.
        peer: NodePublic,
    },
    /// Somebody who is no peer began a handshake. If the netmap knows the key: add the peer and hand in the same message again.
    UnknownPeer {
        /// The static key of the initiation, proven.
        key: NodePublic,
    },
    /// No answer for [`crate::limits::REKEY_ATTEMPT_TIME`]; what was staged is dropped.
    HandshakeFailed {
        /// Who did not answer.
        peer: NodePublic,
    },
}

/// Why a packet was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The key is no peer.
    #[error("no such peer")]
    NoSuchPeer,
    /// Too much is already waiting for handshakes.
    #[error("too many packets wait for a handshake")]
    StagingFull,
    /// No message can carry that many bytes.
    #[error("the packet is too large for a message")]
    TooLarge,
}

/// One peer, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerStatus {
    /// When the last handshake was completed.
    pub last_handshake: Option<Instant>,
    /// Bytes of data messages sent.
    pub sent_bytes: u64,
    /// Bytes of data messages received and authenticated.
    pub received_bytes: u64,
}
