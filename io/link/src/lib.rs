//! Connections to control and relays: dialling, listening, TLS, the Noise stream.
#![forbid(unsafe_code)]
