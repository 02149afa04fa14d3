//! libFuzzer's way into [`wattle_fuzz::hujson`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wattle_fuzz::hujson::run(input));
