//! A client's session, as one task.
//!
//! The rules ([`starling_core::session`]) decide; the task reads frames, hands requests to the
//! owners of their channels, copies what is due from the channels' rings, and writes. One task does
//! it all: there is no queue between its halves, and an idle session is one small future.
//!
//! * [`mailbox`]: how the rest of the node reaches a session;
//! * `serve`: from the first byte to the last;
//! * `task`: the loop;
//! * `receive`, `datagrams`: from the connection to the rules;
//! * `deliver`: from the rings to the connection;
//! * `snapshot`: the values of a keyed channel, in parts;
//! * `forward`, `outbound`: from the session to the owners of its channels;
//! * `attendance`: where its client is, and whose presence it watches; `view`: from the boards of that to the connection;
//! * `editing`: the documents that it has open.

mod attendance;
mod datagrams;
mod deliver;
mod editing;
mod forward;
mod mailbox;
mod outbound;
mod receive;
mod serve;
mod snapshot;
mod task;
mod view;

pub use mailbox::{Beginning, Delivery, Mailbox, PageAnswer};
pub use serve::{Serve, serve};
