//! What a node says of itself in gossip.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_cluster::fuzz::gossip_statement(bytes));
