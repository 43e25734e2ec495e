//! Where each message stands, by whatever anybody was told of it.

use std::collections::BTreeMap;

use crate::history::{Event, Record};

use super::{Rule, Scene, Verdict};

/// A channel's epoch.
type History<'a> = (&'a str, &'a str);

/// What is known of the places of messages.
#[derive(Default)]
pub(super) struct Places<'a> {
    /// The message and the term of each position that anybody was told of.
    messages: BTreeMap<(History<'a>, u64), (&'a str, u64)>,
    /// Where each publish stands.
    published: BTreeMap<(History<'a>, &'a str), u64>,
    /// The epochs in which each publish stands.
    epochs: BTreeMap<(&'a str, &'a str), Vec<&'a str>>,
}

impl<'a> Places<'a> {
    /// The message that somebody was told stands there.
    pub(super) fn at(&self, history: History<'a>, seq: u64) -> Option<&'a str> {
        self.messages.get(&(history, seq)).map(|(value, _)| *value)
    }

    /// Somebody was told that a message stands here.
    fn put(&mut self, history: History<'a>, seq: u64, term: u64, value: &'a str, verdict: &mut Verdict) {
        let (channel, epoch) = history;
        let (known, known_term) = self.messages.entry((history, seq)).or_insert((value, term));
        verdict.ensure(*known == value, Rule::Forked, || {
            format!("{channel} {epoch}:{seq} is {known} and {value}")
        });
        // HTTP tells no terms.
        if *known_term == 0 {
            *known_term = term;
        }
        verdict.ensure(term == 0 || *known_term == term, Rule::Fencing, || {
            format!("{channel} {epoch}:{seq} was written under term {known_term} and term {term}")
        });
        let stands = *self.published.entry((history, value)).or_insert(seq);
        verdict.ensure(stands == seq, Rule::Duplicated, || {
            format!("{value} stands in {channel} {epoch} at {stands} and at {seq}")
        });
        let epochs = self.epochs.entry((channel, value)).or_default();
        if !epochs.contains(&epoch) {
            epochs.push(epoch);
        }
    }
}

/// A publish that was begun.
struct Attempt<'a> {
    t: u64,
    /// The highest seq of each epoch that had been acknowledged by then.
    after: Vec<(&'a str, u64)>,
}

/// Checks where everything stands.
pub(super) fn check<'a>(records: &'a [Record], scene: &Scene<'a>, verdict: &mut Verdict) -> Places<'a> {
    let mut places = Places::default();
    let mut attempts: BTreeMap<(&str, &str), Attempt<'_>> = BTreeMap::new();
    let mut refused: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let mut acked_up_to: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut owners: BTreeMap<(u16, u64), &str> = BTreeMap::new();
    for Record { t, event } in records {
        match event {
            Event::Invoke { channel, value, .. } => {
                let after = acked_up_to.get(channel.as_str()).into_iter().flatten();
                let after = after.map(|(epoch, seq)| (*epoch, *seq)).collect();
                attempts.insert((channel, value), Attempt { t: *t, after });
            }
            Event::Fail {
                channel,
                value,
                error,
                may_stand: false,
                ..
            } => _ = refused.insert((channel, value), error),
            Event::Ok {
                channel,
                value,
                epoch,
                seq,
                term,
                copies,
                ..
            } => {
                verdict.ensure(*copies >= scene.copies_min, Rule::Copies, || {
                    let min = scene.copies_min;
                    format!("{value} in {channel} was acknowledged with {copies} copies, and {min} are promised")
                });
                places.put((channel, epoch), *seq, *term, value, verdict);
                let up_to = acked_up_to.entry(channel).or_default().entry(epoch).or_default();
                *up_to = (*up_to).max(*seq);
            }
            Event::Message {
                channel,
                epoch,
                seq,
                term,
                value,
                ..
            } => {
                verdict.ensure(
                    attempts.contains_key(&(channel.as_str(), value.as_str())),
                    Rule::Phantom,
                    || format!("{channel} {epoch}:{seq} is {value}, which nobody had published by then"),
                );
                places.put((channel, epoch), *seq, *term, value, verdict);
            }
            Event::History {
                channel,
                epoch,
                messages,
                ..
            } => {
                for (seq, value) in messages {
                    verdict.ensure(
                        attempts.contains_key(&(channel.as_str(), value.as_str())),
                        Rule::Phantom,
                        || format!("{channel} {epoch}:{seq} is {value}, which nobody published"),
                    );
                    places.put((channel, epoch), *seq, 0, value, verdict);
                }
            }
            Event::Owner { slot, term, owner } => {
                let known = *owners.entry((*slot, *term)).or_insert(owner);
                verdict.ensure(known == owner, Rule::Fencing, || {
                    format!("slot {slot} has the owners {known} and {owner} under term {term}")
                });
            }
            _ => {}
        }
    }
    check_refused(&places, &refused, verdict);
    check_epochs(&places, &attempts, scene, verdict);
    check_order(&places, &attempts, verdict);
    places
}

/// What was refused for good is nowhere.
fn check_refused(places: &Places<'_>, refused: &BTreeMap<(&str, &str), &str>, verdict: &mut Verdict) {
    for ((channel, value), epochs) in &places.epochs {
        if let Some(error) = refused.get(&(*channel, *value)) {
            let epoch = epochs[0];
            verdict.broke(Rule::Phantom, || {
                format!("{value} stands in {channel} {epoch}, and its publisher was told: {error}")
            });
        }
    }
}

/// A publish stands in two epochs only if the first was lost before its publisher could be told.
fn check_epochs(
    places: &Places<'_>,
    attempts: &BTreeMap<(&str, &str), Attempt<'_>>,
    scene: &Scene<'_>,
    verdict: &mut Verdict,
) {
    for ((channel, value), epochs) in &places.epochs {
        let begun = attempts.get(&(*channel, *value)).map_or(0, |attempt| attempt.t);
        let is_excused = epochs.len() == 1 || scene.is_lost_between(begun, u64::MAX);
        verdict.ensure(is_excused, Rule::Duplicated, || {
            format!("{value} stands in {channel} in the epochs {}", epochs.join(" and "))
        });
    }
}

/// In each history: publishers' numbers rise, terms do not fall, and what was begun after an acknowledgement stands
/// after it.
fn check_order(places: &Places<'_>, attempts: &BTreeMap<(&str, &str), Attempt<'_>>, verdict: &mut Verdict) {
    let mut last: BTreeMap<(History<'_>, &str), (u64, u64)> = BTreeMap::new();
    let mut terms: BTreeMap<History<'_>, u64> = BTreeMap::new();
    for ((history, seq), (value, term)) in &places.messages {
        let (channel, epoch) = history;
        if let Some((publisher, number)) = split(value) {
            let before = last.insert((*history, publisher), (number, *seq));
            verdict.ensure(
                before.is_none_or(|(before, _)| before <= number),
                Rule::Reordered,
                || {
                    let (before, at) = before.unwrap_or_default();
                    format!("{publisher}/{before} stands in {channel} {epoch} at {at}, before {value} at {seq}")
                },
            );
        }
        if *term > 0 {
            let before = terms.insert(*history, *term).unwrap_or(0);
            verdict.ensure(before <= *term, Rule::Fencing, || {
                format!("{channel} {epoch}:{seq} was written under term {term}, after one of term {before}")
            });
        }
        let after = attempts
            .get(&(*channel, *value))
            .map(|attempt| attempt.after.as_slice());
        for (of, acked) in after.unwrap_or_default() {
            verdict.ensure(of != epoch || acked < seq, Rule::Reordered, || {
                format!("{value} stands in {channel} {epoch} at {seq}, and {acked} was acknowledged before it began")
            });
        }
    }
}

/// Publisher and number of a publish.
fn split(value: &str) -> Option<(&str, u64)> {
    let (publisher, number) = value.split_once('/')?;
    Some((publisher, number.parse().ok()?))
}
