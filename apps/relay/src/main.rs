//! A relay on its own.
#![forbid(unsafe_code)]


fn main() {}
