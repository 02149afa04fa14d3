//! Time as values.
//!
//! What it is: the three notions of time that a machine in `core/` may hold: a monotonic [`Instant`], a wall-clock
//! [`UnixTime`] and a [`Deadline`] by which it wants to be called again.
//! What it is not: a clock. Nothing here can find out what time it is; drivers hand it in.
#![forbid(unsafe_code)]

mod deadline;
mod instant;
mod unix;

pub use deadline::{Deadline, earliest};
pub use instant::Instant;
pub use unix::{ParseTimeError, UnixTime};
