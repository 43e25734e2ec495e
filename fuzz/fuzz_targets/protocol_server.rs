//! A frame of a server.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_protocol::fuzz::server(bytes));
