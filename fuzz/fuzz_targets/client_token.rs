//! A token.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_mesh::fuzz::token(bytes));
