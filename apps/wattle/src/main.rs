//! The node: daemon and command line.
#![forbid(unsafe_code)]


fn main() {}
