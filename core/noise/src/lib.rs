//! The control channel's handshake, records and early payload.
#![forbid(unsafe_code)]
