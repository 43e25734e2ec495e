//! Client frames ⇄ core types: the only place where the two meet.
//!
//! [`request()`] reads what a client sent, [`answer()`] and [`publication`] write what it is told. What
//! a frame's own shape can tell was checked by the protocol crate; here names are parsed and
//! numbers become types, so that nothing behind this module asks again.

mod answer;
pub mod document;
mod message;
mod presence;
mod request;

pub use answer::{Greeting, answer, farewell, goodbye, reason_name, refusal_code, refused, session_id};
pub use message::{page, publication, snapshot};
pub use presence::{certainty, changes, datagrams, ephemerals, occupancy, roster};
pub use request::{Rejected, datagram, request};
