//! Messages of a peer about slots, channels, documents and presence.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_cluster::fuzz::link_messages(bytes));
