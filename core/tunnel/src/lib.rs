//! WireGuard: handshakes and timers in a slow half, sealing and opening in fast halves.
#![forbid(unsafe_code)]
