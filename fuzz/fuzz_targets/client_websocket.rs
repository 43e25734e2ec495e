//! The bytes of a WebSocket, in pieces.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_mesh::fuzz::websocket(bytes));
