//! The feed of a gateway that follows: strictly in order, and what is missing is read back.
//!
//! ```text
//!            Live: next                      Page reaches head
//!   live ◀────────────── live ──Live: gap──▶ reading ─────────▶ live
//!                          │ new owner, Ended, Reset
//!                          └──────────▶ attaching ──Attached──▶ reading or live
//! ```

use std::sync::Arc;
use std::time::Instant;

use super::message::{Answer, Asked};
use super::pending::Pending;
use super::turn::Effect;
use super::{PATIENCE, RETRY_AFTER, Relay};
use crate::channel::{Attachment, From, Message, Outcome, Page, Range, Reason, Refusal, Request};
use crate::fault::Faults;
use crate::id::{Epoch, Position, Seq};

/// What is read back at once: a page as sessions get them.
const PAGE_BYTES_MAX: u32 = 240 * 1024;
const PAGE_MESSAGES_MAX: u32 = 1_024;

/// What the readers of a gateway were given.
#[derive(Debug)]
pub(super) struct Feed {
    /// The newest message they were given.
    last: Position,
    /// The newest that is known of.
    head: Seq,
    /// The owner sends what is new.
    follows: bool,
    /// The relay's own question that is on its way, and when it is asked anew: answers are dropped when a lane is full.
    asked: Option<(u64, Instant)>,
    /// When to ask it again.
    retry_at: Option<Instant>,
}

impl Feed {
    const fn new(last: Position) -> Self {
        Self {
            head: last.seq,
            last,
            follows: true,
            asked: None,
            retry_at: None,
        }
    }

    /// A feed that nobody sends anything to.
    pub(super) fn interrupted(last: Position) -> Self {
        Self {
            follows: false,
            ..Self::new(last)
        }
    }

    /// Whether the relay itself has asked under this number.
    pub(super) fn awaits(&self, number: u64) -> bool {
        self.asked.is_some_and(|(asked, _)| asked == number)
    }

    /// It could not be asked: another time.
    pub(super) const fn retry(&mut self, at: Instant) {
        (self.asked, self.retry_at) = (None, Some(at));
    }

    /// When something of it is due.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.retry_at.or_else(|| self.asked.map(|(_, until)| until))
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due_at().is_some_and(|at| at <= now)
    }

    /// Whether messages are known of that the readers were not given.
    fn lacks(&self) -> bool {
        self.last.seq < self.head
    }

    /// Takes a message if it is the next one. Whether the feed holds it by now.
    fn take<R>(&mut self, message: Arc<Message>, faults: Faults, out: &mut Vec<Effect<R>>) -> bool {
        let is_late = message.seq > self.last.seq.next();
        if is_late && !faults.feed_gap_shown() {
            return false;
        }
        if message.seq > self.last.seq {
            (self.last.seq, self.last.term) = (message.seq, message.term);
            self.head = self.head.max(message.seq);
            out.push(Effect::Push(message));
        }
        true
    }
}

impl<R> Relay<R> {
    /// Attaches again with what the feed has reached: to another owner, or because this one sends nothing any more.
    pub(super) fn follow(&mut self, now: Instant, out: &mut Vec<Effect<R>>) {
        if let Some(feed) = self.feed.as_mut().filter(|_| !self.faults.feed_not_resumed()) {
            (feed.follows, feed.asked, feed.retry_at) = (false, None, None);
            self.go_on(now, out);
        }
    }

    /// Asks for what the feed needs next, if anything.
    pub(super) fn go_on(&mut self, now: Instant, out: &mut Vec<Effect<R>>) {
        let (Some(owner), Some(feed)) = (self.owner.clone(), &mut self.feed) else {
            return;
        };
        feed.retry_at = None;
        if feed.asked.is_some_and(|(_, until)| now < until) {
            return;
        }
        feed.asked = None;
        if feed.follows && !feed.lacks() {
            return self.release(out);
        }
        self.number += 1;
        let to = self.number;
        feed.asked = Some((to, now + PATIENCE));
        let request = match feed.follows {
            false => Request::Attach {
                to,
                from: From::Position(feed.last.clone()),
            },
            true => Request::Read {
                to,
                range: Range {
                    epoch: Some(feed.last.epoch.clone()),
                    after: feed.last.seq,
                    bytes_max: PAGE_BYTES_MAX,
                    messages_max: PAGE_MESSAGES_MAX,
                },
            },
        };
        out.push(Effect::Send {
            to: owner,
            asked: Asked::Request(request),
        });
    }

    /// A reader is attached. It joins when the feed has reached the head that it was told of.
    pub(super) fn attached(&mut self, to: R, attachment: Attachment, now: Instant, out: &mut Vec<Effect<R>>) {
        let head = &attachment.head;
        if self.feed.as_ref().is_some_and(|feed| feed.last.epoch != head.epoch) {
            self.dismiss(out);
        }
        let feed = self.feed.get_or_insert_with(|| {
            out.push(Effect::Begin(head.clone()));
            Feed::new(head.clone())
        });
        feed.head = feed.head.max(head.seq);
        if feed.follows && feed.lacks() {
            self.held.push((to, attachment));
            return self.go_on(now, out);
        }
        // One that does not follow yet is on its way to this head, and its readers with it.
        match feed.lacks() {
            true => self.held.push((to, attachment)),
            false => out.push(answer(to, attachment)),
        }
    }

    /// The owner has answered what the relay itself has asked.
    pub(super) fn feed_answered(&mut self, answer: Answer, now: Instant, out: &mut Vec<Effect<R>>) {
        let faults = self.faults;
        let Some(feed) = &mut self.feed else {
            return;
        };
        feed.asked = None;
        match answer {
            Answer::Attached(attachment) => self.followed(attachment, out),
            Answer::Page(Page::Messages { messages, head, .. }) if head.epoch == feed.last.epoch => {
                feed.head = feed.head.max(head.seq);
                for message in messages {
                    if !feed.take(message, faults, out) {
                        break;
                    }
                }
            }
            Answer::Page(Page::Lost { reason, position }) if position.epoch == feed.last.epoch => match reason {
                Reason::PositionAhead | Reason::Forked => self.dismiss(out),
                _ => self.restart(position, out),
            },
            Answer::Page(_) => self.dismiss(out),
            // Its readers are told when they attach again.
            Answer::Refused(Refusal::Quarantined | Refusal::NoHistory) => self.dismiss(out),
            Answer::Refused(_) | Answer::Moved | Answer::Acknowledged(_) | Answer::Inspected(_) => {
                return feed.retry(now + RETRY_AFTER);
            }
        }
        self.go_on(now, out);
    }

    /// The owner sends what is new from now on.
    fn followed(&mut self, attachment: Attachment, out: &mut Vec<Effect<R>>) {
        let Some(feed) = &mut self.feed else {
            return;
        };
        let is_same = attachment.head.epoch == feed.last.epoch;
        feed.follows = true;
        match attachment.outcome {
            Outcome::Resumed | Outcome::Rewound(_) if is_same => feed.head = feed.head.max(attachment.head.seq),
            Outcome::Discontinuity(Reason::WindowExceeded | Reason::NoHistory | Reason::Truncated) if is_same => {
                self.restart(attachment.head, out);
            }
            _ => self.dismiss(out),
        }
    }

    /// Messages for everybody here.
    pub(super) fn live(&mut self, epoch: &Epoch, messages: Vec<Arc<Message>>, now: Instant, out: &mut Vec<Effect<R>>) {
        let faults = self.faults;
        let Some(feed) = &mut self.feed else {
            // Nobody reads it any more, and the owner has not heard of that.
            return self.leave(out);
        };
        if *epoch != feed.last.epoch {
            return self.follow(now, out);
        }
        let newest = messages.last().map_or(feed.head, |message| message.seq);
        feed.head = feed.head.max(newest);
        for message in messages {
            if !feed.take(message, faults, out) {
                break;
            }
        }
        self.go_on(now, out);
    }

    /// The owner could not send what is new.
    pub(super) fn behind(&mut self, head: &Position, now: Instant, out: &mut Vec<Effect<R>>) {
        match &mut self.feed {
            Some(feed) if feed.last.epoch == head.epoch => {
                feed.head = feed.head.max(head.seq);
                self.go_on(now, out);
            }
            Some(_) => self.follow(now, out),
            None => self.leave(out),
        }
    }

    /// Nobody reads the channel here any more.
    pub(super) fn unread(&mut self, out: &mut Vec<Effect<R>>) {
        if self.feed.take().is_some() {
            self.turn_away(out);
            self.leave(out);
        }
    }

    /// Has the owner send nothing more; unless somebody attaches, which would be undone by it.
    fn leave(&self, out: &mut Vec<Effect<R>>) {
        let attaches = |pending: &Pending<R>| matches!(pending.request, Request::Attach { .. });
        if self.pending.values().any(attaches) {
            return;
        }
        out.extend(self.owner.clone().map(|to| Effect::Send {
            to,
            asked: Asked::Leave,
        }));
    }

    /// Messages are lost to the feed: it goes on after `head`. Readers that lack them read back, and are told.
    fn restart(&mut self, head: Position, out: &mut Vec<Effect<R>>) {
        if let Some(feed) = &mut self.feed {
            feed.head = feed.head.max(head.seq);
            feed.last = head.clone();
            out.push(Effect::Restart(head));
        }
    }

    /// The history is gone. Its readers come back with their positions and are told why.
    fn dismiss(&mut self, out: &mut Vec<Effect<R>>) {
        if self.feed.take().is_some() {
            out.push(Effect::Dismiss);
            self.turn_away(out);
        }
    }

    /// Whoever was about to join the feed attaches to another.
    fn turn_away(&mut self, out: &mut Vec<Effect<R>>) {
        let held = std::mem::take(&mut self.held).into_iter();
        out.extend(held.map(|(to, _)| Effect::Answer {
            to,
            answer: Answer::Refused(Refusal::Moving),
        }));
    }

    /// The feed has reached all that is known of: whoever waited for it joins.
    fn release(&mut self, out: &mut Vec<Effect<R>>) {
        let held = std::mem::take(&mut self.held).into_iter();
        out.extend(held.map(|(to, attachment)| answer(to, attachment)));
    }
}

fn answer<R>(to: R, attachment: Attachment) -> Effect<R> {
    Effect::Answer {
        to,
        answer: Answer::Attached(attachment),
    }
}
