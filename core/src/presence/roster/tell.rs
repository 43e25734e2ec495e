//! What an owner tells those who watch: a channel as it is, and then, once a tick, the newest of each client.
//!
//! With each it says of whom it is not sure. Ephemeral state is passed on at once, and kept nowhere.

use std::sync::Arc;
use std::time::Instant;

use super::channel::Channel;
use super::feed::{pages, send};
use super::merge::{Holding, Owning, Slot};
use super::{Effect, Roster, Standing};
use crate::id::{ChannelName, NodeId, SlotId};
use crate::presence::entry::{Client, Key};
use crate::presence::message::{Delta, Doubts, Ephemeral, Message, Stamp, ToWatch};
use crate::presence::settings::Mode;

impl Roster {
    /// A tick: tells a channel to all who follow it.
    pub(super) fn tell(&mut self, id: SlotId, name: &ChannelName, now: Instant, out: &mut Vec<Effect>) {
        let Some(slot) = self.slots.get(&id) else {
            return;
        };
        let doubts = self.doubts(slot);
        let settings = self.namespaces.of(name);
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let Holding::Owner(owning) = &mut slot.holding else {
            return;
        };
        let Some(channel) = slot
            .channels
            .get_mut(name)
            .filter(|channel| !channel.followers.is_empty())
        else {
            return;
        };
        let was_counted = channel.is_counted;
        channel.decide(&settings);
        let changed = std::mem::take(&mut channel.changed);
        let count = (channel.count(), doubts.unsettled.is_empty());
        let of_count = (channel.told_count != Some(count)).then_some(());
        let of_roster = (!changed.is_empty() || doubts != channel.told_doubts).then_some(());
        if of_count.or(of_roster).is_none() && was_counted == channel.is_counted {
            return;
        }
        channel.told_at = Some(now);
        let mut rosters = Vec::new();
        if !channel.is_counted && !was_counted {
            rosters = deltas(name, owning, channel, changed.into_iter().collect(), &doubts);
        } else {
            owning.told += 1;
            channel.version = owning.told;
        }
        channel.told_doubts = doubts;
        let counted = of_count
            .or_else(|| (channel.is_counted != was_counted).then_some(()))
            .map(|()| {
                owning.told += 1;
                channel.counted = owning.told;
                channel.told_count = Some(count);
                ToWatch::Count {
                    channel: name.clone(),
                    stamp: Stamp {
                        term: owning.term,
                        version: channel.counted,
                    },
                    count: count.0,
                    is_settled: count.1,
                }
            });
        let mut anew = Vec::new();
        for (node, mode) in &channel.followers {
            match (mode, channel.is_counted) {
                (Mode::Roster, false) if was_counted => anew.push(node.clone()),
                (Mode::Roster, false) => {
                    out.extend(
                        rosters
                            .iter()
                            .map(|delta| send(node, Message::Watch(ToWatch::Delta(Arc::clone(delta))))),
                    );
                }
                (Mode::Roster, true) | (Mode::Count, _) => {
                    out.extend(counted.iter().map(|count| send(node, Message::Watch(count.clone()))));
                }
            }
        }
        for node in anew {
            self.send_whole(id, name, &node, out);
        }
    }

    /// Sends a channel as it is to one that watches.
    pub(super) fn send_whole(&self, id: SlotId, name: &ChannelName, to: &NodeId, out: &mut Vec<Effect>) {
        let Some((slot, owning)) = self.slots.get(&id).and_then(|slot| Some((slot, slot.owning()?))) else {
            return;
        };
        let Some(channel) = slot.channels.get(name) else {
            return;
        };
        let stamp = |version| Stamp {
            term: owning.term,
            version,
        };
        let doubts = self.doubts(slot);
        match channel.followers.get(to) {
            Some(Mode::Roster) if !channel.is_counted => {
                let pages = pages(channel.rows(), |one| one.row.state.len());
                let last = pages.len() - 1;
                out.extend(pages.into_iter().enumerate().map(|(part, rows)| {
                    let roster = ToWatch::Roster {
                        channel: name.clone(),
                        stamp: stamp(channel.version),
                        part: u32::try_from(part).unwrap_or(u32::MAX),
                        is_last: part == last,
                        rows,
                        doubts: doubts.clone(),
                    };
                    send(to, Message::Watch(roster))
                }));
            }
            Some(_) => out.push(send(
                to,
                Message::Watch(ToWatch::Count {
                    channel: name.clone(),
                    stamp: stamp(channel.counted),
                    count: channel.count(),
                    is_settled: doubts.unsettled.is_empty(),
                }),
            )),
            None => {}
        }
    }

    /// Of whom a slot's owner is not sure.
    pub(super) fn doubts(&self, slot: &Slot) -> Doubts {
        let peers = slot.by_gateway.keys().filter(|node| {
            let peer = self.peers.get(*node);
            peer.is_some_and(|peer| peer.standing != Standing::Up)
        });
        let unsettled = slot.owning().map(|owning| owning.unsettled.clone()).unwrap_or_default();
        let is_blind = slot.owning().is_some_and(|owning| owning.is_blind);
        let is_alone = !(self.has_quorum || self.faults.presence_purge_alone());
        let is_dead = |node: &NodeId| self.peers.get(node).is_some_and(|peer| peer.standing == Standing::Down);
        Doubts {
            is_holding: is_blind || is_alone || !unsettled.iter().all(is_dead),
            unsettled,
            uncertain: peers.cloned().collect(),
        }
    }

    /// Has everybody who watches in a slot told of whom its owner is not sure.
    pub(super) fn doubts_changed(&mut self, id: SlotId, now: Instant) {
        let Some(slot) = self.slots.get(&id).filter(|slot| slot.owning().is_some()) else {
            return;
        };
        let followed = slot
            .channels
            .iter()
            .filter(|(_, channel)| !channel.followers.is_empty());
        for name in followed.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.tell_soon(id, name, now);
        }
    }

    /// Passes ephemeral state on to whoever watches, and keeps none of it.
    pub(super) fn ephemeral(&self, from: &NodeId, id: SlotId, key: Key, ephemeral: &Ephemeral, out: &mut Vec<Effect>) {
        let slot = self.slots.get(&id).filter(|slot| slot.owning().is_some());
        let Some(channel) = slot.and_then(|slot| slot.channels.get(&key.channel)) else {
            return;
        };
        if channel.is_counted || !channel.has(from, &key) {
            return;
        }
        let followers = channel.followers.iter().filter(|(_, mode)| **mode == Mode::Roster);
        out.extend(followers.map(|(node, _)| {
            let ephemeral = ToWatch::Ephemeral {
                channel: key.channel.clone(),
                client: key.client.clone(),
                of: (from.clone(), key.connection),
                ephemeral: ephemeral.clone(),
            };
            send(node, Message::Watch(ephemeral))
        }));
    }
}

/// What has changed, in messages that a lane can bear. The last says of whom the owner is not sure by now; before it,
/// whoever reads them knows less, and must not be surer.
fn deltas(
    name: &ChannelName,
    owning: &mut Owning,
    channel: &mut Channel,
    changed: Vec<Client>,
    doubts: &Doubts,
) -> Vec<Arc<Delta>> {
    let changes = changed.into_iter().map(|client| {
        let row = channel.row(&client);
        (client, row)
    });
    let pages = pages(changes, |(_, row)| row.as_ref().map_or(0, |one| one.row.state.len()));
    let last = pages.len() - 1;
    let mut deltas = Vec::with_capacity(pages.len());
    for (part, changes) in pages.into_iter().enumerate() {
        let after = channel.version;
        owning.told += 1;
        channel.version = owning.told;
        let doubts = match part == last {
            true => doubts.clone(),
            false => Doubts {
                is_holding: doubts.is_holding || channel.told_doubts.is_holding,
                ..channel.told_doubts.clone()
            },
        };
        deltas.push(Arc::new(Delta {
            channel: name.clone(),
            stamp: Stamp {
                term: owning.term,
                version: channel.version,
            },
            after,
            changes,
            doubts,
        }));
    }
    deltas
}
