//! Awareness messages of several connections.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_core::fuzz::awareness(bytes));
