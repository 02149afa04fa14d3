//! What peers send each other.
//!
//! What it is: the messages of the Tailscale protocols as values, and their bytes: control (JSON), DERP frames, disco,
//! Geneve, STUN, TSMP and LocalAPI; and the conversion between control's JSON and `wattle-netmap`.
//! What it is not: transport or behaviour. Decoding never panics and never allocates more than the input is long
//! times a small constant; unknown fields and trailing bytes are ignored where the protocol says so.
#![forbid(unsafe_code)]

pub mod control;
pub mod convert;
pub mod derp;
pub mod disco;
pub mod geneve;
mod go;
pub mod json;
pub mod local;
mod raw;
pub mod stun;
pub mod tsmp;
pub mod version;

pub use raw::RawJson;
