//! Who is in a channel, and with what state.
//!
//! ```text
//!   sessions ──Enter, Update, Leave──▶ gateway ──Changes, Digest──▶ roster: the slot's owner
//!   (their connections end here)                                     │ Replicate      │ Delta, each tick
//!                                                                    ▼                ▼
//!   watchers ◀──Begin, Changed──── watch ◀──────────────────────  roster: replicas   (every gateway
//!                                                                                     that watches)
//! ```
//!
//! What a connection entered is an [`Entry`], and it belongs to the gateway that holds the connection: nobody else may
//! change it. The owner of the channel's slot puts the entries of all gateways together, and tells every gateway that
//! has watchers what changed, once a tick. Its replicas hold the same, for the day they own the slot.
//!
//! Entries are an observed-remove set without tombstones (Bieniusa et al., "An optimized conflict-free replicated set",
//! 2012): each change has a *dot*, (gateway, counter), and whoever merges keeps the highest counter it has seen of each
//! gateway. An entry that is absent although its dot was seen has been removed, so changes may come twice, late and in
//! any order. What was lost on the way is found by comparing sums of hashes ([`digest`]).
//!
//! * [`entry`]: clients, members, entries, changes; [`settings`]: what a namespace says about them;
//! * [`gateway`]: what this node's own clients entered;
//! * [`roster`]: the channels of a slot at its owner, and at its replicas;
//! * [`watch`]: a channel as it is watched at a gateway;
//! * [`message`]: what nodes say to each other; [`digest`]: how they find what was lost; `heads`: the same for
//!   feeds; `timers`: what is due;
//! * [`shard`]: the three machines of some slots as one, which is what a node runs.
//!
//! `docs/presence.md` has the algorithm, the invariant and the bounds.

use std::time::Duration;

pub mod digest;
pub mod entry;
pub mod gateway;
mod heads;
pub mod message;
pub mod roster;
pub mod settings;
pub mod shard;
mod timers;
pub mod watch;

pub use entry::{Change, Client, ClientId, ConnectionId, Entry, Key, Member, Row};
pub use message::Message;
pub use settings::{Mode, Namespaces, Settings};
pub use shard::Shard;

/// How often a gateway compares its entries with each owner, and an owner its feeds with each follower. What was lost
/// is found by the next comparison and repaired before the one after: within ten seconds.
pub const COMPARE_EVERY: Duration = Duration::from_secs(5);

/// When to compare out of turn: after a change of owner, a reset of the link, or a repair that should have made both
/// equal. Owners of many slots change within moments of each other, and are compared once.
pub const COMPARE_SOON: Duration = Duration::from_millis(50);

/// When to try again what could not be sent, or was not answered.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Entries or rows of one message. Small enough that a lane is never held up for long.
pub const PAGE_ENTRIES_MAX: usize = 1_000;

/// Bytes of state of one message.
pub const PAGE_BYTES_MAX: usize = 256 * 1024;

#[cfg(test)]
mod tests;
