//! The values of a keyed channel, sent in parts before its messages.

use std::sync::Arc;

use starling_core::channel::{Message, Values};
use starling_core::id::Position;
use starling_core::session::Place;

use super::task::Task;
use crate::fanout::Feed;
use crate::metrics::FrameKind;
use crate::transport::Connection;
use crate::wire;

/// Bytes of values in one part. Below the longest frame by the framing of the most values it holds.
const PART_BYTES_MAX: u64 = 192 * 1024;

/// Values in one part.
const PART_VALUES_MAX: usize = 1_024;

/// A snapshot that is being sent.
pub(super) struct Snapshot {
    values: Vec<Arc<Message>>,
    replace: bool,
    at: Position,
    sent: usize,
}

/// How far a snapshot got.
pub(super) enum Progress {
    /// All of it is queued.
    Done,
    /// The client has to grant more.
    NoCredit,
    /// The connection has to write first.
    NoRoom,
}

impl Snapshot {
    /// The next part: how many values, at least one if any is left.
    fn part(&self) -> &[Arc<Message>] {
        let left = &self.values[self.sent..];
        let mut bytes = 0;
        let fits = left.iter().take(PART_VALUES_MAX).take_while(|value| {
            bytes += value.weight();
            bytes <= PART_BYTES_MAX
        });
        let count = fits.count().max(1).min(left.len());
        &left[..count]
    }
}

impl<C: Connection> Task<C> {
    pub(super) fn begin_snapshot(&mut self, place: Place, values: Values, at: Position) {
        let (values, replace) = match values {
            Values::Changed(values) => (values, false),
            Values::Replace(values) => (values, true),
        };
        if let Some(Some(reader)) = self.readers.get_mut(usize::from(place.0)) {
            reader.snapshot = Some(Box::new(Snapshot {
                values,
                replace,
                at,
                sent: 0,
            }));
        }
    }

    /// Queues as many parts as there is credit and room for.
    pub(super) fn queue_snapshot(&mut self, place: Place, feed: &Feed) -> Progress {
        let at = usize::from(place.0);
        while let Some(Some(reader)) = self.readers.get_mut(at)
            && let Some(snapshot) = &mut reader.snapshot
        {
            if self.connection.queued_bytes() >= self.services.send_queue {
                return Progress::NoRoom;
            }
            if !self.rules.reserve_page() {
                return Progress::NoCredit;
            }
            let part = snapshot.part();
            let sent = snapshot.sent + part.len();
            let last = sent == snapshot.values.len();
            let frame = wire::snapshot(feed.channel_id, snapshot.replace, &snapshot.at, part, last);
            snapshot.sent = sent;
            if last {
                reader.snapshot = None;
            }
            self.rules.settle_page(frame.body_bytes());
            self.services
                .metrics
                .sent(FrameKind::Page, C::TRANSPORT, 1, frame.body_bytes());
            self.connection.queue(&frame);
        }
        Progress::Done
    }
}
