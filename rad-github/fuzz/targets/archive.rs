//! Archives of strangers: a tree of plain paths within the limits, or a refusal. Tar files are compressed here, so that what
//! changes is looked at and not stopped by a checksum.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: (bool, &[u8])| rad_fuzz::archive(data.0, data.1));
