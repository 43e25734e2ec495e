//! What publishers may be told.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Checker, Rule, Sight, Verdict, ensure};
use crate::channel::{Ack, Durability, Message, Refusal};
use crate::id::{Author, ChannelName, Epoch, Key, Serial};
use crate::sim::fact::{Asked, Op, Outcome, op_of};
use crate::sim::plan::ClientId;
use crate::time::Now;

/// How old the first attempt may be of a publish whose publisher is not known (R10).
const FIRST_ATTEMPT_AGE_MAX: Duration = Duration::from_secs(300);

/// How long a publisher is remembered at least (R10).
const PUBLISHER_AGE: Duration = Duration::from_secs(600);

/// Results that are kept per publisher (R11).
const RESULTS: u64 = 64;

/// Every publish of the run.
#[derive(Debug, Default)]
pub(super) struct Ops {
    ops: BTreeMap<Op, Attempt>,
    by_serial: BTreeMap<(ClientId, ChannelName, Serial), Op>,
}

/// One publish.
#[derive(Debug)]
pub(super) struct Attempt {
    client: ClientId,
    channel: ChannelName,
    key: Option<Key>,
    deleted: bool,
    pub(super) invoked: Instant,
    /// When the application learnt that it was published, and in which history.
    pub(super) published: Option<(Instant, Epoch)>,
    pub(super) settled: bool,
}

impl Ops {
    pub(super) fn get(&self, op: Op) -> Option<&Attempt> {
        self.ops.get(&op)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (Op, &Attempt)> {
        self.ops.iter().map(|(op, attempt)| (*op, attempt))
    }

    /// The publish that a serial was first used for.
    pub(super) fn of_serial(&self, author: &Author, channel: &ChannelName, serial: Serial) -> Option<Op> {
        let client = ClientId::from(author.publisher.0[0]);
        self.by_serial.get(&(client, channel.clone(), serial)).copied()
    }

    /// Who published.
    pub(super) fn client(&self, op: Op) -> ClientId {
        self.ops.get(&op).map_or(ClientId::MAX, |attempt| attempt.client)
    }

    pub(super) fn numbered(&mut self, op: Op, serial: Serial) -> Verdict {
        let Some(attempt) = self.ops.get(&op) else {
            return ensure(false, Rule::Phantom, || format!("{op} was sent and never published"));
        };
        let key = (attempt.client, attempt.channel.clone(), serial);
        let earlier = self.by_serial.insert(key, op);
        ensure(earlier.is_none(), Rule::Serials, || {
            format!("{op} took serial {serial}, which was taken")
        })
    }

    /// Whether `message` is what was published as `op`.
    pub(super) fn is_attempt(&self, op: Op, channel: &ChannelName, message: &Message) -> Verdict {
        let same = self.ops.get(&op).is_some_and(|attempt| {
            attempt.channel == *channel && attempt.key == message.key && attempt.deleted == message.deleted
        });
        ensure(same, Rule::Phantom, || {
            format!("{channel} holds {op}, which nobody published there")
        })
    }
}

impl Checker {
    pub(super) fn invoked(
        &mut self,
        op: Op,
        client: ClientId,
        channel: &ChannelName,
        key: Option<&Key>,
        deleted: bool,
        now: Instant,
    ) -> Verdict {
        let attempt = Attempt {
            client,
            channel: channel.clone(),
            key: key.cloned(),
            deleted,
            invoked: now,
            published: None,
            settled: false,
        };
        self.tally.publishes += 1;
        let known = self.ops.ops.insert(op, attempt).is_some();
        ensure(!known, Rule::Phantom, || {
            format!("{op} was published twice by its application")
        })
    }

    /// A channel answers: only with what is in its log.
    pub(super) fn acked(&mut self, asked: &Asked, ack: &Ack) -> Verdict {
        let Asked {
            client,
            channel,
            serial,
            skip,
            ..
        } = asked;
        let op = self.ops.by_serial.get(&(*client, channel.clone(), *serial)).copied();
        let logged = self.setup.namespace(channel).channel.durability != Durability::Ephemeral;
        if ack.duplicate && !skip {
            self.saw(Sight::DedupHit);
        }
        let truth = self.truth.of(channel);
        let Some(position) = &ack.position else {
            let retired = op.is_none_or(|op| truth.retired.contains(&op)) || !logged;
            return ensure(retired && *skip, Rule::Acknowledged, || {
                format!("serial {serial} of client {client} on {channel} was called retired and is not")
            });
        };
        let kept = truth.at(&position.epoch, position.seq);
        let held = kept.is_some_and(|kept| {
            let same = kept.op.or_else(|| op_of(&kept.message));
            kept.message.term == position.term && (same.is_none() || same == op)
        });
        ensure(
            held && truth.current.as_ref() == Some(&position.epoch),
            Rule::Acknowledged,
            || {
                format!(
                    "serial {serial} of client {client} was acknowledged at {position} of {channel}, which does not hold it"
                )
            },
        )?;
        if *skip {
            self.saw(Sight::PublishedAfterAll);
        }
        Ok(())
    }

    /// A channel refuses: with the truth about the serial, if that is what it speaks of.
    pub(super) fn refused(&mut self, asked: &Asked, refusal: &Refusal, now: Now) -> Verdict {
        let Asked {
            client,
            channel,
            serial,
            since,
            ..
        } = asked;
        match refusal {
            Refusal::SerialGap { expected } => {
                self.saw(Sight::SerialGap);
                ensure(expected < serial, Rule::Serials, || {
                    format!("client {client} was told that {expected} comes before {serial} on {channel}")
                })
            }
            Refusal::OutcomeUnknown => {
                self.saw(Sight::OutcomeUnknown);
                if self.setup.namespace(channel).channel.durability == Durability::Ephemeral {
                    return Ok(()); // who is known to it is in no log
                }
                let author = self.setup.author(*client);
                let known = self.truth.of(channel).authors.get(&author);
                let known = known.filter(|known| now.instant < known.used + PUBLISHER_AGE);
                let may = match known {
                    Some(known) => *serial < known.first || serial.0 + RESULTS <= known.highest.0,
                    None => since.distance(now.wall) > FIRST_ATTEMPT_AGE_MAX,
                };
                ensure(may, Rule::Serials, || {
                    format!("the outcome of serial {serial} of client {client} on {channel} is known and was not told")
                })
            }
            Refusal::Quarantined => {
                self.saw(Sight::Quarantined);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The application learns what became of its publish.
    pub(super) fn settled(&mut self, op: Op, outcome: &Outcome, now: Instant) -> Verdict {
        let Some(attempt) = self.ops.ops.get_mut(&op) else {
            return ensure(false, Rule::Phantom, || format!("{op} was settled and never published"));
        };
        let again = std::mem::replace(&mut attempt.settled, true);
        ensure(!again, Rule::Serials, || format!("{op} was settled twice"))?;
        let truth = self.truth.of(&attempt.channel);
        match outcome {
            Outcome::Published(position) => {
                self.tally.acks += 1;
                attempt.published = Some((now, position.epoch.clone()));
                let kept = truth.at(&position.epoch, position.seq);
                let held = kept.is_some_and(|kept| kept.op.is_none_or(|other| other == op));
                ensure(held, Rule::Acknowledged, || {
                    format!("{op} is not at {position}, where its client was told")
                })
            }
            Outcome::Failed => {
                // An owner that lost what it knew can only speak for what it holds now.
                let published = truth.published.contains_key(&op) && !truth.lost;
                // Nor may it come later.
                truth.retired.insert(op);
                ensure(!published, Rule::Once, || {
                    format!("{op} was published, and its client was told that it never will be")
                })
            }
            Outcome::Unknown => Ok(()),
        }
    }
}
