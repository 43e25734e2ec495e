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
    /// What the reader wants cannot be read.
    Lost {
        /// Why.
        reason: Reason,
        /// Where delivery can go on: the head.
        position: Position,
    },
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
        let mut left = u64::from(range.bytes_max);
        let mut messages = Vec::new();
        for message in self.history().after(after).take(range.messages_max.max(1) as usize) {
            match left.checked_sub(message.weight() + FRAME_BYTES) {
                Some(rest) => left = rest,
                None if messages.is_empty() => left = 0,
                None => break,
            }
            messages.push(Arc::clone(message));
        }
        Page::Messages {
            after: self.position(after),
            messages,
            head,
        }
    }
}
