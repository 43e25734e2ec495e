//! Frames of a client of y-websocket.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_core::fuzz::yjs(bytes));
