//! The expressions that show and hide fields: read or refused, printed as written.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| rad_fuzz::depends_on(text));
