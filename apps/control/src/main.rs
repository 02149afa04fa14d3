//! The coordination server.
#![forbid(unsafe_code)]


fn main() {}
