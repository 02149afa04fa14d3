//! Addresses, routes and rules of the host, and news of their changes.
#![forbid(unsafe_code)]
