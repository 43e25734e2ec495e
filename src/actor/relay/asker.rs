//! Whom an answer is for.

use std::sync::Arc;

use starling_core::channel::Refusal;
use starling_core::id::{Epoch, Seq};
use starling_core::relay::Answer;
use starling_runtime::mailbox::Permit;

use crate::actor::channel::feeding::Feeding;
use crate::actor::reply::Reply;

/// Whoever waits for an answer, in the room of its request.
pub(super) enum Asker {
    /// One, as it asked.
    One(Reply, Arc<Permit>),
    /// All who want the page after this place.
    Page((Epoch, Seq)),
}

impl Asker {
    /// Gives the answer.
    pub(super) fn answer(self, answer: Answer, feeding: &mut Feeding) {
        match (self, answer) {
            (Self::One(to, _), Answer::Acknowledged(ack)) => to.acknowledge(ack),
            (Self::One(to, _), Answer::Refused(refusal)) => to.refuse(refusal),
            (Self::One(to, _), Answer::Attached(attachment)) if to.gateway().is_some() => to.follows(attachment),
            (Self::One(to, _), Answer::Attached(attachment)) => {
                let feed = feeding.attend(&attachment.head);
                to.attached(feed, attachment);
            }
            (Self::One(to, _), Answer::Page(page)) => to.read(page),
            (Self::One(to, _), Answer::Inspected(inspection)) => to.inspected(inspection),
            (Self::One(to, _), Answer::Moved) => to.refuse(Refusal::Moving),
            (Self::Page(place), Answer::Page(page)) => feeding.paged(&place, Ok(page)),
            (Self::Page(place), Answer::Refused(refusal)) => feeding.paged(&place, Err(refusal)),
            (Self::Page(place), _) => feeding.paged(&place, Err(Refusal::Unavailable)),
        }
    }

    /// Nobody answers any more: whoever waits asks again.
    pub(super) fn give_back(self, feeding: &mut Feeding) {
        self.answer(Answer::Refused(Refusal::Moving), feeding);
    }
}
