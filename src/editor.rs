//! Editors: connections that have documents open, in the protocols that editors already speak.
//!
//! ```text
//!   WebSocket ──▶ line ──▶ yjs: one document      ──▶ gateway of the document (crate::actor::document)
//!                     └──▶ hocuspocus: many       ◀── mailbox ◀─┘
//! ```
//!
//! * [`seat`](Seat): a connection's place at a document, also that of a [session](crate::session);
//! * [`yjs`]: y-websocket, at `/yjs/<document>`; [`hocuspocus`]: at `/hocuspocus`; `session`: what both do with a document;
//! * `line`: the connection, its pace, and whether anybody is there; [`mailbox`]: what documents tell it;
//! * `told`: what many editors are told, encoded once; `rights`: what a token allows with a document; [`name`]: names without a
//!   namespace.

pub mod hocuspocus;
mod line;
mod mailbox;
pub mod name;
mod rights;
mod seat;
mod session;
mod told;
pub mod yjs;

pub use mailbox::{End, Letter, Mailbox};
pub use seat::Seat;
pub use told::Told;
