//! The project's own commands: `cargo xtask test`, `demo`, `floors`, `tidy`.
#![forbid(unsafe_code)]

fn main() {}
