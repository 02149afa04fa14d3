//! HTTP on a unix socket, with the caller's credentials.
#![forbid(unsafe_code)]
