//! What must hold, told by what happens and by nothing that a machine believes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::channel::Message;
use crate::channel::attach::Reason;
use crate::id::{ChannelName, Epoch, Index, Lineage, NodeId, Position, Seq, SlotId, Term};
use crate::slot::Entry;

/// Which promise was broken. The names in brackets are those of docs/cluster.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// What was acknowledged is there (I1).
    Kept,
    /// Nothing is delivered that nobody published (I2).
    Attempted,
    /// A publish is there once, and a position is one message for ever (I3).
    Once,
    /// Readers get every message, in order (I4, I8).
    Order,
    /// A publisher's messages are in its order (I5).
    Publisher,
    /// What is published after an acknowledgement stands after it (I6).
    Time,
    /// One owner commits under a term, and all logs are committed alike (I7).
    Fencing,
    /// A reader is told of a loss only if there was one (I8).
    Told,
    /// History is given up only if all who had it are dead (I10).
    Reset,
    /// An acknowledged message is held by two.
    Copies,
    /// After everything is healed, everything works (L1).
    Liveness,
    /// Publishes are acknowledged in time, when at most one node is in trouble.
    Service,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// How.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}

/// A publish: whose, and which.
pub(super) type Publish = (usize, u64);

/// What is known for certain.
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) violation: Option<Violation>,
    /// Every message that anybody was shown or told of.
    messages: BTreeMap<(ChannelName, Epoch, Seq), (Term, Vec<u8>)>,
    /// Where each publish stands, in each history.
    published: BTreeMap<(ChannelName, Epoch, Publish), Seq>,
    /// What each publisher was told.
    acked: BTreeMap<(ChannelName, Publish), Position>,
    /// The highest seq that was acknowledged, of each history.
    acked_up_to: BTreeMap<(ChannelName, Epoch), Seq>,
    attempted: BTreeSet<Publish>,
    /// What was acknowledged before each publish began.
    begun_after: BTreeMap<Publish, Vec<(Epoch, Seq)>>,
    committed: BTreeMap<(SlotId, Lineage, Index), Arc<Entry>>,
    commits_as: BTreeMap<(SlotId, Term), NodeId>,
    /// How often each slot's history was given up.
    resets: BTreeMap<SlotId, u32>,
    pub(super) acks: u64,
    pub(super) deliveries: u64,
}

impl Truth {
    pub(super) fn ensure(&mut self, holds: bool, rule: Rule, what: impl FnOnce() -> String) {
        if !holds && self.violation.is_none() {
            self.violation = Some(Violation { rule, what: what() });
        }
    }

    /// An application publishes.
    pub(super) fn invoked(&mut self, channel: &ChannelName, publish: Publish) {
        if self.attempted.insert(publish) {
            let of_channel = self.acked_up_to.iter().filter(|((of, _), _)| of == channel);
            let before = of_channel.map(|((_, epoch), seq)| (epoch.clone(), *seq));
            self.begun_after.insert(publish, before.collect());
        }
    }

    /// A publisher is told where its message stands.
    pub(super) fn acked(&mut self, channel: &ChannelName, publish: Publish, position: &Position) {
        self.acks += 1;
        let Position { epoch, seq, .. } = position;
        let before = self.acked.insert((channel.clone(), publish), position.clone());
        self.ensure(before.is_none_or(|before| before == *position), Rule::Once, || {
            format!("{publish:?} was acknowledged at another place than {position} before")
        });
        let begun = self.begun_after.get(&publish).into_iter().flatten();
        let late = begun.clone().any(|(of, after)| of == epoch && seq <= after);
        self.ensure(!late, Rule::Time, || {
            format!("{publish:?} stands at {position}, before what was acknowledged when it began")
        });
        let known = self.messages.get(&(channel.clone(), epoch.clone(), *seq)).cloned();
        self.ensure(
            known.is_none_or(|(_, payload)| payload == payload_of(publish)),
            Rule::Once,
            || format!("{publish:?} is said to stand at {position}, where another message is"),
        );
        self.place(channel, epoch, *seq, publish);
        let up_to = self.acked_up_to.entry((channel.clone(), epoch.clone())).or_default();
        *up_to = (*up_to).max(*seq);
    }

    /// A message is shown to somebody, or stands in a history.
    pub(super) fn shown(&mut self, channel: &ChannelName, epoch: &Epoch, message: &Message) {
        let Message { seq, term, payload, .. } = message;
        let here = (*term, payload.to_vec());
        let known = self
            .messages
            .insert((channel.clone(), epoch.clone(), *seq), here.clone());
        self.ensure(known.is_none_or(|known| known == here), Rule::Once, || {
            format!("{channel} {epoch}:{seq} is two messages")
        });
        let publish = publish_of(payload).filter(|publish| self.attempted.contains(publish));
        match publish {
            Some(publish) => self.place(channel, epoch, *seq, publish),
            None => self.ensure(false, Rule::Attempted, || {
                format!("{channel} {epoch}:{seq} was never published")
            }),
        }
    }

    fn place(&mut self, channel: &ChannelName, epoch: &Epoch, seq: Seq, publish: Publish) {
        let key = |publish| (channel.clone(), epoch.clone(), publish);
        let known = self.published.insert(key(publish), seq);
        self.ensure(known.is_none_or(|known| known == seq), Rule::Once, || {
            format!("{publish:?} is in {channel} twice, at {seq} too")
        });
        let (publisher, serial) = publish;
        let before = self.published.range(key((publisher, 0))..key(publish)).next_back();
        let after = self
            .published
            .range(key((publisher, serial + 1))..key((publisher + 1, 0)))
            .next();
        let ordered = before.is_none_or(|(_, before)| *before < seq) && after.is_none_or(|(_, after)| seq < *after);
        self.ensure(ordered, Rule::Publisher, || {
            format!("{publish:?} at {seq} of {channel} is out of its publisher's order")
        });
    }

    /// A log is committed so far.
    pub(super) fn committed(&mut self, slot: SlotId, lineage: Lineage, entry: &Arc<Entry>) {
        let key = (slot, lineage, entry.index);
        let known = self.committed.entry(key).or_insert_with(|| Arc::clone(entry)).clone();
        self.ensure(*known == **entry, Rule::Fencing, || {
            format!(
                "entry {} of slot {slot} is committed as {known:?} and as {entry:?}",
                entry.index
            )
        });
    }

    /// An owner commits under a term.
    pub(super) fn commits(&mut self, slot: SlotId, term: Term, owner: &NodeId) {
        let known = self
            .commits_as
            .entry((slot, term))
            .or_insert_with(|| owner.clone())
            .clone();
        self.ensure(known == *owner, Rule::Fencing, || {
            format!("{known} and {owner} both commit in slot {slot} under term {term}")
        });
    }

    /// A slot's history was given up; `alive` still had it.
    pub(super) fn reset(&mut self, slot: SlotId, alive: Option<&NodeId>) {
        *self.resets.entry(slot).or_default() += 1;
        self.ensure(alive.is_none(), Rule::Reset, || {
            format!("slot {slot} was given up while {alive:?} held it")
        });
    }

    /// A reader is told that it cannot go on from `position`.
    pub(super) fn told(&mut self, slot: SlotId, position: &Position, reason: Reason) {
        let resets = self.resets.get(&slot).copied().unwrap_or(0);
        let was_lost = Lineage::of(&position.epoch).is_some_and(|lineage| lineage.resets < resets);
        self.ensure(was_lost && reason == Reason::AllCopiesLost, Rule::Told, || {
            format!("a reader at {position} (term {}) is told {reason:?}", position.term)
        });
    }

    /// A channel that is not there in the end: nothing was acknowledged in it, or all was given up.
    pub(super) fn no_history(&mut self, channel: &ChannelName, resets: u32) {
        let kept = |position: &Position| Lineage::of(&position.epoch).is_none_or(|lineage| lineage.resets >= resets);
        let lost = self
            .acked
            .iter()
            .find(|((of, _), position)| of == channel && kept(position));
        let lost = lost.map(|(_, position)| format!("{channel} is gone, and {position} was acknowledged"));
        self.ensure(lost.is_none(), Rule::Kept, || lost.unwrap_or_default());
    }

    /// The history of a channel in the end: all that was acknowledged in it is there.
    pub(super) fn history(&mut self, channel: &ChannelName, epoch: &Epoch, messages: &[Arc<Message>], resets: u32) {
        for message in messages {
            self.shown(channel, epoch, message);
        }
        let last = messages.last().map_or(Seq(0), |message| message.seq);
        let lost = self.acked.iter().find(|((of, _), position)| {
            let given_up = Lineage::of(&position.epoch).is_some_and(|lineage| lineage.resets < resets);
            of == channel && !given_up && (position.epoch != *epoch || position.seq > last)
        });
        let lost =
            lost.map(|((_, publish), position)| format!("{publish:?} was acknowledged at {position} and is gone"));
        self.ensure(lost.is_none(), Rule::Kept, || lost.unwrap_or_default());
        let gap = messages.windows(2).find(|pair| pair[1].seq != pair[0].seq.next());
        self.ensure(gap.is_none(), Rule::Order, || format!("{channel} has a gap"));
    }
}

pub(super) fn payload_of((publisher, serial): Publish) -> Vec<u8> {
    format!("{publisher}/{serial}").into_bytes()
}

fn publish_of(payload: &[u8]) -> Option<Publish> {
    let (publisher, serial) = std::str::from_utf8(payload).ok()?.split_once('/')?;
    Some((publisher.parse().ok()?, serial.parse().ok()?))
}
