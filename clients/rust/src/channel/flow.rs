//! What an attached channel does with the frames of its messages.

use starling_protocol::v1;

use super::deliver::message_bytes;
use super::room::Cost;
use super::{Attachment, Channel, Place};
use crate::credit::Credit;
use crate::session::{Turn, Violation};
use crate::{Event, Message, Position, Reason, SkipReason};

/// What reaches an attached subscription next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// What follows the place.
    Live,
    /// More of a keyed channel's state.
    State { at: Position, replace: bool },
    /// Nothing: the queue was full, so what came was left with the server. Once there is room it is pulled.
    Behind,
    /// What follows the place, after frames that were on their way before the server read our Pull.
    Pulling,
}

impl Channel {
    pub(crate) fn publication(&mut self, frame: v1::Publication, turn: &mut Turn<'_>) -> Result<(), Violation> {
        let Some(place) = self.flowing() else { return Ok(()) };
        if self.in_state() {
            return Err(Violation("a publication between the parts of a snapshot"));
        }
        if frame.seq <= place.seq {
            turn.common.stats.duplicates += 1;
        } else if frame.seq - place.seq > 1 {
            self.gap(turn);
        } else if !self.room.has_room() {
            self.overflow(turn);
        } else {
            let v1::Publication {
                seq,
                term,
                time_ms,
                key,
                deleted,
                payload,
                ..
            } = frame;
            let entry = v1::PageEntry {
                seq,
                term,
                time_ms,
                key,
                deleted,
                payload,
            };
            let message = self.message(&place.epoch, entry, seq <= self.head);
            self.advance(message, Credit::default(), turn);
        }
        Ok(())
    }

    /// A page is taken whole: the credit that it used bounds what may pile up.
    pub(crate) fn page(&mut self, frame: v1::Page, credit: Credit, turn: &mut Turn<'_>) -> Result<(), Violation> {
        let Some(place) = self.flowing() else {
            turn.common.credit.give_back(credit);
            return Ok(());
        };
        if self.in_state() {
            return Err(Violation("a page between the parts of a snapshot"));
        }
        if frame.after > place.seq {
            turn.common.credit.give_back(credit);
            self.gap(turn);
            return Ok(());
        }
        if self.is_behind() {
            turn.common.credit.give_back(credit);
            return Ok(());
        }
        let known = frame.entries.iter().take_while(|entry| entry.seq <= place.seq).count();
        turn.common.stats.duplicates += known as u64;
        let mut entries = frame.entries.into_iter().skip(known).peekable();
        if entries.peek().is_none() {
            turn.common.credit.give_back(credit);
        }
        while let Some(entry) = entries.next() {
            let message = self.message(&place.epoch, entry, true);
            // The page's credit comes back with the last of its messages.
            let credit = if entries.peek().is_none() {
                credit
            } else {
                Credit::default()
            };
            self.advance(message, credit, turn);
        }
        Ok(())
    }

    pub(crate) fn skipped(&mut self, frame: &v1::Skipped, turn: &mut Turn<'_>) -> Result<(), Violation> {
        let Some(place) = self.flowing() else { return Ok(()) };
        if self.in_state() {
            return Err(Violation("skipped between the parts of a snapshot"));
        }
        if frame.to <= place.seq {
            return Ok(());
        }
        // After a Pull, a jump may belong to the stream before it: then what lies before the jump is missing here.
        let continues = frame.to.saturating_sub(frame.count) <= place.seq;
        if self.is_behind() || (self.is_pulling() && !continues) {
            return Ok(());
        }
        if !self.room.has_room() {
            self.overflow(turn);
            return Ok(());
        }
        turn.common.stats.skipped = turn.common.stats.skipped.saturating_add(frame.count);
        // The term of a message that was left out is not known.
        self.place = Place::At(Position {
            epoch: place.epoch,
            seq: frame.to,
            term: 0,
        });
        self.flow_on(Flow::Live);
        let reason = SkipReason::from_wire(frame.reason);
        self.deliver(
            Event::Skipped {
                to: frame.to,
                count: frame.count,
                reason,
            },
            turn,
        );
        Ok(())
    }

    pub(crate) fn lagged(&mut self, frame: &v1::Lagged, turn: &mut Turn<'_>) -> Result<(), Violation> {
        let Some(place) = self.flowing() else { return Ok(()) };
        if self.in_state() {
            return Err(Violation("lagged between the parts of a snapshot"));
        }
        // Sent before the server read our Pull: it had sent more than we took. The Pull has ended that lag.
        if self.is_pulling() && frame.seq > place.seq {
            return Ok(());
        }
        self.flow_on(Flow::Behind);
        self.pull_if_room(turn);
        Ok(())
    }

    /// Of a channel without keys: a keyed one is attached again, and gets its state.
    pub(crate) fn discontinuity(&mut self, frame: v1::Discontinuity, turn: &mut Turn<'_>) -> Result<(), Violation> {
        if self.flowing().is_none() {
            return Ok(());
        }
        let Some(position) = frame.position else {
            return Err(Violation("a discontinuity without a position"));
        };
        // Without room it is not told now, so the reader must not move: the Pull from where it stands asks again.
        if self.is_behind() || !self.room.has_room() {
            self.flow_on(Flow::Behind);
            return Ok(());
        }
        let position = Position::from_wire(position);
        let reason = Reason::from_wire(frame.reason);
        turn.common.stats.discontinuities += 1;
        self.place = Place::At(position.clone());
        self.flow_on(Flow::Live);
        self.deliver(Event::Discontinuity { reason, position }, turn);
        Ok(())
    }

    /// Pulls what was left with the server, if the queue can take it now.
    pub(super) fn pull_if_room(&mut self, turn: &mut Turn<'_>) {
        if self.is_behind() && self.room.has_room_again() {
            self.pull(turn);
        }
    }

    /// The place of an attached channel. Frames of one that is not attached are of an attachment that has ended.
    pub(super) fn flowing(&self) -> Option<Position> {
        match (&self.attachment, &self.place) {
            (Attachment::Attached { .. }, Place::At(position)) => Some(position.clone()),
            _ => None,
        }
    }

    pub(super) fn flow_on(&mut self, next: Flow) {
        if let Attachment::Attached { flow, .. } = &mut self.attachment {
            *flow = next;
        }
    }

    pub(super) fn flow(&self) -> Option<&Flow> {
        match &self.attachment {
            Attachment::Attached { flow, .. } => Some(flow),
            Attachment::Detached { .. } | Attachment::Attaching => None,
        }
    }

    pub(super) fn is_behind(&self) -> bool {
        self.flow() == Some(&Flow::Behind)
    }

    fn is_pulling(&self) -> bool {
        self.flow() == Some(&Flow::Pulling)
    }

    fn in_state(&self) -> bool {
        matches!(self.flow(), Some(Flow::State { .. }))
    }

    /// Hands over the message after the place.
    fn advance(&mut self, message: Message, credit: Credit, turn: &mut Turn<'_>) {
        let cost = Cost {
            bytes: message_bytes(&message),
            credit,
        };
        self.place = Place::At(message.position.clone());
        self.flow_on(Flow::Live);
        turn.common.stats.messages += 1;
        self.deliver_at(Event::Message(message), cost, turn);
    }

    /// Something between the place and what came is missing.
    fn gap(&mut self, turn: &mut Turn<'_>) {
        match self.flow() {
            // What came was on its way before the server read our Pull, or will be pulled.
            Some(Flow::Pulling | Flow::Behind) | None => {}
            Some(Flow::Live | Flow::State { .. }) => {
                turn.common.stats.gaps += 1;
                self.flow_on(Flow::Behind);
                self.pull_if_room(turn);
            }
        }
    }

    /// The application is slow: what comes is left with the server.
    pub(super) fn overflow(&mut self, turn: &mut Turn<'_>) {
        if !self.is_behind() {
            turn.common.stats.overflows += 1;
            self.flow_on(Flow::Behind);
        }
    }

    fn pull(&mut self, turn: &mut Turn<'_>) {
        let Attachment::Attached { channel_id, flow } = &mut self.attachment else {
            return;
        };
        let Place::At(place) = &self.place else { return };
        *flow = Flow::Pulling;
        turn.common.stats.pulls += 1;
        turn.send(v1::Pull {
            channel_id: *channel_id,
            seq: place.seq,
        });
    }
}
