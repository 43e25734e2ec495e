//! A frame or a datagram of a client, as types.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_mesh::fuzz::request(bytes));
