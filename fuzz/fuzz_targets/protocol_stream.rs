//! The bytes of a stream, in pieces.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_protocol::fuzz::stream(bytes));
