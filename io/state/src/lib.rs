//! One small file that survives: written whole or not at all, only when it changed.
//!
//! What it is: the node's keys and settings on disk, as bytes that the program gives a meaning.
//! What it is not: a database, or a format.
//! How to drive it: [`StateFile::open`] once; [`StateFile::contents`] is what stands on disk;
//! [`StateFile::write`] replaces it. One process owns the file.
//! Invariants: after a crash or a power cut at any moment the file holds either the old or the new bytes, whole. Only
//! its owner can read what we write. Bytes that stand there already are not written again.
#![forbid(unsafe_code)]

mod file;

pub use file::{BYTES_MAX, StateError, StateFile, Written};
