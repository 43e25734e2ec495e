//! After a fault is healed everything works again, and soon.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::history::{Event, Record};

use super::{Rule, Scene, Verdict};

/// How long after the nodes are left alone each channel must acknowledge a publish: a node starts, catches up, and
/// clients that were told to wait are back.
pub(super) const WORKS_WITHIN: Duration = Duration::from_secs(15);

pub(super) fn check<'a>(records: &'a [Record], scene: &Scene<'a>, verdict: &mut Verdict) {
    // From its healing on: who has not acknowledged anything since.
    let mut open: BTreeMap<u32, (u64, Vec<&str>)> = BTreeMap::new();
    let within = u64::try_from(WORKS_WITHIN.as_nanos()).unwrap_or(u64::MAX);
    let mut faults: BTreeMap<u32, bool> = BTreeMap::new();
    for Record { t, event } in records {
        match event {
            Event::Fault { number, .. } => _ = faults.insert(*number, false),
            Event::Healed { number } => {
                open.insert(*number, (*t, scene.channels.iter().map(String::as_str).collect()));
            }
            Event::Ready { number } => _ = faults.insert(*number, true),
            Event::Ok { channel, .. } => {
                for (healed, waiting) in open.values_mut() {
                    if t.saturating_sub(*healed) <= within {
                        waiting.retain(|waits| waits != channel);
                    }
                }
            }
            Event::Trouble { what } => verdict.broke(Rule::Liveness, || what.clone()),
            Event::Ended { client, channel, error } => verdict.broke(Rule::Liveness, || {
                format!("the subscription of {client} to {channel} ended: {error}")
            }),
            _ => {}
        }
    }
    for (number, (_, waiting)) in open {
        verdict.ensure(waiting.is_empty(), Rule::Liveness, || {
            format!(
                "{} s after fault {number} was over, nothing was acknowledged in {}",
                WORKS_WITHIN.as_secs(),
                waiting.join(", ")
            )
        });
    }
    for (number, is_ready) in faults {
        verdict.ensure(is_ready, Rule::Liveness, || {
            format!("after fault {number} some node was never ready again")
        });
    }
}
