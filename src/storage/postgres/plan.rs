//! What the batches of one transaction do to the tables, decided before any of it is written.
//!
//! The heads that the batches follow were read in the same transaction. A batch is taken whole or not at all: what it
//! does is put down beside the plan and goes in once all of it fits. So the transaction is two trips to the database,
//! however many batches share it: one to read, one to write and commit.

use std::collections::{BTreeMap, HashMap};

use starling_core::channel::Message;
use starling_core::id::{Author, ChannelName, Key, Seq, Serial, SlotId, Term};
use starling_core::slot::{Change, Entry, Origin};
use starling_core::time::WallTime;

use super::row::Failure;
use super::stage::{Stage, Write};
use crate::storage::head::Head;
use crate::storage::{Batch, Fence, Mark};

/// The owner that a slot was claimed by last.
pub(super) struct Claimed {
    pub(super) term: Term,
    pub(super) owner: String,
    pub(super) generation: u64,
}

/// The values of a channel, as far as somebody has to know of them: when they were set, and whether that was a removal.
pub(super) type Known = HashMap<Key, (Seq, bool)>;

/// What the database held when the transaction began, of all that its batches touch.
#[derive(Default)]
pub(super) struct Before {
    pub(super) slots: BTreeMap<SlotId, Claimed>,
    pub(super) heads: HashMap<ChannelName, Head>,
    /// Channels whose heads cannot be read, and what is wrong with them.
    pub(super) damaged: HashMap<ChannelName, &'static str>,
    pub(super) known: HashMap<i64, Known>,
    /// Numbers for the channels that begin.
    pub(super) ids: Vec<i64>,
}

/// See the module.
pub(super) struct Plan<'a> {
    before: Before,
    stages: Vec<Stage<'a>>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(before: Before) -> Self {
        Self {
            before,
            stages: vec![Stage::default()],
        }
    }

    /// Whether rows are left behind that are no longer kept.
    pub(super) fn litters(&self) -> bool {
        self.stages.iter().any(Stage::litters)
    }

    /// What is to be written, in this order.
    pub(super) fn into_stages(self) -> Vec<Stage<'a>> {
        self.stages
    }

    /// Takes a batch, if it fits.
    pub(super) fn batch(&mut self, batch: &'a Batch) -> Result<(), Failure> {
        self.check(&batch.fence)?;
        let channel = &batch.batch.channel;
        let head = self.head(channel)?;
        let mut writing = Writing {
            ids: &self.before.ids,
            known: head
                .as_ref()
                .and_then(|head| self.before.known.get(&head.id).cloned())
                .unwrap_or_default(),
            head,
            batch,
            writes: Vec::with_capacity(batch.batch.entries.len() * 3 + 1),
            begun: 0,
        };
        for entry in &batch.batch.entries {
            writing.change(entry)?;
        }
        let Writing {
            head,
            known,
            mut writes,
            begun,
            ..
        } = writing;
        self.before.ids.drain(..begun);
        match head {
            None => {
                self.before.heads.remove(channel);
            }
            Some(mut head) => {
                writes.push(Write::Save {
                    channel,
                    head: head.clone(),
                });
                if let Some(due) = batch.due.filter(|due| head.due.is_none_or(|known| *due < known)) {
                    head.due = Some(due);
                    writes.push(Write::Due {
                        channel: head.id,
                        due: head.due,
                    });
                }
                self.before.known.insert(head.id, known);
                self.before.heads.insert(channel.clone(), head);
            }
        }
        for write in writes {
            self.add(write);
        }
        Ok(())
    }

    /// Notes what is in no entry. A channel that is gone needs none.
    pub(super) fn mark(&mut self, mark: &'a Mark) -> Result<(), Failure> {
        self.check(&mark.fence)?;
        let channel = &mark.channel;
        let Some(mut head) = self.head(channel)? else {
            return Ok(());
        };
        if mark.used > head.used {
            head.used = mark.used;
            let head = head.clone();
            self.add(Write::Save { channel, head });
        }
        head.due = mark.due;
        self.add(Write::Due {
            channel: head.id,
            due: head.due,
        });
        self.before.heads.insert(channel.clone(), head);
        Ok(())
    }

    /// Refuses whoever is not the owner of the slot (rule R14).
    fn check(&self, fence: &Fence) -> Result<(), Failure> {
        match self.before.slots.get(&fence.slot) {
            Some(Claimed {
                term,
                owner,
                generation,
            }) if *term == fence.term && *owner == *fence.owner && *generation == fence.generation => Ok(()),
            _ => Err(Failure::Fenced),
        }
    }

    fn head(&self, channel: &ChannelName) -> Result<Option<Head>, Failure> {
        match self.before.damaged.get(channel) {
            Some(what) => Err(Failure::Damaged(what)),
            None => Ok(self.before.heads.get(channel).cloned()),
        }
    }

    fn add(&mut self, write: Write<'a>) {
        let last = self.stages.last_mut().expect("there is always one");
        if let Err(write) = last.add(write) {
            let mut next = last.next();
            let added = next.add(*write);
            debug_assert!(added.is_ok(), "an empty stage takes everything");
            self.stages.push(next);
        }
    }
}

/// A batch, as far as it was looked at.
struct Writing<'a, 'b> {
    ids: &'b [i64],
    head: Option<Head>,
    known: Known,
    batch: &'a Batch,
    writes: Vec<Write<'a>>,
    /// Channels that it begins: one, and another for each time that it forgets one.
    begun: usize,
}

impl<'a> Writing<'a, '_> {
    fn change(&mut self, entry: &'a Entry) -> Result<(), Failure> {
        let time = self.batch.time;
        let Some(head) = &mut self.head else {
            let Change::Create { epoch, keyed } = &entry.change else {
                return Err(Failure::Conflict);
            };
            let id = *self.ids.get(self.begun).ok_or(Failure::Conflict)?;
            self.begun += 1;
            self.head = Some(Head::new(id, epoch, *keyed, time));
            self.known.clear();
            self.writes.push(Write::Begin {
                channel: id,
                slot: self.batch.fence.slot,
            });
            return Ok(());
        };
        let channel = head.id;
        match &entry.change {
            Change::Create { .. } => return Err(Failure::Conflict),
            Change::Publish { message, origin, floor } => {
                head.used = time;
                self.publish(message, *floor)?;
                match origin {
                    Origin::Publisher { author, serial, .. } => {
                        let fate = Some((message.seq, message.term));
                        self.result(channel, author, *serial, fate);
                    }
                    Origin::Idempotency { subject, key } => self.writes.push(Write::Request {
                        channel,
                        subject,
                        key,
                        place: (message.seq, message.term),
                        time,
                    }),
                    Origin::Anonymous => {}
                }
            }
            Change::Skip { author, serial } => {
                head.used = time;
                self.result(channel, author, *serial, None);
            }
            Change::Truncate { floor } => self.raise(*floor)?,
            Change::ExpireKeys { through } => {
                head.keys_floor = head.keys_floor.max(*through);
                self.known.retain(|_, (seq, deleted)| !*deleted || *seq > *through);
                let through = *through;
                self.writes.push(Write::ExpireKeys { channel, through });
            }
            Change::ExpirePublishers { authors } => {
                let writes = authors.iter().map(|author| Write::ExpirePublisher { channel, author });
                self.writes.extend(writes);
            }
            Change::ForgetHead => {
                self.writes.push(Write::Forget { channel });
                self.head = None;
            }
        }
        Ok(())
    }

    fn publish(&mut self, message: &'a Message, floor: Seq) -> Result<(), Failure> {
        let head = self.head.as_mut().ok_or(Failure::Conflict)?;
        let channel = head.id;
        if message.seq != head.seq.next() || message.term < head.term || message.key.is_some() != head.keyed {
            return Err(Failure::Conflict);
        }
        if message.term > head.term {
            self.writes.push(Write::Term {
                channel,
                first: message.seq,
                term: message.term,
            });
        }
        (head.seq, head.term) = (message.seq, message.term);
        if floor <= message.seq {
            self.writes.push(Write::Message { channel, message });
        }
        self.raise(floor)?;
        match &message.key {
            Some(key) => self.value(key, message),
            None => Ok(()),
        }
    }

    /// Moves the floor of the messages that are kept.
    fn raise(&mut self, floor: Seq) -> Result<(), Failure> {
        let head = self.head.as_mut().ok_or(Failure::Conflict)?;
        if floor < head.floor {
            return Err(Failure::Conflict);
        }
        let from = std::mem::replace(&mut head.floor, floor);
        if from < floor {
            let channel = head.id;
            self.writes.push(Write::Raise {
                channel,
                from,
                to: floor,
            });
        }
        Ok(())
    }

    /// Sets or removes a value, as [`starling_core::channel::keys`] does.
    fn value(&mut self, key: &'a Key, message: &'a Message) -> Result<(), Failure> {
        let head = self.head.as_mut().ok_or(Failure::Conflict)?;
        if message.deleted && !self.known.contains_key(key) {
            if head.keys_floor > Seq(0) {
                head.keys_floor = message.seq;
            }
            return Ok(());
        }
        self.known.insert(key.clone(), (message.seq, message.deleted));
        let channel = head.id;
        self.writes.push(Write::Value { channel, key, message });
        Ok(())
    }

    fn result(&mut self, channel: i64, author: &'a Author, serial: Serial, fate: Option<(Seq, Term)>) {
        let time: WallTime = self.batch.time;
        self.writes.push(Write::Result {
            channel,
            author,
            serial,
            fate,
            time,
        });
    }
}
