//! One channel at its owner, as an actor.
//!
//! It starts when somebody attaches, publishes, or the slot says that something is due, with what
//! the slot holds of it; it retires when nobody has used it for a while and forgets nothing by that.
//! Its rules are [`starling_core::channel`]; its fan-out goes to the [`Feed`](crate::fanout::Feed).
//!
//! * [`message`]: the closed list of what it receives;
//! * `actor`: message → input, run the rules, carry out the effects;
//! * `feeding`: the fan-out, and the pages read back;
//! * `followers`: gateways on other nodes.

mod actor;
pub(super) mod feeding;
mod followers;
pub mod message;

pub use actor::{Arguments, ChannelActor};
pub use message::Message;

/// Messages a channel has not worked off: publishes wait here for their commit. One session may
/// have 64 unanswered, so this is the room for some twenty busy publishers; beyond it they share
/// the channel's speed because their connections are not read.
pub const MAILBOX_SIZE: u32 = 1_024;
