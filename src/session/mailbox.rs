//! What reaches a session's task from elsewhere: "this channel has moved", answers from owners, an
//! alarm. Costs nothing while idle: no queue is allocated until an answer comes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Context;
use std::time::Instant;

use futures_util::task::AtomicWaker;
use starling_core::channel::{self, Attachment, Reason, Refusal};
use starling_core::id::{Position, Serial};
use starling_core::presence::gateway;
use starling_core::session::answer::Farewell;
use starling_core::session::request::RequestId;
use starling_core::session::{ChannelId, PLACES_MAX, PageTicket, Place};
use starling_runtime::wheel::Alarm;

use crate::fanout::{Board, EncodedPage, Feed, Frame, Heads};
use crate::node::Dismiss;

/// One session's mailbox. Shared by its task, the feeds it reads and the owners that answer it.
#[derive(Debug, Default)]
pub struct Mailbox {
    waker: AtomicWaker,
    /// A bit per place: its feed has moved since the task last looked.
    moved: [AtomicU64; PLACES_MAX / 64],
    rung: AtomicBool,
    dismissed: AtomicBool,
    /// Bounded by what the session has asked and not been answered: its publishes in flight, its
    /// attaches, one page per channel, what it asks about presence, the newest beginning of each channel that it watches, and
    /// one dismissal.
    answers: Mutex<Vec<Delivery>>,
}

/// An answer for the session.
#[derive(Debug)]
pub enum Delivery {
    /// The owner confirmed an attach.
    Attached {
        /// The request.
        request: RequestId,
        /// The channel at this gateway.
        feed: Arc<Feed>,
        /// Where the reader stands.
        attachment: Attachment,
    },
    /// A publish or skip is settled.
    Acknowledged {
        /// The request.
        request: RequestId,
        /// The serial.
        serial: Serial,
        /// When it was asked for.
        asked: Instant,
        /// How.
        ack: channel::Ack,
    },
    /// The owner refused an attach.
    AttachRefused {
        /// The request.
        request: RequestId,
        /// Why.
        refusal: Refusal,
    },
    /// The owner refused a publish or a skip.
    PublishRefused {
        /// The request.
        request: RequestId,
        /// Why.
        refusal: Refusal,
    },
    /// A page came, or cannot.
    Fetched {
        /// Who asked.
        place: Place,
        /// As asked.
        ticket: PageTicket,
        /// The page.
        page: PageAnswer,
    },
    /// A request about being present is settled; `None` if nobody knows how.
    PresenceAnswered {
        /// The request.
        request: RequestId,
        /// How.
        answer: Option<Result<(), gateway::Refusal>>,
    },
    /// A channel is watched.
    Watched {
        /// The request.
        request: RequestId,
        /// Where.
        place: Place,
        /// Its number in frames.
        channel_id: ChannelId,
    },
    /// It is not.
    WatchRefused {
        /// The request.
        request: RequestId,
        /// Where it would have been.
        place: Place,
        /// Why.
        refusal: Refusal,
    },
    /// Who is in a channel, from now on.
    Begin(Box<Beginning>),
    /// The session is to end.
    Dismiss(Farewell),
}

/// A channel's presence, to be shown from the beginning. What was shown of it before is void.
#[derive(Debug)]
pub struct Beginning {
    /// Where it is watched.
    pub place: Place,
    /// Which watch of the session: one that has ended is passed over.
    pub watch: u32,
    /// Where what follows is put up.
    pub board: Arc<Board>,
    /// As of here.
    pub at: Heads,
    /// Who is there, or how many.
    pub whole: Arc<[Arc<Frame>]>,
    /// How sure that is.
    pub certainty: Arc<Frame>,
}

/// What became of a page.
#[derive(Debug)]
pub enum PageAnswer {
    /// Here it is.
    Page(EncodedPage),
    /// There is none.
    Lost {
        /// Why.
        reason: Reason,
        /// Delivery goes on after it.
        position: Position,
    },
    /// The channel could not look now.
    Busy,
    /// The channel is set aside.
    Refused(Refusal),
}

impl Mailbox {
    /// The feed at `place` has moved.
    pub fn mark(&self, place: Place) {
        let (word, bit) = (usize::from(place.0) / 64, 1 << (place.0 % 64));
        let before = self.moved[word].fetch_or(bit, Ordering::AcqRel);
        // Any bit that was set has woken the task already, and it has not looked since.
        if before == 0 {
            self.waker.wake();
        }
    }

    /// Brings an answer.
    pub fn deliver(&self, delivery: Delivery) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Delivery::Begin(newer) = &delivery {
            answers.retain(|one| !matches!(one, Delivery::Begin(older) if older.place == newer.place));
        }
        answers.push(delivery);
        drop(answers);
        self.waker.wake();
    }

    /// Has the task woken by whatever comes next.
    pub(super) fn register(&self, cx: &Context<'_>) {
        self.waker.register(cx.waker());
    }

    /// Takes what moved since the last look: a bit per place.
    pub(super) fn take_moved(&self) -> u128 {
        let take = |word: &AtomicU64| match word.load(Ordering::Acquire) {
            0 => 0,
            _ => word.swap(0, Ordering::AcqRel),
        };
        u128::from(take(&self.moved[0])) | u128::from(take(&self.moved[1])) << 64
    }

    /// Takes the answers that came since the last look.
    pub(crate) fn take_answers(&self) -> Vec<Delivery> {
        std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether an alarm rang since the last look.
    pub(super) fn take_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire) && self.rung.swap(false, Ordering::AcqRel)
    }
}

impl Dismiss for Mailbox {
    /// A session may be ended by many: its mailbox holds one.
    fn dismiss(&self, farewell: &Farewell) -> bool {
        let first = !self.dismissed.swap(true, Ordering::AcqRel);
        if first {
            self.deliver(Delivery::Dismiss(farewell.clone()));
        }
        first
    }

    fn may_move(&self) -> bool {
        !self.dismissed.load(Ordering::Acquire)
    }
}

impl Alarm for Mailbox {
    fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        self.waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn marks_gather_until_the_task_looks() {
        let mailbox = Mailbox::default();
        mailbox.register(&Context::from_waker(Waker::noop()));
        for place in [0, 63, 64, 127, 0] {
            mailbox.mark(Place(place));
        }
        assert_eq!(mailbox.take_moved(), 1 | 1 << 63 | 1 << 64 | 1 << 127);
        assert_eq!(mailbox.take_moved(), 0);
        mailbox.ring();
        assert!(mailbox.take_rung() && !mailbox.take_rung());
        assert!(mailbox.dismiss(&Farewell::Draining));
        assert!(!mailbox.dismiss(&Farewell::Internal), "ended once");
        assert_eq!(mailbox.take_answers().len(), 1);
        assert!(mailbox.take_answers().is_empty());
    }
}
