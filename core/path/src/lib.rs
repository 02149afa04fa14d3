//! The ways to a peer: candidates, checks, the best one, and the relay until there is one.
#![forbid(unsafe_code)]
