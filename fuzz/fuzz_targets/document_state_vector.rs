//! A state vector.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| starling_core::fuzz::state_vector(bytes));
