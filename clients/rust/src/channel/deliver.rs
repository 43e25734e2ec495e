//! How an event gets into the queue.

use std::sync::Arc;

use starling_protocol::v1;

use super::Channel;
use super::room::Cost;
use crate::credit::Credit;
use crate::queue::Item;
use crate::session::{Effect, Turn};
use crate::{Event, Message, Position};

/// Bytes that an event takes beside its payload and key, about: the size of a queued item.
///
/// Counted so that a million empty messages are not free.
const EVENT_BYTES: usize = 160;

impl Channel {
    /// Queues an event.
    pub(super) fn deliver(&mut self, event: Event, turn: &mut Turn<'_>) {
        self.deliver_at(
            event,
            Cost {
                bytes: EVENT_BYTES,
                credit: Credit::default(),
            },
            turn,
        );
    }

    pub(super) fn deliver_at(&mut self, event: Event, cost: Cost, turn: &mut Turn<'_>) {
        if self.room.credit().bytes == 0 {
            self.moved = turn.now;
        }
        self.room.queued(cost);
        let place = self.resume().cloned();
        turn.effects.push(Effect::Deliver {
            to: self.id,
            item: Item { event, cost, place },
        });
    }

    pub(super) fn message(&self, epoch: &Arc<str>, entry: v1::PageEntry, replayed: bool) -> Message {
        let position = Position {
            epoch: Arc::clone(epoch),
            seq: entry.seq,
            term: entry.term,
        };
        let key = (!entry.key.is_empty()).then_some(entry.key);
        let v1::PageEntry {
            time_ms,
            deleted,
            payload,
            ..
        } = entry;
        Message {
            channel: Arc::clone(&self.name),
            position,
            time_ms,
            key,
            deleted,
            payload,
            replayed,
        }
    }
}

/// Bytes a message takes in a queue, about.
pub(super) fn message_bytes(message: &Message) -> usize {
    EVENT_BYTES + message.payload.len() + message.key.as_ref().map_or(0, String::len)
}
