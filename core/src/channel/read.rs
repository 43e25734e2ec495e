//! Reading back, a page at a time.

use std::sync::Arc;

use super::attach::Reason;
use super::config::Config;
use super::message::Message;
use super::view::View;
use crate::id::{Epoch, Lineage, Position, Seq};

/// What a message costs in a page beside its weight: its numbers and their framing, at their
/// longest. Without it a page of empty messages would have no end.
const FRAME_BYTES: u64 = 48;

/// Which messages a reader wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// In which history; `None` takes the present one from wherever it starts.
    pub epoch: Option<Epoch>,
    /// Those after this one.
    pub after: Seq,
    /// No more bytes than this, but always one message if there is one.
    pub bytes_max: u32,
    /// No more messages than this; 0 is read as 1.
    pub messages_max: u32,
}

/// The answer to a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// Messages without a gap between them.
    Messages {
        /// They follow this position.
        after: Position,
        /// In order. None when the reader stands at the head.
        messages: Vec<Arc<Message>>,
        /// The newest message of the channel; there is more to read if the page ends before it.
        head: Position,
    },
    /// What the reader wants is in the store only.
    Stored {
        /// The messages wanted follow this position.
        after: Position,
        /// No later ones are in the store only.
        through: Seq,
        /// No more bytes than this, but always one message.
        bytes_max: u32,
        /// No more messages than this.
        messages_max: u32,
    },
    /// What the reader wants cannot be read.
    Lost {
        /// Why.
        reason: Reason,
        /// Where delivery can go on: the head.
        position: Position,
    },
}

/// What still fits a page: also for whoever makes one from a store.
#[derive(Debug, Clone, Copy)]
pub struct PageRoom {
    bytes: u64,
    messages: u32,
    is_empty: bool,
}

impl PageRoom {
    /// The room of a page of so many bytes and messages; always one message.
    #[must_use]
    pub const fn new(bytes_max: u32, messages_max: u32) -> Self {
        Self {
            bytes: bytes_max as u64,
            messages: if messages_max == 0 { 1 } else { messages_max },
            is_empty: true,
        }
    }

    /// Whether the message still fits; it is counted if it does.
    pub fn take(&mut self, message: &Message) -> bool {
        let left = self.bytes.checked_sub(message.weight() + FRAME_BYTES);
        if self.messages == 0 || (left.is_none() && !self.is_empty) {
            return false;
        }
        self.bytes = left.unwrap_or(0);
        self.messages -= 1;
        self.is_empty = false;
        true
    }
}

impl View {
    /// The page of `range`.
    pub(super) fn page(&self, range: &Range, lineage: Lineage, config: &Config) -> Page {
        let head = self.head_position();
        let lost = |reason| Page::Lost {
            reason,
            position: head.clone(),
        };
        let start = self.history().floor().previous();
        let after = match &range.epoch {
            None => range.after.clamp(start, head.seq),
            Some(epoch) if epoch != self.epoch() => {
                return lost(Reason::of_other_epoch(epoch, lineage));
            }
            Some(_) if range.after > head.seq => return lost(Reason::PositionAhead),
            Some(_) if range.after < start && !config.keeps_history() => {
                return lost(Reason::NoHistory);
            }
            Some(_) if range.after < start => return lost(Reason::Truncated),
            Some(_) => range.after,
        };
        if after.next() < self.history().resident() {
            return Page::Stored {
                after: self.position(after),
                through: self.history().resident().previous(),
                bytes_max: range.bytes_max,
                messages_max: range.messages_max.max(1),
            };
        }
        let mut room = PageRoom::new(range.bytes_max, range.messages_max);
        let kept = self.history().after(after);
        let messages = kept.take_while(|message| room.take(message)).cloned().collect();
        Page::Messages {
            after: self.position(after),
            messages,
            head,
        }
    }
}
