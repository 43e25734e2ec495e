//! What an attached reader does with what comes: the rule that nothing is taken that does not follow.

use std::sync::Arc;

use super::desk::Desk;
use super::reader::{Flow, Reader, Standing};
use crate::channel::{Message, Reason};
use crate::id::{Position, Seq, Term};
use crate::session::answer::SkipReason;
use crate::sim::fact::Seen;
use crate::sim::scene::Scene;

impl Reader {
    /// A part of the values of a keyed channel.
    pub(super) fn values(
        &mut self,
        replace: bool,
        at: Position,
        part: Vec<Arc<Message>>,
        last: bool,
        scene: &mut Scene,
    ) {
        if self.flow != Flow::Values {
            let last = self.place.as_ref().map_or(Seq(0), |place| place.seq);
            return self.tell(Seen::OutOfTurn { last, found: at.seq }, scene);
        }
        self.parts.extend(part);
        if last {
            let values = std::mem::take(&mut self.parts);
            self.flow = Flow::Live;
            self.start = None;
            self.place = Some(at.clone());
            self.tell(Seen::Snapshot { replace, at, values }, scene);
        }
    }

    pub(super) fn message(&mut self, message: &Arc<Message>, scene: &mut Scene) {
        self.offer(message, false, scene);
    }

    /// Takes a page. How much of its credit is held until the application takes what is in it.
    pub(super) fn page(&mut self, after: Seq, messages: &[Arc<Message>], bytes: usize, scene: &mut Scene) -> usize {
        let Some(place) = self.place.as_ref().map(|place| place.seq) else {
            return 0;
        };
        if after > place && self.flow == Flow::Live {
            let (last, found) = (place, after);
            self.tell(Seen::OutOfTurn { last, found }, scene);
        }
        if after > place || self.flow == Flow::Behind {
            return 0;
        }
        for message in messages {
            // A page is taken whole: its credit bounds what piles up.
            self.offer(message, true, scene);
        }
        let held = if self.paused { bytes } else { 0 };
        self.held += held;
        held
    }

    fn offer(&mut self, message: &Arc<Message>, paged: bool, scene: &mut Scene) {
        let full = self.is_full() && !paged;
        let found = message.seq;
        if !self.in_turn(found, scene) {
            return;
        }
        let Some(place) = &mut self.place else {
            return;
        };
        let last = place.seq;
        if found <= last || (found > last.next() && self.flow != Flow::Live) || self.flow == Flow::Behind {
            return; // known already, or left with the server
        }
        if found > last.next() {
            return self.tell(Seen::OutOfTurn { last, found }, scene);
        }
        if full {
            self.flow = Flow::Behind;
            return;
        }
        (place.seq, place.term) = (message.seq, message.term);
        self.flow = Flow::Live;
        let message = Arc::clone(message);
        self.tell(Seen::Message { message, paged }, scene);
    }

    /// Nothing but values may come while values are awaited. Whether that was kept.
    fn in_turn(&mut self, found: Seq, scene: &mut Scene) -> bool {
        let kept = self.flow != Flow::Values;
        if !kept {
            let last = self.place.as_ref().map_or(Seq(0), |place| place.seq);
            self.tell(Seen::OutOfTurn { last, found }, scene);
        }
        kept
    }

    pub(super) fn skipped(&mut self, to: Seq, count: u64, reason: SkipReason, scene: &mut Scene) {
        let full = self.is_full();
        if !self.in_turn(to, scene) {
            return;
        }
        let Some(place) = &mut self.place else {
            return;
        };
        // After a pull, a jump may belong to what was under way before it.
        let continues = to.0.saturating_sub(count) <= place.seq.0;
        if to <= place.seq || self.flow == Flow::Behind || (self.flow == Flow::Pulling && !continues) {
            return;
        }
        if full {
            self.flow = Flow::Behind;
            return;
        }
        (place.seq, place.term) = (to, Term(0));
        self.flow = Flow::Live;
        self.tell(Seen::Skipped { to, count, reason }, scene);
    }

    pub(super) fn lagged(&mut self, seq: Seq, desk: &mut Desk, scene: &mut Scene) {
        if !self.in_turn(seq, scene) {
            return;
        }
        let place = self.place.as_ref().map(|place| place.seq);
        if self.flow == Flow::Pulling && place.is_some_and(|place| seq > place) {
            return; // the pull that is under way has ended that lag
        }
        if self.flow == Flow::Live {
            self.tell(Seen::Lagged { seq }, scene);
        }
        self.flow = Flow::Behind;
        self.pull(desk, scene);
    }

    pub(super) fn interrupted(&mut self, reason: Reason, position: Position, scene: &mut Scene) {
        if !self.in_turn(position.seq, scene) {
            return;
        }
        if self.flow == Flow::Behind || self.is_full() {
            // It is not told now, so it does not move: the pull from where it stands asks again.
            self.flow = Flow::Behind;
            return;
        }
        if scene.setup.namespace(&self.channel).channel.keyed {
            // The values that it missed come with a new attachment.
            self.standing = Standing::Apart(None);
            return;
        }
        self.place = Some(position.clone());
        self.flow = Flow::Live;
        self.tell(Seen::Discontinuity { reason, position }, scene);
    }
}
