//! An update of a document.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_core::fuzz::update(bytes));
