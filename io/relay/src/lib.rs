//! Drives a relay: its streams and its STUN socket.
#![forbid(unsafe_code)]
