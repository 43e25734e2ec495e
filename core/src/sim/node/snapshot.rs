//! The values of a keyed channel, sent in parts before its messages.

use std::sync::Arc;

use super::Node;
use crate::channel::{Message, Values};
use crate::id::Position;
use crate::session::Place;
use crate::sim::link::{Frame, LinkId};
use crate::sim::scene::Scene;
use crate::sim::sight::Sight;

/// Values in one part: few, so that there are several parts.
const PART_VALUES_MAX: usize = 2;

/// A snapshot that is being sent.
#[derive(Debug)]
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
    /// The link has to take something first.
    NoRoom,
}

impl Node {
    pub(super) fn begin_snapshot(&mut self, link: LinkId, place: Place, values: Values, at: Position) {
        let (values, replace) = match values {
            Values::Changed(values) => (values, false),
            Values::Replace(values) => (values, true),
        };
        let session = self.sessions.get_mut(&link);
        if let Some(Some(reader)) = session.and_then(|session| session.readers.get_mut(usize::from(place.0))) {
            reader.snapshot = Some(Snapshot {
                values,
                replace,
                at,
                sent: 0,
            });
        }
    }

    /// Queues as many parts as there is credit and room for.
    pub(super) fn queue_snapshot(&mut self, link: LinkId, place: Place, scene: &mut Scene) -> Progress {
        let Some(session) = self.sessions.get_mut(&link) else {
            return Progress::Done;
        };
        loop {
            let full = session.queued_bytes() >= scene.setup.send_queue;
            let Some(Some(reader)) = session.readers.get_mut(usize::from(place.0)) else {
                return Progress::Done;
            };
            let Some(snapshot) = &mut reader.snapshot else {
                return Progress::Done;
            };
            if full {
                return Progress::NoRoom;
            }
            if !session.rules.reserve_page() {
                scene.saw(Sight::CreditSpent);
                return Progress::NoCredit;
            }
            let left = &snapshot.values[snapshot.sent..];
            let part = left[..left.len().min(PART_VALUES_MAX)].to_vec();
            snapshot.sent += part.len();
            let frame = Frame::Snapshot {
                channel_id: reader.feed,
                replace: snapshot.replace,
                at: snapshot.at.clone(),
                values: part,
                last: snapshot.sent == snapshot.values.len(),
            };
            if snapshot.sent == snapshot.values.len() {
                reader.snapshot = None;
            }
            session.rules.settle_page(frame.bytes());
            session.queue.push_back(frame);
        }
    }
}
