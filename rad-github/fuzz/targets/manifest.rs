//! Terraform files: read or refused, and what is read makes a form.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: (bool, &[u8])| rad_fuzz::manifest(data.0, data.1));
