//! What a token says that was signed with a key of ours.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_mesh::fuzz::claims(bytes));
