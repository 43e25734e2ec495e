//! What is sealed in a datagram of gossip.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_cluster::fuzz::gossip_datagram(bytes));
