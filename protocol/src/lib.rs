//! The Starling client protocol.
//!
//! `README.md` beside this crate tells the protocol in words; this crate is its wire, and decides nothing:
//!
//! - [`v1`]: the frames, generated from `proto/starling/v1`;
//! - [`frame`]: bytes to frames and back, and every way a frame can be refused;
//! - [`limits`]: every limit on the wire, with its reason;
//! - [`close`]: why a session ended, and whether the client returns;
//! - [`refusal`]: why a request was refused, and whether it may succeed later;
//! - [`version`]: the versions spoken and how one is chosen;
//! - `fuzz` (feature `fuzz`): what fuzz targets do with bytes.
//!
//! `vectors/` holds the same in bytes, for clients in other languages.

pub mod close;
pub mod frame;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod limits;
pub mod refusal;
pub mod version;

/// The frames of the protocol, as `proto/starling/v1` describes them.
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/starling.v1.rs"));
}
