//! Frames of a client of Hocuspocus.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_core::fuzz::hocuspocus(bytes));
