//! UDP sockets in batches.
#![forbid(unsafe_code)]
