//! From the rings to a session's link.

use std::sync::Arc;
use std::time::Duration;

use super::Node;
use super::channel::Message;
use super::mailbox::Asker;
use super::snapshot::Progress;
use crate::backpressure::{Latest, latest};
use crate::channel::{self, Range};
use crate::id::{ChannelName, Seq};
use crate::session::answer::{Answer, Farewell, SkipReason};
use crate::session::subscription::Next;
use crate::session::{ChannelId, Fetched, Input, PageTicket, Place};
use crate::sim::check::Rule;
use crate::sim::link::{Frame, LinkId};
use crate::sim::scene::{Event, Scene};
use crate::sim::sight::Sight;

/// When a reader asks again for a page that its channel was too busy for.
const RETRY_AFTER: Duration = Duration::from_millis(10);

impl Node {
    /// Queues what is due and writes what the link takes, until either has an end.
    pub(super) fn write(&mut self, link: LinkId, scene: &mut Scene) {
        loop {
            self.deliver(link, scene);
            let Some(session) = self.sessions.get_mut(&link) else {
                return;
            };
            if session.queue.is_empty() {
                return;
            }
            let now = scene.now().instant;
            if let Some(until) = session.acks_held_until().filter(|until| now < *until) {
                scene.saw(Sight::AcksHeld);
                return scene.agenda.at(until, Event::Alarm(link));
            }
            while let Some(frame) = session.queue.front() {
                if !scene.send_frame(link, frame) {
                    return;
                }
                session.queue.pop_front();
            }
            session.rules.wrote(scene.now().instant);
            if !session.starved {
                return;
            }
        }
    }

    fn deliver(&mut self, link: LinkId, scene: &mut Scene) {
        let Some(session) = self.sessions.get_mut(&link) else {
            return;
        };
        session.starved = false;
        session.due |= std::mem::take(&mut session.moved);
        let mut pending = session.due;
        while pending != 0 {
            let place = Place(u8::try_from(pending.trailing_zeros()).expect("a place fits"));
            pending &= pending - 1;
            let fits = self.step(link, place, scene);
            let Some(session) = self.sessions.get_mut(&link) else {
                return;
            };
            if !fits {
                session.starved = true;
                return;
            }
            session.due &= !(1 << place.0);
        }
    }

    /// Queues what is due to the reader at `place`. Whether all of it fitted.
    fn step(&mut self, link: LinkId, place: Place, scene: &mut Scene) -> bool {
        match self.queue_snapshot(link, place, scene) {
            Progress::Done => {}
            Progress::NoCredit => return true,
            Progress::NoRoom => return false,
        }
        loop {
            let Some(session) = self.sessions.get_mut(&link) else {
                return true;
            };
            let reader = session.readers.get(usize::from(place.0)).and_then(Option::as_ref);
            let Some(id) = reader.map(|reader| reader.feed) else {
                return true;
            };
            let Some(feed) = self.feeds.get(&id) else {
                return true;
            };
            if session.queued_bytes() >= scene.setup.send_queue {
                return false;
            }
            let span = feed.ring.span();
            let next = session.rules.next(place, span);
            let Some(subscription) = session.rules.subscription(place) else {
                return true;
            };
            let (cursor, epoch) = (subscription.cursor, subscription.epoch.clone());
            match next {
                Next::Nothing => {
                    if !subscription.is_fetching() && cursor < span.head && !span.reaches(cursor) {
                        scene.saw(Sight::CreditSpent);
                    }
                    return true;
                }
                Next::Messages => self.queue_messages(link, place, id, scene),
                Next::Latest => self.queue_latest(link, place, id),
                Next::Page { after, ticket } => {
                    let range = Range {
                        epoch: Some(epoch),
                        after,
                        bytes_max: scene.setup.page.0,
                        messages_max: scene.setup.page.1,
                    };
                    let channel = feed.channel.clone();
                    self.fetch(link, place, ticket, &channel, range, scene);
                    return true;
                }
                Next::Lagged => {
                    self.queue(
                        link,
                        Frame::Answer(Answer::Lagged {
                            channel_id: id,
                            seq: cursor,
                        }),
                    );
                    return true;
                }
                Next::Dropped { count } => self.queue_skipped(link, id, cursor, count, SkipReason::Slow),
                Next::Disconnect => {
                    scene.saw(Sight::Disconnected);
                    self.handle(link, Input::Dismiss(Farewell::Slow), scene);
                    return true;
                }
            }
        }
    }

    fn queue_messages(&mut self, link: LinkId, place: Place, id: ChannelId, scene: &mut Scene) {
        let (Some(session), Some(feed)) = (self.sessions.get_mut(&link), self.feeds.get(&id)) else {
            return;
        };
        let Some(mut cursor) = session.rules.subscription(place).map(|one| one.cursor) else {
            return;
        };
        for (seq, slot) in feed.ring.after(cursor) {
            if seq != cursor.next() || session.queued_bytes() >= scene.setup.send_queue {
                break;
            }
            let message = Arc::clone(&slot.frame);
            scene.ensure(message.seq == seq, Rule::ReaderOrder, || {
                format!("a ring holds {} as {seq}", message.seq)
            });
            session.queue.push_back(Frame::Message {
                channel_id: id,
                message,
            });
            cursor = seq;
        }
        session.rules.delivered(place, cursor);
    }

    fn queue_latest(&mut self, link: LinkId, place: Place, id: ChannelId) {
        let Some(feed) = self.feeds.get(&id) else {
            return;
        };
        let cursor = self
            .sessions
            .get(&link)
            .and_then(|session| session.rules.subscription(place));
        let Some(cursor) = cursor.map(|subscription| subscription.cursor) else {
            return;
        };
        for one in latest(feed.ring.after(cursor)) {
            match one {
                Latest::Superseded { to, count } => self.queue_skipped(link, id, to, count, SkipReason::Superseded),
                Latest::Message(seq, message) => {
                    self.queue(
                        link,
                        Frame::Message {
                            channel_id: id,
                            message,
                        },
                    );
                    if let Some(session) = self.sessions.get_mut(&link) {
                        session.rules.delivered(place, seq);
                    }
                }
            }
        }
    }

    fn queue_skipped(&mut self, link: LinkId, channel_id: ChannelId, to: Seq, count: u64, reason: SkipReason) {
        let skipped = Answer::Skipped {
            channel_id,
            to,
            count,
            reason,
        };
        self.queue(link, Frame::Answer(skipped));
    }

    /// Queues a page, if the reader at `place` still waits for it.
    pub(super) fn queue_page(
        &mut self,
        link: LinkId,
        place: Place,
        ticket: PageTicket,
        after: Seq,
        messages: Vec<Arc<channel::Message>>,
    ) -> Fetched {
        let through = messages.last().map_or(after, |last| last.seq);
        let session = self.sessions.get(&link);
        let subscription = session.and_then(|session| session.rules.subscription(place));
        let awaits = subscription.filter(|one| one.awaits(ticket)).map(|one| one.channel_id);
        let frame = Frame::Page {
            channel_id: awaits.unwrap_or(ChannelId(0)),
            after,
            messages,
        };
        let bytes = frame.bytes();
        if awaits.is_some() && through > after {
            self.queue(link, frame);
        }
        Fetched::Page { through, bytes }
    }

    /// Has the reader at `place` look again after a moment.
    pub(super) fn retry_later(&mut self, link: LinkId, place: Place, scene: &mut Scene) {
        scene.saw(Sight::PageBusy);
        if let Some(session) = self.sessions.get_mut(&link) {
            session.retry |= 1 << place.0;
            scene.agenda.after(RETRY_AFTER, Event::Alarm(link));
        }
    }

    pub(super) fn queue(&mut self, link: LinkId, frame: Frame) {
        if let Some(session) = self.sessions.get_mut(&link) {
            session.queue.push_back(frame);
        }
    }

    fn fetch(
        &mut self,
        link: LinkId,
        place: Place,
        ticket: PageTicket,
        channel: &ChannelName,
        range: Range,
        scene: &mut Scene,
    ) {
        let asker = Asker::Read {
            link,
            place,
            ticket,
            range: range.clone(),
        };
        let to = self.ask(asker);
        if self.try_send(channel, Message::Read { to, range }, scene).is_err() {
            // The reply is dropped unused: the reader is told to ask again.
            self.refuse(to, channel::Refusal::Unavailable, scene);
        }
    }
}
