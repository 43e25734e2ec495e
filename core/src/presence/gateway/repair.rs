//! Comparing what this gateway holds with what an owner holds of it.
//!
//! The gateway answers from what it has at that moment and keeps nothing of the conversation, so a message that is lost
//! costs no more than the time until the next digest.

use std::collections::BTreeSet;
use std::time::Instant;

use super::{Due, Effect, Gateway};
use crate::id::{NodeId, SlotId};
use crate::presence::digest::{Range, Set, Sums, Tally};
use crate::presence::message::{Message, ToGateway, ToOwner};
use crate::presence::{COMPARE_EVERY, COMPARE_SOON, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX};

/// Pages that are listed at once. An owner that has nothing is given this much, and then compares again, so that it never
/// fills the lane that changes travel in.
const PAGES_AT_ONCE: usize = 8;

impl Gateway {
    /// Compares with an owner then at the latest.
    pub(super) fn compare_by(&mut self, owner: NodeId, at: Instant) {
        if self.by_owner.contains_key(&owner) && !self.faults.presence_no_digest() {
            self.timers.set_by(Due::Compare(owner), at);
        }
    }

    /// Sends an owner the sums of all that is entered in its slots.
    pub(super) fn compare(&mut self, owner: NodeId, now: Instant, out: &mut Vec<Effect>) {
        let Some(slots) = self.by_owner.get(&owner).cloned() else {
            return;
        };
        // What this turn has changed goes first: the sums include it.
        self.tell(out);
        let mut tally = Tally::default();
        for slot in slots.iter().filter_map(|slot| self.slots.get(slot)) {
            if !slot.entries.is_empty() {
                tally.add_all(slot.entries.tally());
            }
        }
        self.timers.set(Due::Compare(owner.clone()), now + COMPARE_EVERY);
        out.push(send(owner, ToOwner::Digest { slots, tally }));
    }

    /// An owner has said something.
    pub(super) fn told(&mut self, from: NodeId, told: ToGateway, now: Instant, out: &mut Vec<Effect>) {
        match told {
            ToGateway::Compare => self.compare_by(from, now + COMPARE_SOON),
            ToGateway::Differ(groups) => self.cells(from, groups, out),
            ToGateway::List(ranges) => {
                self.list(&from, ranges, out);
                // Whether it is the same by now.
                self.compare_by(from, now + COMPARE_SOON);
            }
        }
    }

    fn cells(&self, owner: NodeId, groups: Set, out: &mut Vec<Effect>) {
        let Some(slots) = self.by_owner.get(&owner).cloned() else {
            return;
        };
        let of_group = |group: u8| {
            let mut cells = Sums::default();
            for slot in slots.iter().filter_map(|slot| self.slots.get(slot)) {
                slot.entries.add_cells(group, &mut cells);
            }
            (group, cells)
        };
        let groups = groups.each().map(of_group).collect();
        out.push(send(owner, ToOwner::Cells { slots, groups }));
    }

    fn list(&self, owner: &NodeId, ranges: Vec<Range>, out: &mut Vec<Effect>) {
        let Some(slots) = self.by_owner.get(owner) else {
            return;
        };
        let mut pages = 0;
        for mut range in ranges {
            loop {
                if pages == PAGES_AT_ONCE {
                    return;
                }
                pages += 1;
                let (page, rest) = self.page(slots, range);
                out.push(send(owner.clone(), page));
                match rest {
                    Some(rest) => range = rest,
                    None => break,
                }
            }
        }
    }

    /// As much of a range as fits a page, and what is left of it. Entries at one place stay together.
    fn page(&self, slots: &BTreeSet<SlotId>, range: Range) -> (ToOwner, Option<Range>) {
        let mut found = Vec::new();
        for slot in slots {
            let Some(there) = self.slots.get(slot) else {
                continue;
            };
            // One more than fits: the page ends before it, in whichever slot it lies.
            let of_slot = there.entries.range(&range).take(PAGE_ENTRIES_MAX + 1);
            found.extend(of_slot.map(|(place, key, counter, own)| (place, *slot, key, counter, own)));
        }
        found.sort_by_key(|(place, ..)| *place);
        let mut bytes = 0;
        let fits = found.iter().enumerate().position(|(n, (place, .., own))| {
            bytes += own.state.len();
            let is_full = n >= PAGE_ENTRIES_MAX || bytes > PAGE_BYTES_MAX;
            is_full && n > 0 && *place != found[n - 1].0
        });
        let rest = fits.map(|n| found[n].0..=*range.end());
        let page = fits.map_or_else(|| range.clone(), |n| *range.start()..=found[n - 1].0);
        found.truncate(fits.unwrap_or(found.len()));
        let entries = found.into_iter();
        let listing = ToOwner::Listing {
            slots: slots.clone(),
            range: page,
            counter: self.counter,
            entries: entries
                .map(|(_, slot, key, counter, own)| (slot, own.entry(key.clone(), counter)))
                .collect(),
        };
        (listing, rest)
    }
}

const fn send(to: NodeId, message: ToOwner) -> Effect {
    Effect::Send {
        to,
        message: Message::Owner(message),
    }
}
