//! The changes of an agent: shown or refused, applied whole or not at all.
#![no_main]

libfuzzer_sys::fuzz_target!(|patch: &str| rad_fuzz::patch(patch));
