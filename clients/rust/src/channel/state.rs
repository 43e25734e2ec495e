//! The state of a keyed channel, as it comes in parts.
//!
//! Parts are handed on as they come, because a state may be larger than any queue: the page credit that each uses
//! keeps the server from sending the next before the application took the last. The place moves only with the final
//! part. Once a state that replaces everything is under way, a reconnect goes on from before the first message: the
//! application has forgotten its keys by then, and has to get all of them.

use starling_protocol::v1;

use super::deliver::message_bytes;
use super::flow::Flow;
use super::room::Cost;
use super::{Channel, Place, before_all};
use crate::credit::Credit;
use crate::session::{Turn, Violation};
use crate::{Event, KeyedState, Position};

impl Channel {
    pub(crate) fn snapshot(
        &mut self,
        frame: v1::Snapshot,
        credit: Credit,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let Some(place) = self.flowing() else {
            turn.common.credit.give_back(credit);
            return Ok(());
        };
        let Some(at) = frame.at.map(Position::from_wire) else {
            return Err(Violation("a snapshot without a position"));
        };
        let replace = frame.replace;
        let first = match self.flow() {
            Some(Flow::State {
                at: began_at,
                replace: began,
            }) if (began_at, *began) == (&at, replace) => false,
            Some(Flow::State { .. }) => return Err(Violation("parts of two snapshots, mixed")),
            // What the Pull asks for will come whole.
            Some(Flow::Behind) => {
                turn.common.credit.give_back(credit);
                return Ok(());
            }
            Some(Flow::Live | Flow::Pulling) | None => true,
        };
        if (at.epoch != place.epoch && !replace) || (at.epoch == place.epoch && at.seq < place.seq) {
            return Err(Violation("a snapshot of a time before the reader's position"));
        }
        if frame.last {
            self.place = Place::At(at.clone());
            self.incomplete = None;
            self.flow_on(Flow::Live);
        } else {
            if replace {
                self.incomplete = Some(before_all(&at));
            } else if self.incomplete.is_none() {
                self.incomplete = Some(place);
            }
            self.flow_on(Flow::State {
                at: at.clone(),
                replace,
            });
        }

        let entries: Vec<_> = frame
            .entries
            .into_iter()
            .map(|entry| {
                let v1::SnapshotEntry {
                    key,
                    seq,
                    time_ms,
                    deleted,
                    payload,
                } = entry;
                self.message(
                    &at.epoch,
                    v1::PageEntry {
                        seq,
                        term: 0,
                        time_ms,
                        key,
                        deleted,
                        payload,
                    },
                    true,
                )
            })
            .collect();
        turn.common.stats.messages += entries.len() as u64;
        let cost = Cost {
            bytes: entries.iter().map(message_bytes).sum(),
            credit,
        };
        let state = KeyedState {
            replace,
            first,
            last: frame.last,
            at,
            entries,
        };
        self.deliver_at(Event::KeyedState(state), cost, turn);
        Ok(())
    }
}
