//! Many updates of one document.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_core::fuzz::edits(bytes));
