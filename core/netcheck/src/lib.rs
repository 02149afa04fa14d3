//! What our own network is like: reachability, mapped addresses, nearest relay region.
#![forbid(unsafe_code)]
