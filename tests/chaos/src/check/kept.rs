//! What was acknowledged is there in the end, and every node tells the same.

use std::collections::BTreeSet;

use crate::history::{Event, Record};

use super::place::Places;
use super::{Rule, Scene, Verdict};

pub(super) fn check<'a>(records: &'a [Record], scene: &Scene<'a>, places: &Places<'a>, verdict: &mut Verdict) {
    let end = records.last().map_or(0, |record| record.t);
    let mut unread: BTreeSet<&str> = BTreeSet::new();
    for Record { t, event } in records {
        match event {
            Event::Ok {
                channel,
                value,
                epoch,
                seq,
                ..
            } => {
                let Some(last) = scene.ends.get(channel.as_str()) else {
                    // Without its history nobody can say that it was kept.
                    if unread.insert(channel) {
                        verdict.broke(Rule::Lost, || {
                            format!("the history of {channel} could not be read in the end")
                        });
                    }
                    continue;
                };
                if last.epoch != epoch {
                    verdict.ensure(scene.is_lost_between(*t, end), Rule::Lost, || {
                        format!(
                            "{value} was acknowledged at {channel} {epoch}:{seq}, and the epoch is {} now",
                            last.epoch
                        )
                    });
                    continue;
                }
                match last.messages.get(seq) {
                    Some(there) if there == value => {}
                    _ if last.messages.values().any(|there| there == value) => verdict.broke(Rule::Misplaced, || {
                        format!("{value} was acknowledged at {channel} {epoch}:{seq} and stands elsewhere")
                    }),
                    _ => verdict.broke(Rule::Lost, || {
                        format!("{value} was acknowledged at {channel} {epoch}:{seq} and is gone")
                    }),
                }
            }
            Event::History {
                node,
                channel,
                epoch,
                head,
                messages,
            } => {
                let Some(first) = scene.ends.get(channel.as_str()) else {
                    continue;
                };
                let same = messages.iter().map(|(seq, value)| (*seq, value.as_str()));
                let same = same.eq(first.messages.iter().map(|(seq, value)| (*seq, *value)));
                verdict.ensure(
                    same && epoch == first.epoch && *head == first.head,
                    Rule::History,
                    || {
                        let (other, of) = (first.node, first.epoch);
                        format!(
                            "{channel} is {epoch}:{head} with {} messages at {node}, and {of}:{} with {} at {other}",
                            messages.len(),
                            first.head,
                            first.messages.len()
                        )
                    },
                );
            }
            _ => {}
        }
    }
    for (channel, last) in &scene.ends {
        let missing = (1..=last.head).find(|seq| !last.messages.contains_key(seq));
        verdict.ensure(missing.is_none(), Rule::History, || {
            let seq = missing.unwrap_or_default();
            match places.at((channel, last.epoch), seq) {
                Some(value) => format!("{channel} {}:{seq} was {value}, and is not in the history", last.epoch),
                None => format!("{channel} {}:{seq} is not in the history", last.epoch),
            }
        });
    }
}
