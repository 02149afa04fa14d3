//! libFuzzer's way into [`wattle_fuzz::paths`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wattle_fuzz::paths::run(input));
