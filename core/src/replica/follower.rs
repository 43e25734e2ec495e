//! What a node that holds a slot makes of what others say.

use std::time::Instant;

use tracing::warn;

use super::Replica;
use super::catch_up::Incoming;
use super::message::{Message, Part, WHOLE};
use super::turn::Effect;
use crate::id::{Lineage, NodeId, Term};

impl Replica {
    pub(super) fn received(&mut self, from: &NodeId, message: Message, now: Instant, out: &mut Vec<Effect>) {
        match message {
            Message::Appended { term, through } => self.appended(from, term, through, now),
            Message::Behind { term, last } => self.behind(from, term, last),
            Message::Taken { term, at, next } => self.taken(from, term, at, next, now),
            Message::Probed { term, number } => self.probed(from, term, number),
            Message::Fenced { term } => self.fenced(term, out),
            Message::Append { .. } | Message::Snapshot(_) | Message::Probe { .. } => {
                let term = message.term();
                if let Err(latest) = self.admit(from, term, out) {
                    let fenced = Message::Fenced { term: latest };
                    return send(from, fenced, out);
                }
                self.follow(from, message, now, out);
            }
        }
    }

    /// Whether `from` may be the owner under `term` (R2). The term that is known, if not.
    fn admit(&mut self, from: &NodeId, term: Term, out: &mut Vec<Effect>) -> Result<(), Term> {
        if self.config.slot.faults.no_term_check() && self.owner.is_none() {
            return Ok(());
        }
        if term < self.seen || self.owned_under() == Some(term) {
            return Err(self.seen);
        }
        if term == self.seen {
            return match &self.spoke {
                Some(spoke) if spoke != from => {
                    warn!(slot = %self.id, %term, %from, %spoke, "two nodes speak under one term; the second is not heard");
                    Err(self.seen)
                }
                _ => {
                    self.spoke = Some(from.clone());
                    Ok(())
                }
            };
        }
        self.seen = term;
        self.spoke = Some(from.clone());
        self.step_down(out);
        Ok(())
    }

    fn follow(&mut self, owner: &NodeId, message: Message, now: Instant, out: &mut Vec<Effect>) {
        match message {
            Message::Append {
                term,
                lineage,
                previous,
                entries,
                committed,
            } => {
                self.join(lineage);
                let answer = match self.slot.accept(previous, &entries) {
                    Ok(through) => {
                        self.slot.learn(through.min(committed), now);
                        Message::Appended { term, through }
                    }
                    Err(mismatch) => Message::Behind {
                        term,
                        last: mismatch.last,
                    },
                };
                send(owner, answer, out);
            }
            Message::Snapshot(part) => self.part(owner, part, now, out),
            Message::Probe { term, number } => send(owner, Message::Probed { term, number }, out),
            _ => {}
        }
    }

    /// The owner's log is of this lineage. What is of another was given up, or never counted.
    fn join(&mut self, lineage: Lineage) {
        if self.slot.lineage() != lineage {
            self.slot.clear(lineage);
        }
    }

    fn part(&mut self, owner: &NodeId, part: Part, now: Instant, out: &mut Vec<Effect>) {
        let Part { term, at, .. } = part;
        self.join(part.lineage);
        let incoming = self.incoming.take().filter(|incoming| incoming.is_of(&part));
        let mut next = WHOLE;
        // What is committed here may have come in another way meanwhile.
        if self.slot.committed() < at.index {
            let mut incoming = incoming.unwrap_or_else(|| Incoming::of(&part));
            match incoming.take(part) {
                Some(snapshot) => self.slot.install(snapshot, now),
                None => {
                    next = incoming.next();
                    self.incoming = Some(incoming);
                }
            }
        }
        send(owner, Message::Taken { term, at, next }, out);
    }

    /// Somebody knows of a later owner. The table will say who it is.
    fn fenced(&mut self, term: Term, out: &mut Vec<Effect>) {
        if term > self.seen {
            self.seen = term;
            self.spoke = None;
        }
        if self.owned_under().is_some_and(|own| own < term) {
            self.step_down(out);
        }
    }
}

pub(super) fn send(to: &NodeId, message: Message, out: &mut Vec<Effect>) {
    out.push(Effect::Send {
        to: to.clone(),
        message,
    });
}
