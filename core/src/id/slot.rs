//! Slots, and places in their logs.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

use super::{ChannelName, counter};

/// A slot: the unit of ownership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub u16);

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

counter! {
    /// The place of an entry in a slot's log: 1 for the first, without gaps.
    Index
}

/// The slot that holds a channel, when there are `slots` of them (at least one: 0 is read as 1).
///
/// xxh3 of the name, without a seed, modulo the number of slots. Both are fixed when a cluster is
/// created: a change would move every channel.
#[must_use]
pub fn slot_of(channel: &ChannelName, slots: u16) -> SlotId {
    let slot = xxh3_64(channel.as_str().as_bytes()) % u64::from(slots.max(1));
    SlotId(u16::try_from(slot).expect("a remainder is below its divisor, which is a u16"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(name: &str, slots: u16) -> u16 {
        slot_of(&ChannelName::parse(name).unwrap(), slots).0
    }

    #[test]
    fn the_slot_of_a_name_never_changes() {
        // Golden: a cluster of an earlier version placed its channels by these.
        assert_eq!(slot("chat:lobby", 1024), 828);
        assert_eq!(slot("chat:lobby2", 1024), 581);
        assert_eq!(slot("demo:a:b", 1024), 151);
    }

    #[test]
    fn slots_are_used_evenly_and_zero_is_one() {
        let mut channels = [0_u32; 8];
        for n in 0..8_000 {
            channels[usize::from(slot(&format!("chat:{n}"), 8))] += 1;
        }
        assert!(channels.iter().all(|n| (850..1150).contains(n)), "{channels:?}");
        assert_eq!(slot("chat:a", 0), 0);
        assert_eq!(slot("chat:a", 1), 0);
    }
}
