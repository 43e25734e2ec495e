//! What must hold whatever happens.

use super::*;
use crate::slot::Snapshot;

impl Run {
    /// Checks every effect, in order, against what was seen before.
    pub(super) fn check(&mut self, effects: Effects) {
        let alone = effects.len() == 1;
        for effect in effects {
            match effect {
                Effect::FanOut(message) => self.check_fan_out(message),
                Effect::Ack { to, ack } => {
                    let asked = self.waiting.remove(&to).expect("an answer to a question");
                    self.check_ack(&asked, ack);
                }
                Effect::Refuse { to, refusal } => {
                    let asked = self.waiting.remove(&to).expect("an answer to a question");
                    self.check_refusal(&asked, &refusal);
                }
                Effect::Attached { to, attachment } => {
                    assert_eq!(self.waiting.remove(&to), Some(Asked::Other));
                    self.check_attachment(attachment, alone);
                }
                Effect::Page { to, page } => {
                    assert_eq!(self.waiting.remove(&to), Some(Asked::Other));
                    self.check_page(page);
                }
                Effect::Inspected { to, inspection } => {
                    assert_eq!(self.waiting.remove(&to), Some(Asked::Other));
                    self.check_inspection(inspection);
                }
                Effect::Doubt { .. } | Effect::Propose(_) | Effect::Used { .. } => unreachable!("carried out"),
            }
        }
    }

    fn check_fan_out(&mut self, message: Arc<Message>) {
        // Whoever follows the channel live finds the message after the last.
        let epoch = self.owner.channel().working.as_ref().unwrap().view().epoch().clone();
        let shown = self.shown.entry(epoch.clone()).or_default();
        assert_eq!(message.seq.0, shown.len() as u64 + 1, "no gap, no repetition");
        let (seq, term) = (message.seq, message.term);
        shown.push(message);
        self.positions.push(Position { epoch, seq, term });
    }

    fn check_ack(&mut self, asked: &Asked, ack: Ack) {
        if let Some(position) = &ack.position {
            let shown = &self.shown[&position.epoch];
            let message = &shown[position.seq.0 as usize - 1];
            assert_eq!(message.term, position.term, "what is acknowledged was shown");
        }
        let Asked::Serial { author, serial } = *asked else {
            return;
        };
        let logged = self.owner.channel().config().durability == Durability::Logged;
        let sent = &mut self.authors[author].sent[serial as usize - 1];
        match &sent.result {
            Some(first) if logged => assert_eq!(first.position, ack.position, "answered alike"),
            _ => sent.result = Some(ack),
        }
    }

    fn check_refusal(&mut self, asked: &Asked, refusal: &Refusal) {
        let Asked::Serial { author, serial } = *asked else {
            return;
        };
        let sent = &mut self.authors[author].sent[serial as usize - 1];
        match refusal {
            Refusal::OutcomeUnknown => sent.given_up = true,
            Refusal::SerialSkipped => {
                let result = sent.result.as_ref();
                assert!(result.is_none_or(|ack| ack.position.is_none()), "it was published");
                sent.given_up = true;
            }
            _ => {}
        }
    }

    fn check_attachment(&self, attachment: Attachment, alone: bool) {
        let view = self.owner.view();
        let Attachment {
            outcome,
            position,
            head,
            values,
        } = attachment;
        // The next message fanned out to the reader is the one after the head it was told.
        let shown = self.shown.get(&head.epoch).map_or(0, Vec::len);
        assert_eq!(head.seq.0 as usize, shown);
        assert_eq!(position.epoch, head.epoch);
        match (outcome, values) {
            // Beside other effects, more was committed after the answer was given.
            (Outcome::Resumed | Outcome::Rewound(_), None) if !alone => {}
            (Outcome::Resumed | Outcome::Rewound(_), None) => {
                let behind = head.seq.0 - position.seq.0;
                let kept = view.history().after(position.seq).count() as u64;
                assert_eq!(kept, behind, "all that lies between can be read");
            }
            (Outcome::Discontinuity(_), _) | (_, Some(_)) => assert_eq!(position, head),
        }
    }

    fn check_page(&self, page: Page) {
        let Page::Messages { after, messages, .. } = page else {
            return;
        };
        for (at, message) in messages.iter().enumerate() {
            let seq = after.seq.0 + at as u64 + 1;
            assert_eq!(*message, self.shown[&after.epoch][seq as usize - 1], "as it was shown");
        }
    }

    fn check_inspection(&self, inspection: Inspection) {
        let Inspection::Description(Description {
            head, first, messages, ..
        }) = inspection
        else {
            panic!("{inspection:?} was not asked for");
        };
        let shown = self.shown.get(&head.epoch).map_or(0, Vec::len);
        assert_eq!(head.seq.0 as usize, shown, "only what was shown is told of");
        assert_eq!(first.0 + messages as u64, head.seq.0 + 1, "history ends at the head");
    }

    /// The replica applies what is new in the log, at another time.
    pub(super) fn follow(&mut self) {
        let late = self.owner.now.instant + seconds(3);
        let known = self.replica.committed();
        let entries: Vec<_> = self.owner.slot.entries_after(known).unwrap().cloned().collect();
        let previous = self.owner.slot.place(known).unwrap();
        self.replica.accept(previous, &entries).unwrap();
        self.replica.learn(self.owner.slot.committed(), late);
    }

    pub(super) fn check_quiet(&mut self) {
        self.follow();
        let channel = self.owner.channel();
        let committed = self.owner.slot.channel(&name("t:a"));
        if channel.config().durability != Durability::Ephemeral {
            assert_eq!(
                channel.working.as_ref(),
                committed,
                "working and committed are the same"
            );
        } else {
            assert_eq!(committed, None);
        }
        assert_eq!(channel.view(), channel.working.as_ref().map(State::view));
        let (here, there): (Snapshot, Snapshot) = (self.owner.slot.snapshot(), self.replica.snapshot());
        assert_eq!(here, there, "copies that applied the same entries are equal");
    }
}
