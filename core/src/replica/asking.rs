//! One command of the table at a time, and what is known of it.
//!
//! A command that is not answered may have been carried out or not, now or later. It expects one
//! version of the record, so its fate is known once that version has passed. Until then it is asked
//! again: at most one of the times is carried out.

use std::time::Instant;

use tracing::debug;

use super::Replica;
use super::turn::Effect;
use crate::table::{Answer, Change, Refusal};

/// A command that is on its way.
#[derive(Debug)]
pub(super) struct Ask {
    number: u64,
    version: u64,
    pub(super) change: Change,
    /// When it was asked first, and last.
    pub(super) since: Instant,
    last: Instant,
}

impl Ask {
    fn effect(&self) -> Effect {
        Effect::Ask {
            number: self.number,
            version: self.version,
            change: self.change.clone(),
        }
    }
}

impl Replica {
    /// Whether nothing is on its way to the table.
    pub(super) fn may_ask(&self, now: Instant) -> bool {
        self.ask.is_none() && self.ask_after.is_none_or(|after| now >= after)
    }

    pub(super) fn ask(&mut self, change: Change, now: Instant, out: &mut Vec<Effect>) {
        self.asked += 1;
        let ask = Ask {
            number: self.asked,
            version: self.record.version,
            change,
            since: now,
            last: now,
        };
        out.push(ask.effect());
        self.ask = Some(ask);
        // Of a slot whose owner is gone nothing else may come in before the table answers.
        self.wake_at(now + self.config.patience, out);
    }

    /// Asks again what was not answered for long, and sees to it that something is asked later.
    pub(super) fn ask_again(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let patience = self.config.patience;
        if let Some(ask) = &mut self.ask {
            if now >= ask.last + patience {
                ask.last = now;
                out.push(ask.effect());
            }
            let again = ask.last + patience;
            self.wake_at(again, out);
        } else if let Some(after) = self.ask_after.filter(|after| now < *after) {
            self.wake_at(after, out);
        }
    }

    /// The record has moved on: the fate of what was asked is in it.
    pub(super) fn settle_ask(&mut self) {
        self.ask_after = None;
        if self.ask.as_ref().is_some_and(|ask| ask.version < self.record.version) {
            self.ask = None;
        }
    }

    /// The table has answered.
    pub(super) fn answered(
        &mut self,
        number: u64,
        outcome: &Result<Answer, Refusal>,
        now: Instant,
        out: &mut Vec<Effect>,
    ) {
        let Some(ask) = self.ask.take_if(|ask| ask.number == number) else {
            return; // its fate was known before
        };
        match outcome {
            Ok(_) if ask.change == Change::Confirm => self.table_confirmed(out),
            // What follows is in the record, which is on its way.
            Ok(_) | Err(Refusal::Passed { .. }) => self.ask = Some(ask),
            Err(refusal) => {
                debug!(slot = %self.id, %refusal, "the table does not carry it out");
                self.ask_after = Some(now + self.config.patience);
            }
        }
    }
}
