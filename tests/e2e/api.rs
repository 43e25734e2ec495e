//! The HTTP API, request by request. Every answer is held to the document that the node serves.
//!
//! * `history`, `state`, `look`: what can be read of a channel;
//! * `broadcast`: one message to many channels;
//! * `documents`, `versions`: documents that programs read and write, and what they were;
//! * `disconnect`: sessions that somebody ends;
//! * `refused`: what no route takes;
//! * `page`: the examples of `docs/http.md`, as they stand there.

mod broadcast;
mod disconnect;
mod documents;
mod history;
mod look;
mod page;
mod presence;
mod refused;
mod state;
mod versions;
