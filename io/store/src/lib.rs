//! The coordinator's durable state.
#![forbid(unsafe_code)]
