//! What each reader was given, one after the other.

use std::collections::BTreeMap;

use crate::history::{Event, Record};

use super::{Rule, Scene, Verdict};

/// Where a reader is.
#[derive(Clone, Copy)]
struct Place<'a> {
    epoch: &'a str,
    seq: u64,
    /// When it came to this epoch.
    since: u64,
}

pub(super) fn check<'a>(records: &'a [Record], scene: &Scene<'a>, verdict: &mut Verdict) {
    let mut readers: BTreeMap<(&str, &str), Place<'_>> = BTreeMap::new();
    for Record { t, event } in records {
        match event {
            Event::Attached {
                client,
                channel,
                outcome,
                epoch,
                seq,
                ..
            } => {
                let reader = (client.as_str(), channel.as_str());
                let here = Place {
                    epoch,
                    seq: *seq,
                    since: *t,
                };
                // What follows a discontinuity says where to go on; here it is only announced.
                match readers.get(&reader) {
                    None => _ = readers.insert(reader, here),
                    Some(_) if outcome == "discontinuity" => {}
                    Some(place) => verdict.ensure(
                        outcome == "resumed" && place.epoch == epoch && place.seq == *seq,
                        Rule::SilentGap,
                        || {
                            let Place { epoch: of, seq: at, .. } = place;
                            format!("{client} was at {channel} {of}:{at} and is {outcome} at {epoch}:{seq}")
                        },
                    ),
                }
            }
            Event::Message {
                client,
                channel,
                epoch,
                seq,
                ..
            } => {
                let Some(place) = readers.get_mut(&(client.as_str(), channel.as_str())) else {
                    verdict.broke(Rule::SilentGap, || {
                        format!("{client} was given {channel} {epoch}:{seq} before it was attached")
                    });
                    continue;
                };
                let Place { epoch: of, seq: at, .. } = *place;
                if of != epoch {
                    verdict.broke(Rule::SilentGap, || {
                        format!("{client} was at {channel} {of}:{at} and is given {epoch}:{seq}")
                    });
                } else if *seq == at {
                    verdict.broke(Rule::Duplicated, || {
                        format!("{client} was given {channel} {epoch}:{seq} twice")
                    });
                } else if *seq < at {
                    verdict.broke(Rule::Reordered, || {
                        format!("{client} was given {channel} {epoch}:{seq} after {at}")
                    });
                } else if *seq > at + 1 {
                    verdict.broke(Rule::SilentGap, || {
                        format!("{client} was given {channel} {epoch}:{seq} after {at}, and nothing between")
                    });
                }
                *place = Place {
                    epoch,
                    seq: *seq,
                    since: if of == epoch { place.since } else { *t },
                };
            }
            Event::Skipped { client, channel, to } => {
                if let Some(place) = readers.get_mut(&(client.as_str(), channel.as_str())) {
                    place.seq = *to;
                }
            }
            Event::Discontinuity {
                client,
                channel,
                reason,
                epoch,
                seq,
            } => {
                let reader = (client.as_str(), channel.as_str());
                let since = readers.get(&reader).map_or(0, |place| place.since);
                verdict.ensure(scene.is_lost_between(since, *t), Rule::Discontinuity, || {
                    format!(
                        "{client} is told {reason} in {channel}, and no history was lost; it goes on at {epoch}:{seq}"
                    )
                });
                let place = Place {
                    epoch,
                    seq: *seq,
                    since: *t,
                };
                readers.insert(reader, place);
            }
            _ => {}
        }
    }
    let is_open = |reader: &(&str, &str)| !scene.ended.contains(reader);
    for ((client, channel), place) in readers.iter().filter(|(reader, _)| is_open(reader)) {
        let Some(end) = scene.ends.get(channel) else {
            continue;
        };
        verdict.ensure(
            place.epoch == end.epoch && place.seq == end.head,
            Rule::SilentGap,
            || {
                let Place { epoch, seq, .. } = place;
                let (of, head) = (end.epoch, end.head);
                format!("{client} stands at {channel} {epoch}:{seq} in the end, and was told nothing of {of}:{head}")
            },
        );
    }
}
