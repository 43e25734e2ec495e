//! What a peer says first.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_cluster::fuzz::link_hello(bytes));
