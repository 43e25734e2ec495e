//! A frame of a client.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_protocol::fuzz::client(bytes));
