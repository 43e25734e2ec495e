//! A pattern of a capability, and names of channels.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_core::fuzz::pattern(bytes));
