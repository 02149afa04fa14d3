//! A resolver that answers names of nodes.
#![forbid(unsafe_code)]
