//! libFuzzer's way into [`wattle_fuzz::scenarios`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wattle_fuzz::scenarios::run(input));
