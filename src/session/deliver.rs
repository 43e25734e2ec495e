//! From the rings to the connection: the hot path. Per message and reader it costs a look at the
//! ring, a clone of shared bytes, and its part of one write.

use std::sync::Arc;
use std::time::Duration;

use starling_core::backpressure::{Latest, latest};
use starling_core::id::Seq;
use starling_core::session::answer::{Answer, Farewell, SkipReason};
use starling_core::session::subscription::{Next, Subscription};
use starling_core::session::{ChannelId, Fetched, Input, PageTicket, Place};
use tokio::time::Instant;

use super::snapshot::{Progress, Snapshot};
use super::task::{ANSWERS_BYTES_MAX, Task};
use crate::fanout::{EncodedPage, Feed, Frame, Listener};
use crate::metrics::FrameKind;
use crate::node::WINDOWS_TICK;
use crate::transport::Connection;
use crate::wire;

/// When a reader asks again for a page that its channel was too busy for: as long as a busy channel
/// needs for some thousand messages.
const RETRY_AFTER: Duration = Duration::from_millis(10);

/// A feed that the session reads.
pub(super) struct Reader {
    feed: Arc<Feed>,
    listener: Listener,
    /// What a reader of a keyed channel gets before its first message.
    pub(super) snapshot: Option<Box<Snapshot>>,
}

/// What became of the places that had something due.
pub(super) enum Room {
    /// Everything due was queued.
    Left,
    /// The connection has to write first.
    None,
}

impl Drop for Reader {
    /// However the session ends: a feed must not keep readers that are gone.
    fn drop(&mut self) {
        self.feed.leave(self.listener);
    }
}

impl<C: Connection> Task<C> {
    /// Queues what is due, or sets an alarm for the end of the window.
    pub(super) fn deliver(&mut self) {
        let now = Instant::now();
        // What only waited for room goes on at once: its window is over.
        if !self.starved
            && let Some(wait) = self.window_left(now)
        {
            return self.look_at(now + wait);
        }
        // Answers have used up their room: it is theirs again once everything is written.
        self.starved = self.answers >= ANSWERS_BYTES_MAX;
        if self.starved {
            return;
        }
        self.due |= self.mailbox.take_moved();
        let before = self.connection.queued_bytes();
        let first = self.first;
        let mut pending = self.due.rotate_right(first);
        while pending != 0 {
            let place = Place(((pending.trailing_zeros() + first) % u128::BITS) as u8);
            pending &= pending - 1;
            match self.step(place) {
                Room::Left => self.due &= !(1 << place.0),
                Room::None => {
                    self.starved = true;
                    break;
                }
            }
        }
        if self.connection.queued_bytes() > before {
            self.window.written = Some(now);
        }
    }

    /// Has the reader at `place` look again after a moment.
    pub(super) fn retry_later(&mut self, place: Place) {
        self.retry |= 1 << place.0;
        self.services
            .windows
            .set(Instant::now() + RETRY_AFTER, Arc::clone(&self.mailbox) as _);
    }

    /// How long messages have to wait so that several share a write: until one window after the last write. A
    /// connection that was quiet does not wait at all, and a wait of less than a tick is none: readers that were told
    /// together write one after the other, and are told again a window later.
    fn window_left(&self, now: Instant) -> Option<Duration> {
        let since = now.duration_since(self.window.written?);
        let left = self.services.settings.windows.window.checked_sub(since);
        left.filter(|left| *left >= WINDOWS_TICK)
    }

    /// Queues what is due to the reader at `place`.
    fn step(&mut self, place: Place) -> Room {
        let Some(reader) = self.readers.get(usize::from(place.0)).and_then(Option::as_ref) else {
            return self.step_presence(place).unwrap_or(Room::Left);
        };
        let (feed, has_snapshot) = (Arc::clone(&reader.feed), reader.snapshot.is_some());
        if has_snapshot {
            match self.queue_snapshot(place, &feed) {
                Progress::Done => {}
                Progress::NoCredit => return Room::Left,
                Progress::NoRoom => return Room::None,
            }
        }
        loop {
            if self.connection.queued_bytes() >= self.services.send_queue {
                return Room::None;
            }
            match self.rules.next(place, feed.span()) {
                Next::Nothing => return Room::Left,
                Next::Messages => self.queue_messages(place, &feed),
                Next::Latest => self.queue_latest(place, &feed),
                Next::Page { after, ticket } => {
                    self.first = u32::from(place.0) + 1;
                    let epoch = self.subscription(place).epoch.clone();
                    self.forward_read(place, ticket, &feed, epoch, after);
                    return Room::Left;
                }
                Next::Lagged => {
                    let seq = self.cursor(place);
                    self.services.metrics.slow("lagged");
                    self.tell(Answer::Lagged {
                        channel_id: feed.channel_id,
                        seq,
                    });
                    return Room::Left;
                }
                Next::Dropped { count } => {
                    self.services.metrics.slow("dropped");
                    self.services.metrics.dropped(count);
                    self.skipped(&feed, self.cursor(place), count, SkipReason::Slow);
                }
                Next::Disconnect => {
                    self.services.metrics.slow("disconnected");
                    self.handle(Input::Dismiss(Farewell::Slow));
                    return Room::Left;
                }
            }
        }
    }

    fn queue_messages(&mut self, place: Place, feed: &Feed) {
        let mut cursor = self.cursor(place);
        let (connection, room) = (&mut self.connection, self.services.send_queue);
        let (mut count, mut bytes) = (0, 0);
        feed.read(|ring| {
            for (seq, slot) in ring.after(cursor) {
                // The ring may have moved on since it was looked at: never jump over a message.
                if seq != cursor.next() || connection.queued_bytes() >= room {
                    break;
                }
                connection.queue(&slot.frame);
                cursor = seq;
                count += 1;
                bytes += slot.bytes;
            }
        });
        self.services
            .metrics
            .sent(FrameKind::Publication, C::TRANSPORT, count, bytes);
        self.rules.delivered(place, cursor);
    }

    fn queue_latest(&mut self, place: Place, feed: &Feed) {
        let cursor = self.cursor(place);
        let due = feed.read(|ring| {
            let contiguous = ring.span().reaches(cursor);
            if contiguous {
                latest(ring.after(cursor))
            } else {
                Vec::new()
            }
        });
        for one in due {
            match one {
                Latest::Superseded { to, count } => self.skipped(feed, to, count, SkipReason::Superseded),
                Latest::Message(seq, frame) => {
                    self.services
                        .metrics
                        .sent(FrameKind::Publication, C::TRANSPORT, 1, frame.body_bytes());
                    self.connection.queue(&frame);
                    self.rules.delivered(place, seq);
                }
            }
        }
    }

    fn skipped(&mut self, feed: &Feed, to: Seq, count: u64, reason: SkipReason) {
        self.tell(Answer::Skipped {
            channel_id: feed.channel_id,
            to,
            count,
            reason,
        });
    }

    /// Queues an answer.
    pub(super) fn tell(&mut self, answer: Answer) {
        self.services.metrics.answered(&answer);
        let may_wait = matches!(answer, Answer::Ack { .. }) && self.rules.acks_held_until().is_some();
        let before = self.connection.queued_bytes();
        let datagram_bytes = match &answer {
            Answer::Welcome { .. } => self.connection.datagram_bytes_max(),
            _ => 0, // no other says it
        };
        let frame = wire::answer(answer, &self.services.greeting, self.number, datagram_bytes);
        self.services
            .metrics
            .sent(FrameKind::Control, C::TRANSPORT, 1, frame.body_bytes());
        self.answer(&frame);
        if may_wait {
            self.patient += self.connection.queued_bytes() - before;
        }
    }

    /// Queues the frame of an answer.
    pub(super) fn answer(&mut self, frame: &Frame) {
        self.answers += frame.body_bytes();
        self.connection.queue(frame);
    }

    /// Queues a page, if the reader at `place` still waits for it.
    pub(super) fn queue_page(&mut self, place: Place, ticket: PageTicket, page: &EncodedPage) -> Fetched {
        let awaited = self.rules.subscription(place).is_some_and(|one| one.awaits(ticket));
        if awaited && page.through > page.after {
            self.services
                .metrics
                .sent(FrameKind::Page, C::TRANSPORT, 1, page.frame.body_bytes());
            self.connection.queue(&page.frame);
        }
        Fetched::Page {
            through: page.through,
            bytes: page.frame.body_bytes(),
        }
    }

    fn cursor(&self, place: Place) -> Seq {
        self.subscription(place).cursor
    }

    fn subscription(&self, place: Place) -> &Subscription {
        let subscription = self.rules.subscription(place);
        subscription.expect("a place with something due has a subscription")
    }

    /// A feed whose place the rules are about to name.
    pub(super) fn arriving(&mut self, feed: Arc<Feed>) {
        self.arriving = Some(feed);
    }

    pub(super) fn join(&mut self, place: Place, channel_id: ChannelId) {
        let Some(feed) = self.arriving.take().filter(|feed| feed.channel_id == channel_id) else {
            unreachable!("a place is given to the feed that has just arrived");
        };
        let at = usize::from(place.0);
        if self.readers.len() <= at {
            self.readers.reserve_exact(at + 1 - self.readers.len());
            self.readers.resize_with(at + 1, || None);
        }
        self.services.metrics.subscribed(true);
        let listener = feed.join(Arc::clone(&self.mailbox), place);
        self.readers[at] = Some(Reader {
            feed,
            listener,
            snapshot: None,
        });
    }

    pub(super) fn leave(&mut self, place: Place) {
        if self
            .readers
            .get_mut(usize::from(place.0))
            .and_then(Option::take)
            .is_some()
        {
            self.services.metrics.subscribed(false);
        }
    }
}
