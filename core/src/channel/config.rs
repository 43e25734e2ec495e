//! What an operator decides about the channels of a namespace.

use std::time::Duration;

use crate::fault::Faults;

/// The settings of one channel. The owner's settings rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What an acknowledgement means.
    pub durability: Durability,
    /// Messages carry keys, and readers get the newest value of each. Fixed for a channel when it
    /// is created.
    pub keyed: bool,
    /// How far back messages are kept.
    pub window: Window,
    /// How many of them stay in memory when a store has them all.
    pub memory: Memory,
    /// Bytes of one payload; a larger one is refused.
    pub payload_bytes_max: usize,
    /// Keys one channel holds, removed ones that are still remembered included; one more is refused.
    pub keys_max: usize,
    /// Weight of all values of a keyed channel together; what would pass it is refused.
    pub values_bytes_max: u64,
    /// How long a removed key is remembered, so that a reader can be told what was removed.
    pub tombstone_age: Duration,
    /// Publishers one channel knows at once; one more is refused until others expire.
    pub publishers_max: usize,
    /// A channel unused for so long is forgotten: its position, its publishers and its values. A stored one only when it
    /// holds neither messages nor values any more.
    pub head_age: Duration,
    /// Planted faults; none outside the simulation.
    pub faults: Faults,
}

/// What an acknowledgement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The message is in the slot's log, on as many copies as the log is kept on.
    Logged,
    /// The message is in the store, and the store has synced it.
    Stored,
    /// The message passed through the owner's memory. Nothing is kept, and nothing is copied.
    Ephemeral,
}

/// How far back messages are kept. The bound that is reached first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Messages; 0 keeps none.
    pub messages: u32,
    /// Their weight, see [`Message::weight`](super::Message::weight).
    pub bytes: u64,
    /// Their age.
    pub age: Duration,
}

/// What a stored channel holds in memory of its newest messages; the rest is read from the store.
/// The bound that is reached first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Messages.
    pub messages: u32,
    /// Their weight, see [`Message::weight`](super::Message::weight).
    pub bytes: u64,
}

impl Default for Memory {
    /// As much as a ring keeps encoded: whoever is further behind pages, and a page costs the store
    /// less than a millisecond. Ten thousand open channels then hold at most 5 GiB, and most far less.
    fn default() -> Self {
        Self {
            messages: 1_024,
            bytes: 512 * 1024,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            durability: Durability::Logged,
            keyed: false,
            window: Window {
                messages: 10_000,
                bytes: 8 * 1024 * 1024,
                age: Duration::from_secs(120),
            },
            memory: Memory::default(),
            payload_bytes_max: 64 * 1024,
            keys_max: 10_000,
            values_bytes_max: 8 * 1024 * 1024,
            tombstone_age: Duration::from_secs(600),
            publishers_max: 10_000,
            head_age: Duration::from_secs(24 * 3600),
            faults: Faults::default(),
        }
    }
}

impl Config {
    /// Whether messages can be read back at all.
    #[must_use]
    pub fn keeps_history(&self) -> bool {
        self.durability != Durability::Ephemeral && self.window.messages > 0
    }

    /// What stays in memory, if the store has the rest.
    pub(crate) fn spills(&self) -> Option<Memory> {
        (self.durability == Durability::Stored).then_some(self.memory)
    }

    /// The window that holds in effect.
    pub(super) fn window(&self) -> Window {
        Window {
            messages: if self.keeps_history() { self.window.messages } else { 0 },
            ..self.window
        }
    }
}
