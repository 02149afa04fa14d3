//! libFuzzer's way into [`wattle_fuzz::policy`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wattle_fuzz::policy::run(input));
