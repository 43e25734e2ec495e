//! The bytes of a lane between two nodes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_cluster::fuzz::link_frames(bytes));
