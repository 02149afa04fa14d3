//! Hosts, routers and NATs in network namespaces.
#![forbid(unsafe_code)]
