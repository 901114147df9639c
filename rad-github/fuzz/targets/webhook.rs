//! Deliveries that are signed: an event or a refusal, whatever is in them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: (u8, &[u8])| rad_fuzz::webhook(data.0, data.1));
