//! The keys of a mesh.
//!
//! What it is: the X25519 keys of machines, nodes and disco, each its own type, with the text forms that
//! Tailscale-protocol peers write (`mkey:`, `nodekey:`, `discokey:` and lowercase hex).
//! What it is not: a source of randomness or a key store. Private keys are made from bytes that a driver hands in,
//! never print, and are wiped when dropped.
//!
//! Source for prefixes and clamping: tailscale `types/key/{machine,node,disco,chal}.go`.
#![forbid(unsafe_code)]

mod disco;
mod sealed_box;
mod text;
mod x25519;

pub use disco::DiscoShared;
pub use sealed_box::{BOX_OVERHEAD, NONCE_LENGTH, OpenError};
pub use text::ParseKeyError;
pub use x25519::{ChallengePublic, DiscoPrivate, DiscoPublic, MachinePrivate, MachinePublic, NodePrivate, NodePublic};
