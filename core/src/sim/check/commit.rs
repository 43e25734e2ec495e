//! What a slot may commit, and what an ephemeral channel may give out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::truth::{Channel, Era, Kept};
use super::{Checker, Rule, Sight, Verdict, Violation, ensure};
use crate::channel::spilled::CHUNK_MESSAGES;
use crate::channel::{Durability, Message, Window};
use crate::id::{Author, ChannelName, Epoch, Seq, Serial};
use crate::sim::fact::{Op, op_of};
use crate::slot::{Change, Entry, Origin};

/// How far the instants of a channel and its slot may lie apart: a turn or two.
pub(super) const SLACK: Duration = Duration::from_secs(2);

/// How long a publisher is remembered at least (R10).
const PUBLISHER_AGE: Duration = Duration::from_secs(600);

impl Checker {
    pub(super) fn committed(&mut self, entry: &Entry, now: Instant) -> Verdict {
        let Entry { channel, change, .. } = entry;
        match change {
            Change::Create { epoch, .. } => self.created(channel, epoch),
            Change::Publish { message, origin, floor } => {
                let origin = match origin {
                    Origin::Publisher { author, serial, .. } => Some((author, *serial)),
                    Origin::Idempotency { .. } | Origin::Anonymous => None,
                };
                self.append(channel, message, origin, *floor, now)
            }
            Change::Skip { author, serial } => self.skipped(channel, author, *serial, now),
            Change::Truncate { floor } => {
                self.saw(Sight::TruncatedByAge);
                self.cut(channel, *floor, now)
            }
            Change::ExpireKeys { through } => {
                self.saw(Sight::KeysExpired);
                let era = present(self.truth.of(channel), channel)?;
                era.forget_keys(*through);
                ensure(*through <= era.head(), Rule::Acknowledged, || {
                    format!("{channel} forgot keys past its head")
                })
            }
            Change::ExpirePublishers { authors } => {
                self.saw(Sight::PublishersExpired);
                let truth = self.truth.of(channel);
                for author in authors.iter() {
                    let known = truth.authors.remove(author);
                    let early = known.is_some_and(|known| now + SLACK < known.used + PUBLISHER_AGE);
                    ensure(!early, Rule::Serials, || {
                        format!("{channel} forgot a publisher before its time")
                    })?;
                }
                Ok(())
            }
            Change::ForgetHead => self.forgot(channel, now),
        }
    }

    /// A channel begins a history, which it may only if it has none.
    fn created(&mut self, channel: &ChannelName, epoch: &Epoch) -> Verdict {
        let truth = self.truth.of(channel);
        if let Some(current) = &truth.current {
            return broken(
                Rule::Epoch,
                format!("{channel} began {epoch} though {current} was neither lost nor forgotten"),
            );
        }
        let known = truth.eras.contains_key(epoch);
        self.truth.begin(channel, epoch);
        ensure(!known, Rule::Epoch, || format!("{channel} began {epoch} again"))
    }

    fn forgot(&mut self, channel: &ChannelName, now: Instant) -> Verdict {
        self.saw(Sight::HeadForgotten);
        let age = self.setup.namespace(channel).channel.head_age;
        let truth = self.truth.of(channel);
        let early = truth.used.is_some_and(|used| now + SLACK < used + age);
        truth.current = None;
        truth.shown = Seq(0);
        // Whatever its publishers sent is too old to be taken for new by now.
        truth.authors.clear();
        ensure(!early, Rule::Epoch, || {
            format!("{channel} was forgotten before its time")
        })
    }

    /// Adopts the history of an ephemeral channel, which is in no log.
    pub(super) fn adopt(&mut self, channel: &ChannelName, epoch: &Epoch) -> Verdict {
        let config = &self.setup.namespace(channel).channel;
        let truth = self.truth.of(channel);
        if config.durability != Durability::Ephemeral || truth.current.as_ref() == Some(epoch) {
            return Ok(());
        }
        let may = truth.current.is_none() || truth.lost;
        let known = truth.eras.contains_key(epoch);
        truth.forget();
        self.truth.begin(channel, epoch);
        ensure(may && !known, Rule::Epoch, || {
            format!("{channel} began {epoch} though nothing was lost")
        })
    }

    /// A message is appended to the present history.
    pub(super) fn append(
        &mut self,
        channel: &ChannelName,
        message: &Arc<Message>,
        origin: Option<(&Author, Serial)>,
        floor: Seq,
        now: Instant,
    ) -> Verdict {
        let serial = origin.and_then(|(author, serial)| self.ops.of_serial(author, channel, serial));
        let op = op_of(message).or(serial);
        if let Some(op) = op {
            self.ops.is_attempt(op, channel, message)?;
            self.once(channel, op, message.seq)?;
        }
        let config = &self.setup.namespace(channel).channel;
        let (window, stored) = (config.window, config.durability == Durability::Stored);
        let truth = self.truth.of(channel);
        (truth.used, truth.changed) = (Some(now), Some(now));
        if let Some((author, serial)) = origin {
            truth.record(author, serial, now);
        }
        let era = present(truth, channel)?;
        let (found, next) = (message.seq, era.head().next());
        ensure(found == next, Rule::ReaderOrder, || {
            format!("{channel} committed {found} where {next} is next")
        })?;
        era.note_key(message);
        era.messages.push(Kept {
            message: Arc::clone(message),
            op,
            at: now,
            floor,
        });
        self.cut(channel, floor, now)?;
        let era = present(self.truth.of(channel), channel)?;
        let kept = era.after(floor.previous());
        // By bytes a store keeps up to a chunk too much.
        let slack = if stored { CHUNK_MESSAGES as usize } else { 0 };
        let counted = kept.iter().skip(slack);
        let bytes: u64 = counted.map(|kept| kept.message.weight()).sum();
        let fits = kept.len() as u64 <= u64::from(window.messages) && bytes <= window.bytes;
        ensure(fits || kept.is_empty(), Rule::Bounds, || {
            format!("{channel} keeps more than its window")
        })
    }

    /// No publish appears twice, after it was given up, or before one that its client sent earlier.
    fn once(&mut self, channel: &ChannelName, op: Op, seq: Seq) -> Verdict {
        let client = self.ops.client(op);
        let truth = self.truth.of(channel);
        if let Some(earlier) = truth.published.insert(op, seq) {
            return broken(
                Rule::Once,
                format!("{op} was published on {channel} as {earlier} and as {seq}"),
            );
        }
        if truth.retired.contains(&op) {
            return broken(
                Rule::Once,
                format!("{op} was published on {channel} as {seq} after its serial was retired"),
            );
        }
        let latest = truth.latest.insert(client, op);
        ensure(latest.is_none_or(|latest| latest < op), Rule::PublisherOrder, || {
            format!(
                "{op} of client {client} came to {channel} after its {}",
                latest.unwrap_or(op)
            )
        })
    }

    fn skipped(&mut self, channel: &ChannelName, author: &Author, serial: Serial, now: Instant) -> Verdict {
        self.saw(Sight::SerialSkipped);
        let op = self.ops.of_serial(author, channel, serial);
        let truth = self.truth.of(channel);
        truth.record(author, serial, now);
        let Some(op) = op else {
            return Ok(()); // a serial that no message was ever sent under
        };
        truth.retired.insert(op);
        let published = truth.published.contains_key(&op);
        ensure(!published, Rule::Once, || {
            format!("{op} was retired on {channel} though it was published")
        })
    }

    /// History is cut at `floor`: no more of it than the window asks for.
    fn cut(&mut self, channel: &ChannelName, floor: Seq, now: Instant) -> Verdict {
        let window = self.setup.namespace(channel).channel.window;
        let era = present(self.truth.of(channel), channel)?;
        let before = std::mem::replace(&mut era.floor, floor);
        ensure(
            before <= floor && floor <= era.head().next(),
            Rule::Acknowledged,
            || format!("{channel} moved the floor of its history from {before} to {floor}"),
        )?;
        let asked = before == floor || must_go(era, floor.previous(), &window, now);
        ensure(asked, Rule::Acknowledged, || {
            format!("{channel} dropped {} before its time", floor.previous())
        })
    }
}

/// Whether the message at `seq`, and so all before it, no longer fits the window.
fn must_go(era: &Era, seq: Seq, window: &Window, now: Instant) -> bool {
    let kept = era.after(seq.previous());
    let Some(oldest) = kept.first() else {
        return false;
    };
    let bytes: u64 = kept.iter().map(|kept| kept.message.weight()).sum();
    let fits = kept.len() as u64 <= u64::from(window.messages) && bytes <= window.bytes;
    !fits || now + SLACK >= oldest.at + window.age
}

/// The present history of a channel that is about to change.
fn present<'a>(truth: &'a mut Channel, channel: &ChannelName) -> Result<&'a mut Era, Violation> {
    truth.era_mut().ok_or_else(|| Violation {
        rule: Rule::Epoch,
        text: format!("{channel} changed though it does not exist"),
    })
}

fn broken(rule: Rule, text: String) -> Verdict {
    Err(Violation { rule, text })
}
