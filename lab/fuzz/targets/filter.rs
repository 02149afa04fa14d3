//! libFuzzer's way into [`wattle_fuzz::filter`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wattle_fuzz::filter::run(input));
