//! WireGuard, split in two.
//!
//! What it is: one slow half, [`Tunnels`], that owns the handshakes and timers of all peers, and fast halves made by it
//! for each session: a [`Sealer`] and an [`Opener`] that any thread may use without a lock and without allocating.
//! The handshake is Noise IKpsk2 by `snow`; the messages are those of the WireGuard paper, byte for byte.
//!
//! What it is not: a router or a socket. It does not know addresses (a message goes to a peer, or back to where its cause came
//! from), does not look into IP packets and does not check which source addresses a peer may use.
//!
//! How to drive it: hand handshake messages to [`Tunnels::handle_message`] and packets without a session to
//! [`Tunnels::send`]; carry out what stands in [`Out`]; call [`Tunnels::handle_timeout`] by [`Tunnels::next_timeout`]; tell
//! about traffic of the fast halves with [`Tunnels::note_traffic`], about once a second per peer and at once when
//! [`Opened::first`] is set (a responder may send only then).
//!
//! Invariants: no counter is sealed twice with one key; no counter is opened twice with one key; a session older than
//! [`limits::REJECT_AFTER_TIME`] neither seals nor opens; an initiation is answered only if its timestamp is newer than
//! all before from that peer; nothing a stranger sends makes state for longer than a handshake.
#![forbid(unsafe_code)]

mod admission;
mod cookie;
mod counts;
mod handshake;
mod indices;
pub mod limits;
mod mac;
mod message;
mod noise;
mod opener;
mod out;
mod peer;
mod replay;
mod sealer;
mod session;
mod timers;
mod timestamp;
mod tunnels;

pub use counts::Counts;
pub use message::{HEADER_LENGTH, Kind, OVERHEAD, TAG_LENGTH, classify, receiver_index, sealed_length};
pub use opener::{OpenError, Opened, Opener};
pub use out::{Event, Out, PeerStatus, SendError, Transmit, Way};
pub use sealer::{Run, SealError, Sealer};
pub use tunnels::Tunnels;
