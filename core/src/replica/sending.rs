//! What an owner sends, and what it makes of the answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Replica;
use super::catch_up::CatchUp;
use super::member::IN_FLIGHT_MAX;
use super::message::Message;
use super::turn::Effect;
use crate::id::{Index, NodeId, Term};
use crate::slot::{Entry, Place, Slot};

/// Entries of one append, their weight, and what stands beside their payloads. One frame on a link: large enough that a copy which
/// catches up is not slowed by round trips, small enough that other slots get their turn.
const APPEND_ENTRIES_MAX: usize = 256;
const APPEND_BYTES_MAX: u64 = 64 * 1024;
const APPEND_HEADER_BYTES_MAX: usize = 48 * 1024;

/// How long the news that something is committed waits for entries to go with. A copy needs it to
/// apply what it holds; nobody waits for that.
const TELL_WITHIN: Duration = Duration::from_millis(20);

impl Replica {
    /// Sends what copies lack, and what they should know.
    pub(super) fn send(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let Some(owner) = &mut self.owner else {
            return;
        };
        let (appended, committed) = (self.slot.appended(), self.slot.committed());
        let (every, lineage, term) = (self.config.resend, self.slot.lineage(), owner.term);
        let mut soonest: Option<Instant> = None;
        let mut expect = |at: Instant| soonest = Some(soonest.map_or(at, |soonest| soonest.min(at)));
        for (to, member) in &mut owner.members {
            if self.peers.is_down(to) {
                continue; // nothing would arrive; what it lacks is sent when it is back
            }
            member.look(appended, now);
            let send = |message| Effect::Send {
                to: to.clone(),
                message,
            };
            let append = |(previous, entries)| Message::Append {
                term,
                lineage,
                previous,
                entries,
                committed,
            };
            if member.owes_since.is_some() || !member.is_known {
                expect(now + every);
            }
            // From then on it waits for the table to remove it.
            if let Some(since) = member.owes_since.filter(|since| now < *since + self.config.silence) {
                expect(since + self.config.silence);
            }
            if !member.is_known {
                if member.repeats(every, now) {
                    let asked = self.slot.place(appended).map(|place| (place, Vec::new()));
                    out.extend(asked.map(append).map(send));
                }
                continue;
            }
            let is_late = member.owes_since.is_some_and(|since| now >= since + every);
            if is_late && !member.in_flight.is_empty() && member.repeats(every, now) {
                member.rewind();
            }
            while member.in_flight.len() < IN_FLIGHT_MAX && member.sent < appended && member.catch_up.is_none() {
                let Some((previous, entries)) = next_append(&self.slot, member.sent) else {
                    member.catch_up = Some(CatchUp::new(&self.slot, term, self.config.part_bytes));
                    continue;
                };
                member.sent = entries.last().map_or(member.sent, |entry| entry.index);
                member.in_flight.push_back(member.sent);
                (member.told, member.tell_at) = (committed, None);
                out.push(send(append((previous, entries))));
            }
            if let Some(catch_up) = &mut member.catch_up {
                out.extend(catch_up.send(every, now).map(Message::Snapshot).map(send));
            } else if member.told < committed {
                let at = *member.tell_at.get_or_insert(now + TELL_WITHIN);
                if now >= at {
                    (member.told, member.tell_at) = (committed, None);
                    let nothing = self.slot.place(member.matched).map(|place| (place, Vec::new()));
                    out.extend(nothing.map(append).map(send));
                } else {
                    expect(at);
                }
            }
        }
        if let Some(at) = soonest {
            self.wake_at(at, out);
        }
    }

    /// A copy holds the log up to `through`.
    pub(super) fn appended(&mut self, from: &NodeId, term: Term, through: Index, now: Instant) {
        let no_generation = self.config.slot.faults.no_generation();
        let Some(owner) = self.owner.as_mut().filter(|owner| owner.term == term) else {
            return; // said to the owner of another term
        };
        let is_from = |node: &NodeId| node == from || (no_generation && node.name == from.name);
        // A node that is no copy, or was one before it restarted, has nothing to say.
        for (_, member) in owner.members.iter_mut().filter(|(node, _)| is_from(node)) {
            if through <= self.slot.appended() {
                member.advance(through, now);
            }
        }
    }

    /// A copy's log is the owner's up to `last` at most.
    pub(super) fn behind(&mut self, from: &NodeId, term: Term, last: Index) {
        let Some(owner) = self.owner.as_mut().filter(|owner| owner.term == term) else {
            return;
        };
        if let Some(member) = owner.members.get_mut(from).filter(|member| member.catch_up.is_none()) {
            member.stands_at(last.min(self.slot.appended()));
        }
    }

    /// A copy holds parts of a snapshot.
    pub(super) fn taken(&mut self, from: &NodeId, term: Term, at: Place, next: u32, now: Instant) {
        let Some(owner) = self.owner.as_mut().filter(|owner| owner.term == term) else {
            return;
        };
        let Some(member) = owner.members.get_mut(from) else {
            return;
        };
        let Some(catch_up) = member.catch_up.as_mut().filter(|catch_up| catch_up.at == at) else {
            return; // an earlier snapshot
        };
        if catch_up.taken(next) {
            member.owes_since = Some(now);
        }
        if catch_up.is_done() {
            member.catch_up = None;
            member.advance(at.index, now);
            member.rewind();
        }
    }
}

/// The entries after `sent`, as many as go into one append; `None` if they are not all kept.
fn next_append(slot: &Slot, sent: Index) -> Option<(Place, Vec<Arc<Entry>>)> {
    let previous = slot.place(sent)?;
    let (mut bytes, mut header) = (0, 0);
    let fits = |entry: &&Arc<Entry>| {
        let is_first = bytes == 0;
        bytes += entry.weight();
        header += entry.header_bytes();
        is_first || (bytes <= APPEND_BYTES_MAX && header <= APPEND_HEADER_BYTES_MAX)
    };
    let entries = slot.entries_after(sent)?.take(APPEND_ENTRIES_MAX).take_while(fits);
    Some((previous, entries.cloned().collect()))
}
