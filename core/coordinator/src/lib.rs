//! The state of a tailnet: commands decided, changes applied, deltas for every subscriber.
#![forbid(unsafe_code)]
