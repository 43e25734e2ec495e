//! The rules of one subscription: what reaches the application, in which order, and what is asked for when something
//! is missing. No IO, no clock.
//!
//! ```text
//!              Attach               Attached
//!  Detached ───────────▶ Attaching ──────────▶ Attached: Live ◀───────────────┐
//!      ▲                     │                   │    │ no room                │ the next seq,
//!      │ refused, lost       │                   │    ▼                        │ or word of a jump
//!      └─────────────────────┴───────────────────┘  Behind ──── room again ──▶ Pulling
//!                                                            Pull
//! ```
//!
//! The *place* is the position of what was last handed to the application's queue. Only four things move it: the
//! message after it, Skipped, a complete Snapshot, and a Discontinuity, which the application is told of. All else is
//! either known already (not above the place) or a gap (above it), and a gap is pulled.
//!
//! Of a keyed channel the application has nothing until the state is complete. Until then a reconnect goes on from
//! where the state was asked for, not from the place, and so does an application that keeps its position.

use std::sync::Arc;
use std::time::Instant;

use starling_protocol::v1;

use self::flow::Flow;
use self::room::{Room, Taken};
use crate::session::{SubscriptionId, Turn, Violation};
use crate::{Event, From, Outcome, Policy, Position, Reason, SubscribeOptions, Window};

mod deliver;
mod flow;
pub(crate) mod room;
mod state;

/// One subscription.
#[derive(Debug)]
pub(crate) struct Channel {
    id: SubscriptionId,
    name: Arc<str>,
    policy: Option<Policy>,
    place: Place,
    /// While a keyed channel's state is not complete: where to go on from instead of the place.
    incomplete: Option<Position>,
    attachment: Attachment,
    room: Room,
    /// Its messages carry keys: known once it was attached.
    keyed: bool,
    /// When the application last took something, or got the first page since it had none.
    moved: Instant,
    /// Seq of the newest message when the channel was attached: what is not above it is replayed.
    head: u64,
}

/// Where the reader stands.
#[derive(Clone, Debug)]
enum Place {
    /// It has not been attached yet, and asked for this.
    Asked(From),
    /// This is what its queue was handed last.
    At(Position),
}

/// How far the subscription is from being attached.
#[derive(Clone, Debug)]
pub(crate) enum Attachment {
    /// Not attached on this connection.
    Detached {
        /// It was refused for now, and tries again then.
        not_before: Option<Instant>,
    },
    /// Attach is sent.
    Attaching,
    /// Attached, under this id.
    Attached { channel_id: u32, flow: Flow },
}

impl Channel {
    pub(crate) fn new(id: SubscriptionId, name: Arc<str>, options: SubscribeOptions, now: Instant) -> Self {
        Self {
            id,
            name,
            policy: options.policy,
            room: Room::new(options.queue_events, options.queue_bytes),
            place: Place::Asked(options.from),
            incomplete: None,
            attachment: Attachment::Detached { not_before: None },
            keyed: false,
            moved: now,
            head: 0,
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    pub(crate) fn attachment(&self) -> &Attachment {
        &self.attachment
    }

    /// When a refused attach may be tried again.
    pub(crate) fn not_before(&self) -> Option<Instant> {
        match self.attachment {
            Attachment::Detached { not_before } => not_before,
            Attachment::Attaching | Attachment::Attached { .. } => None,
        }
    }

    /// Time has passed: a refused attach may be tried again.
    pub(crate) fn rest(&mut self, now: Instant) {
        if self.not_before().is_some_and(|not_before| not_before <= now) {
            self.detached(None);
        }
    }

    /// Whether Attach is to be sent now. A queue that is still full waits: nothing could be delivered.
    pub(crate) fn wants_attach(&self) -> bool {
        matches!(self.attachment, Attachment::Detached { not_before: None }) && self.room.has_room_again()
    }

    /// The Attach to send, as this request.
    pub(crate) fn attach(&mut self, request: u64) -> v1::Attach {
        self.attachment = Attachment::Attaching;
        let from = match (self.resume(), &self.place) {
            (None, Place::Asked(from)) => from.to_wire(),
            (Some(position), _) | (None, Place::At(position)) => From::Position(position.clone()).to_wire(),
        };
        let policy = self.policy.map_or(v1::Policy::Unspecified, Policy::to_wire).into();
        v1::Attach {
            request,
            channel: self.name.as_ref().to_owned(),
            from,
            policy,
        }
    }

    /// The connection or the attachment is gone; the next attach is sent no earlier than `not_before`.
    pub(crate) fn detached(&mut self, not_before: Option<Instant>) {
        self.attachment = Attachment::Detached { not_before };
    }

    /// The server's answer to Attach.
    pub(crate) fn attached(&mut self, frame: v1::Attached, turn: &mut Turn<'_>) -> Result<(), Violation> {
        let (Some(position), Some(window), Some(outcome)) = (frame.position, frame.window, frame.outcome) else {
            return Err(Violation("attached without a position, a window or an outcome"));
        };
        let outcome = match outcome {
            v1::attached::Outcome::Resumed(_) => Outcome::Resumed,
            v1::attached::Outcome::Rewound(rewound) => Outcome::Rewound(rewound.count),
            v1::attached::Outcome::Discontinuity(lost) => Outcome::Discontinuity(Reason::from_wire(lost.reason)),
        };
        let position = self.confirmed(Position::from_wire(position), outcome, frame.keyed)?;
        self.incomplete = match self.resume() {
            // What changed between the two comes as a state.
            Some(asked) if frame.keyed && outcome == Outcome::Resumed => {
                (asked.seq != position.seq).then(|| asked.clone())
            }
            _ => (frame.keyed && position.seq > 0).then(|| before_all(&position)),
        };
        self.place = Place::At(position.clone());
        (self.keyed, self.head) = (frame.keyed, frame.head);
        self.attachment = Attachment::Attached {
            channel_id: frame.channel_id,
            flow: Flow::Live,
        };

        let window = Window::from_wire(window);
        let (head, keyed) = (frame.head, frame.keyed);
        let event = Event::Attached {
            position: position.clone(),
            head,
            outcome,
            window,
            keyed,
        };
        self.deliver(event, turn);
        if let Outcome::Discontinuity(reason) = outcome {
            turn.common.stats.discontinuities += 1;
            self.deliver(Event::Discontinuity { reason, position }, turn);
        }
        Ok(())
    }

    /// The application took events from the queue.
    pub(crate) fn taken(&mut self, taken: Taken, turn: &mut Turn<'_>) {
        self.moved = turn.now;
        let credit = self.room.taken(taken);
        turn.common.credit.give_back(credit);
        self.pull_if_room(turn);
    }

    /// Since when the application has left pages in the queue that hold credit; `None` if it has not, or if they are
    /// of a state, which cannot be pulled in parts.
    pub(crate) fn hoards_since(&self) -> Option<Instant> {
        let is_state = matches!(
            self.attachment,
            Attachment::Attached {
                flow: Flow::State { .. },
                ..
            }
        );
        (self.room.credit().bytes > 0 && !is_state).then_some(self.moved)
    }

    /// Whether the server owes it pages.
    pub(crate) fn expects_pages(&self) -> bool {
        match (&self.attachment, &self.place) {
            (Attachment::Attached { flow, .. }, Place::At(place)) => *flow == Flow::Pulling || place.seq < self.head,
            _ => false,
        }
    }

    /// Lets others have the page credit that its queue holds. More pages would only pile up: they are left with the
    /// server, and pulled when the application moves on.
    pub(crate) fn release(&mut self, turn: &mut Turn<'_>) {
        let credit = self.room.release();
        turn.common.credit.give_back(credit);
        self.overflow(turn);
    }

    /// Whether the messages carry keys.
    pub(crate) fn is_keyed(&self) -> bool {
        self.keyed
    }

    /// Where a reader that comes back goes on; `None` before it was attached, if it did not ask for a position.
    fn resume(&self) -> Option<&Position> {
        match &self.place {
            Place::At(position) => Some(self.incomplete.as_ref().unwrap_or(position)),
            Place::Asked(From::Position(position)) => Some(position),
            Place::Asked(_) => None,
        }
    }

    /// The position as the server confirmed it. Going on from anywhere else without saying so would be a silent gap.
    fn confirmed(&self, confirmed: Position, outcome: Outcome, keyed: bool) -> Result<Position, Violation> {
        let Some(asked) = self.resume() else {
            return Ok(confirmed);
        };
        let goes_on =
            confirmed.epoch == asked.epoch && (confirmed.seq == asked.seq || (keyed && confirmed.seq > asked.seq));
        match outcome {
            Outcome::Resumed if !goes_on => Err(Violation("resumed, but from another position than asked for")),
            // A server that does not know the term has not compared it: ours goes on being compared.
            Outcome::Resumed if confirmed.term == 0 && confirmed.seq == asked.seq => Ok(asked.clone()),
            Outcome::Rewound(_) => Err(Violation("rewound, but a position was asked for")),
            Outcome::Resumed | Outcome::Discontinuity(_) => Ok(confirmed),
        }
    }
}

/// The position before the first message of the same history.
fn before_all(position: &Position) -> Position {
    Position {
        epoch: Arc::clone(&position.epoch),
        seq: 0,
        term: 0,
    }
}

#[cfg(test)]
mod tests;
