//! The description of a variable: whatever it says, the variable is there.
#![no_main]

libfuzzer_sys::fuzz_target!(|description: &str| rad_fuzz::hints(description));
