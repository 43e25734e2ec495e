//! Requests on their way to the owner.

use std::time::Instant;

use super::message::{Answer, Asked};
use super::turn::Effect;
use super::{PATIENCE, RETRY_AFTER, Relay};
use crate::channel::{Refusal, Request};
use crate::id::NodeId;

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Pending<R> {
    pub(super) request: Request<R>,
    /// It is on its way to the present owner.
    pub(super) is_sent: bool,
    /// When it is refused: later ones are refused later.
    pub(super) until: Instant,
}

impl<R> Pending<R> {
    fn send(&mut self, number: u64, to: &NodeId) -> Effect<R> {
        self.is_sent = true;
        Effect::Send {
            to: to.clone(),
            asked: Asked::Request(self.request.numbered(number)),
        }
    }
}

impl<R> Relay<R> {
    pub(super) fn request(&mut self, request: Request<R>, now: Instant, out: &mut Vec<Effect<R>>) {
        let number = self.next_number();
        let mut pending = Pending {
            request,
            is_sent: false,
            until: now + PATIENCE,
        };
        out.extend(self.owner.as_ref().map(|owner| pending.send(number, owner)));
        self.pending.insert(number, pending);
    }

    pub(super) const fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Sends what waits for an owner, in order.
    pub(super) fn send_waiting(&mut self, out: &mut Vec<Effect<R>>) {
        let Some(owner) = &self.owner else {
            return;
        };
        self.retry_at = None;
        let waiting = self.pending.iter_mut().filter(|(_, pending)| !pending.is_sent);
        out.extend(waiting.map(|(number, pending)| pending.send(*number, owner)));
    }

    /// The owner has answered.
    pub(super) fn answered(&mut self, number: u64, answer: Answer, now: Instant, out: &mut Vec<Effect<R>>) {
        let Some(mut pending) = self.pending.remove(&number) else {
            return; // it was answered before it was asked again, or given up
        };
        let passes = match &answer {
            Answer::Moved => true,
            Answer::Refused(Refusal::Unavailable | Refusal::Moving) => pending.request.may_repeat(),
            _ => false,
        };
        match answer {
            _ if passes && now < pending.until => {
                pending.is_sent = false;
                self.pending.insert(number, pending);
                self.retry_at.get_or_insert(now + RETRY_AFTER);
            }
            Answer::Moved => out.push(refuse(pending.request, Refusal::Unavailable)),
            Answer::Attached(attachment) => self.attached(pending.request.into_asker(), attachment, now, out),
            answer => out.push(Effect::Answer {
                to: pending.request.into_asker(),
                answer,
            }),
        }
    }

    /// Refuses what has waited for too long.
    pub(super) fn give_up(&mut self, now: Instant, out: &mut Vec<Effect<R>>) {
        while let Some(first) = self.pending.first_entry().filter(|first| first.get().until <= now) {
            out.push(refuse(first.remove().request, Refusal::Unavailable));
        }
    }

    /// The way to the owner is full.
    pub(super) fn unsent(&mut self, number: u64, now: Instant, out: &mut Vec<Effect<R>>) {
        if let Some(feed) = self.feed.as_mut().filter(|feed| feed.awaits(number)) {
            return feed.retry(now + RETRY_AFTER);
        }
        if let Some(pending) = self.pending.remove(&number) {
            out.push(refuse(pending.request, Refusal::Busy));
        }
    }
}

fn refuse<R>(request: Request<R>, refusal: Refusal) -> Effect<R> {
    Effect::Answer {
        to: request.into_asker(),
        answer: Answer::Refused(refusal),
    }
}
