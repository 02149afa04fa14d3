//! Which packets may come in.
#![forbid(unsafe_code)]
