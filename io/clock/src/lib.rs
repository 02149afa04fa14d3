//! The clocks and the randomness of the operating system.
#![forbid(unsafe_code)]
