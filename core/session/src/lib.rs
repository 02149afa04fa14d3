//! A node's standing with its coordination server.
#![forbid(unsafe_code)]
