//! One channel that another node owns, as an actor: it stands where the channel's own would, and asks the owner.
//!
//! It starts when somebody here attaches or publishes, and gives its place to the channel's own actor when this node
//! becomes the owner; the feed stays, and its readers see nothing of that. Its rules are [`starling_core::relay`].
//!
//! * `actor`: message → input, run the rules, carry out the effects;
//! * `asker`: whom an answer is for.

mod actor;
mod asker;

pub use actor::{Arguments, RelayActor};
