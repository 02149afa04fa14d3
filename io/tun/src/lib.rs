//! The TUN device.
#![forbid(unsafe_code)]
