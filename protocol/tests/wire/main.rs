//! The wire, seen from outside: golden vectors, hostile bytes, and the tables of the README.
//!
//! The golden vectors under `vectors/` are written by these tests and read by the clients in other languages:
//!
//! ```text
//! UPDATE_VECTORS=1 cargo test -p starling-protocol --test wire
//! ```
//!
//! writes them anew; without the variable the tests fail if a file differs by a byte. A change there is a change of the
//! protocol: review it as one.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed, and the panic says where"
)]

mod cases;
mod codes;
mod frames;
mod json;
mod mutation;
mod notation;
mod readme;
mod refused;
mod schema;
mod streams;
mod tolerated;
