//! What strangers send. Everything that is wrong gets the answer the protocol gives it a code for, and nobody else
//! notices: after each attack the node serves others as before, and has not panicked.
//!
//! * `frames`: what is no frame, or out of place: the session ends;
//! * `requests`: what is not allowed: the request is refused, and the session goes on;
//! * `websocket`, `webtransport`: what only one transport makes possible;
//! * `origins`: pages of foreign sites; `http`: the plain API; `admission`: too many at once.

mod admission;
mod frames;
mod http;
mod origins;
mod requests;
mod websocket;
mod webtransport;
