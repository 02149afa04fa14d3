//! What fuzzers throw at parsers and machines.
//!
//! **What it is.** One module a target: a function from bytes to nothing, which panics when something that must hold
//! does not. `cargo xtask fuzz TARGET` searches for such bytes with libFuzzer (`targets/` has its thin programs);
//! `cargo test` replays what is committed: `seeds/`, from which searches start, and `regressions/`, which once failed.
//!
//! **What it is not.** A place for expectations about single texts: those stand beside the code.
//!
//! **How to drive it.** To add a target: a module here, a line in [`TARGETS`], a program in `targets/`, a line in
//! `xtask/src/fuzz.rs`, seeds. To keep an input that failed: copy it to `regressions/TARGET/`.
//!
//! **Invariants.** A target is a function of its bytes alone: no clock, no randomness, nothing kept between runs.
#![forbid(unsafe_code)]

pub mod filter;
pub mod hujson;
pub mod paths;
pub mod policy;
pub mod scenarios;

/// Something to throw bytes at.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its module and of its folders.
    pub name: &'static str,
    /// Panics when something that must hold does not.
    pub run: fn(&[u8]),
    /// One input takes long: it is not shown what was written for others.
    pub is_slow: bool,
}

/// All of them.
pub const TARGETS: [Target; 5] = [
    Target { name: "hujson", run: hujson::run, is_slow: false },
    Target { name: "policy", run: policy::run, is_slow: false },
    Target { name: "filter", run: filter::run, is_slow: false },
    Target { name: "paths", run: paths::run, is_slow: false },
    Target { name: "scenarios", run: scenarios::run, is_slow: true },
];
