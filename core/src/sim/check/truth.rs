//! What was committed, in which history of which channel.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use crate::channel::{Message, Reason};
use crate::id::{Author, ChannelName, Epoch, Key, Position, Seq, Serial};
use crate::sim::fact::Op;
use crate::sim::plan::ClientId;

/// Every channel there ever was.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// How often the node was restarted, and how often its slots were reset.
    pub(super) restarts: u32,
    pub(super) resets: u32,
    channels: BTreeMap<ChannelName, Channel>,
}

/// One channel.
#[derive(Debug, Default)]
pub(super) struct Channel {
    /// Its histories, by their names.
    pub(super) eras: BTreeMap<Epoch, Era>,
    /// The history that holds now.
    pub(super) current: Option<Epoch>,
    /// When it was last used.
    pub(super) used: Option<Instant>,
    /// When it was last changed: all that a store knows of its use.
    pub(super) changed: Option<Instant>,
    /// It is ephemeral, and what it knew may be lost.
    pub(super) lost: bool,
    /// What its owner has shown of the present history.
    pub(super) shown: Seq,
    /// Where each publish stands that cannot be repeated.
    pub(super) published: BTreeMap<Op, Seq>,
    /// Publishes whose serials are retired.
    pub(super) retired: BTreeSet<Op>,
    /// The last publish of each client.
    pub(super) latest: BTreeMap<ClientId, Op>,
    /// The publishers that are known.
    pub(super) authors: BTreeMap<Author, Known>,
}

/// A publisher that is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) first: Serial,
    pub(super) highest: Serial,
    /// When its latest serial was committed.
    pub(super) used: Instant,
}

/// One history.
#[derive(Debug)]
pub(super) struct Era {
    pub(super) messages: Vec<Kept>,
    /// The first seq that may still be read back.
    pub(super) floor: Seq,
    /// The latest removal of a key that is forgotten.
    pub(super) keys_floor: Seq,
    /// The keys that are known: their latest message, and whether it removed them.
    keys: BTreeMap<Key, (Seq, bool)>,
    /// When it began, in restarts and resets.
    restarts: u32,
    resets: u32,
}

/// One message.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) message: Arc<Message>,
    pub(super) op: Option<Op>,
    pub(super) at: Instant,
    /// The first seq that was kept after it.
    pub(super) floor: Seq,
}

impl Truth {
    /// The channel; one that was not heard of is empty.
    pub(super) fn of(&mut self, channel: &ChannelName) -> &mut Channel {
        if !self.channels.contains_key(channel) {
            self.channels.insert(channel.clone(), Channel::default());
        }
        self.channels.get_mut(channel).expect("it is there by now")
    }

    pub(super) fn channels(&self) -> impl Iterator<Item = (&ChannelName, &Channel)> {
        self.channels.iter()
    }

    /// All histories end, but for those of which `is_stored` says so.
    pub(super) fn restart(&mut self, reset: bool, is_stored: impl Fn(&ChannelName) -> bool) {
        self.restarts += 1;
        self.resets += u32::from(reset);
        for (name, channel) in &mut self.channels {
            if is_stored(name) {
                channel.used = channel.changed;
                for era in channel.eras.values_mut() {
                    (era.restarts, era.resets) = (self.restarts, self.resets);
                }
                continue;
            }
            channel.current = None;
            channel.lost = false;
            channel.used = None;
            channel.forget();
        }
    }

    /// A history begins.
    pub(super) fn begin(&mut self, channel: &ChannelName, epoch: &Epoch) {
        let era = Era {
            messages: Vec::new(),
            floor: Seq(1),
            keys_floor: Seq(0),
            keys: BTreeMap::new(),
            restarts: self.restarts,
            resets: self.resets,
        };
        let channel = self.of(channel);
        channel.eras.insert(epoch.clone(), era);
        channel.current = Some(epoch.clone());
        channel.lost = false;
    }

    /// Why `epoch` is not the present history of `channel`.
    pub(super) fn why_other(&mut self, channel: &ChannelName, epoch: &Epoch) -> Reason {
        let (restarts, resets) = (self.restarts, self.resets);
        match self.of(channel).eras.get(epoch) {
            None => Reason::UnknownEpoch,
            Some(era) if era.restarts == restarts => Reason::Expired,
            Some(era) if era.resets != resets => Reason::AllCopiesLost,
            Some(_) => Reason::NodeRestarted,
        }
    }
}

impl Channel {
    /// The history that holds now.
    pub(super) fn era(&self) -> Option<&Era> {
        self.eras.get(self.current.as_ref()?)
    }

    pub(super) fn era_mut(&mut self) -> Option<&mut Era> {
        self.eras.get_mut(self.current.as_ref()?)
    }

    /// The message at a position.
    pub(super) fn at(&self, epoch: &Epoch, seq: Seq) -> Option<&Kept> {
        self.eras.get(epoch)?.at(seq)
    }

    /// The position of what is shown.
    pub(super) fn shown(&self) -> Option<Position> {
        let era = self.era()?;
        Some(Position {
            epoch: self.current.clone()?,
            seq: self.shown,
            term: era.at(self.shown).map(|kept| kept.message.term).unwrap_or_default(),
        })
    }

    /// A serial of a publisher is committed.
    pub(super) fn record(&mut self, author: &Author, serial: Serial, now: Instant) {
        (self.used, self.changed) = (Some(now), Some(now));
        let known = self.authors.entry(author.clone()).or_insert(Known {
            first: serial,
            highest: serial,
            used: now,
        });
        (known.highest, known.used) = (serial, now);
    }

    /// Forgets by what repetitions are recognised.
    pub(super) fn forget(&mut self) {
        self.shown = Seq(0);
        self.published.clear();
        self.retired.clear();
        self.latest.clear();
        self.authors.clear();
    }
}

impl Era {
    pub(super) fn head(&self) -> Seq {
        Seq(self.messages.len() as u64)
    }

    pub(super) fn at(&self, seq: Seq) -> Option<&Kept> {
        let at = usize::try_from(seq.0.checked_sub(1)?).ok()?;
        self.messages.get(at)
    }

    /// The messages after `after`, in order.
    pub(super) fn after(&self, after: Seq) -> &[Kept] {
        let from = usize::try_from(after.0).unwrap_or(usize::MAX).min(self.messages.len());
        &self.messages[from..]
    }

    /// Notes what a message makes of its key. A removal of which nothing can be remembered, of a key
    /// that may have been known once, cannot be told to readers from before it.
    pub(super) fn note_key(&mut self, message: &Message) {
        let Some(key) = &message.key else {
            return;
        };
        if !message.deleted || self.keys.contains_key(key) {
            self.keys.insert(key.clone(), (message.seq, message.deleted));
        } else if self.keys_floor > Seq(0) {
            self.keys_floor = message.seq;
        }
    }

    /// Forgets the keys that were removed up to `through`.
    pub(super) fn forget_keys(&mut self, through: Seq) {
        self.keys.retain(|_, (seq, removed)| !*removed || *seq > through);
        self.keys_floor = self.keys_floor.max(through);
    }

    /// The value of each key after message `seq`.
    pub(super) fn values_at(&self, seq: Seq) -> BTreeMap<Key, Arc<Message>> {
        let mut values = BTreeMap::new();
        let count = usize::try_from(seq.0).unwrap_or(usize::MAX).min(self.messages.len());
        for Kept { message, .. } in &self.messages[..count] {
            apply(&mut values, message);
        }
        values
    }

    /// A floor that holds at the latest when `seq` is shown.
    pub(super) fn floor_at(&self, seq: Seq) -> Seq {
        self.at(seq).map_or(Seq(1), |kept| kept.floor)
    }
}

/// What a message makes of the values of a keyed channel.
pub(super) fn apply(values: &mut BTreeMap<Key, Arc<Message>>, message: &Arc<Message>) {
    let Some(key) = &message.key else {
        return;
    };
    if message.deleted {
        values.remove(key);
    } else {
        values.insert(key.clone(), Arc::clone(message));
    }
}
