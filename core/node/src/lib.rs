//! The node as one machine: every stage between the control channel, the tunnel and the paths.
#![forbid(unsafe_code)]
