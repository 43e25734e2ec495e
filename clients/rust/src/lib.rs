//! The Starling client for Rust.
