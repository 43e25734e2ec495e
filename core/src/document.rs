//! One collaborative document: everything between bytes from a client and a CRDT.
//!
//! ```text
//!   bytes ──▶ sync ──▶ scan ──▶ guard ──▶ engine ──▶ yrs
//!             frames   hostile   panics    one trait,
//!             of two   input     and their one CRDT
//!             protocols          end       so far
//! ```
//!
//! * [`lib0`]: numbers and strings as Yjs writes them;
//! * [`scan`]: what is refused before the CRDT's library sees it; [`structure`]: whether a block can be where it says;
//!   `held`: what waits for something that has not come;
//! * [`guard`]: what fails is dropped and loaded again; what cannot be read is set aside;
//! * [`sync`]: what clients say, as y-websocket and as Hocuspocus;
//! * [`awareness`]: who is in the document, and where;
//! * [`log`]: the rows of a document in a store, and who is told that its edit is saved;
//! * [`engine`]: what a document asks of a CRDT; [`yjs`]: Yjs, by the library yrs;
//! * [`owner`]: all of it at the node that owns the document; [`gateway`]: its editors at a node that has some;
//!   [`message`]: what the two say to each other.

pub mod awareness;
pub mod engine;
pub mod gateway;
#[cfg(test)]
pub(crate) mod golden;
pub mod guard;
mod held;
pub mod lib0;
pub mod log;
pub mod message;
pub mod owner;
pub mod scan;
pub mod structure;
pub mod sync;
#[cfg(test)]
mod world;
pub mod yjs;
