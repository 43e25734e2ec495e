//! What those who watch are told, encoded once: two boards for each channel, one for those who are shown who is there, one
//! for those who are shown how many.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use starling_core::id::{ChannelName, NodeId};
use starling_core::presence::message::Ephemeral;
use starling_core::presence::watch::{Effect, View};
use starling_core::presence::{Client, Row};
use starling_core::session::ChannelId;

use super::Watcher;
use super::watcher::Glance;
use crate::fanout::{Board, Frame, Gateway};
use crate::session::{Beginning, Delivery};
use crate::wire;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Boards {
    channels: HashMap<ChannelName, Channel>,
    /// What this turn has put something on.
    moved: Vec<Arc<Board>>,
}

#[derive(Debug)]
struct Channel {
    rosters: Arc<Board>,
    counts: Arc<Board>,
    /// Everybody, as they were when somebody last began: whoever begins before that changes is sent the same.
    encoded: Option<Encoded>,
}

/// A roster, and its frames.
#[derive(Debug)]
struct Encoded {
    rows: Arc<[Row]>,
    frames: Arc<[Arc<Frame>]>,
}

impl Channel {
    fn new(channel_id: ChannelId) -> Self {
        Self {
            rosters: Arc::new(Board::new(channel_id)),
            counts: Arc::new(Board::new(channel_id)),
            encoded: None,
        }
    }

    fn roster(&mut self, rows: &Arc<[Row]>) -> Arc<[Arc<Frame>]> {
        match &self.encoded {
            Some(known) if Arc::ptr_eq(&known.rows, rows) => Arc::clone(&known.frames),
            _ => {
                let frames = wire::roster(self.rosters.channel_id, rows);
                self.encoded = Some(Encoded {
                    rows: Arc::clone(rows),
                    frames: Arc::clone(&frames),
                });
                frames
            }
        }
    }
}

impl Boards {
    /// The number of a channel in frames about its presence. It has one as long as it is watched.
    pub(super) fn number(&mut self, name: &ChannelName, gateway: &Gateway) -> ChannelId {
        let channel = self.channels.entry(name.clone());
        let channel = channel.or_insert_with(|| Channel::new(gateway.number()));
        channel.rosters.channel_id
    }

    /// Nobody watches a channel any more.
    pub(super) fn forget(&mut self, name: &ChannelName) {
        self.channels.remove(name);
    }

    /// Puts up what watchers are to be told.
    pub(super) fn put(&mut self, told: Effect<Watcher>) {
        match told {
            Effect::Begin {
                watcher,
                channel,
                view,
                is_stale,
                uncertain,
                ..
            } => self.begin(&watcher, &channel, view, is_stale, &uncertain),
            Effect::Changed { channel, events, .. } => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.encoded = None;
                    for frame in wire::changes(channel.rosters.channel_id, &events) {
                        channel.rosters.change(frame);
                    }
                    self.moved.push(Arc::clone(&channel.rosters));
                }
            }
            Effect::Counted { channel, count } => {
                if let Some(channel) = self.channels.get(&channel) {
                    channel.counts.change(wire::occupancy(channel.counts.channel_id, count));
                    self.moved.push(Arc::clone(&channel.counts));
                }
            }
            Effect::Doubted {
                channel,
                is_stale,
                uncertain,
            } => {
                if let Some(channel) = self.channels.get(&channel) {
                    for board in [&channel.rosters, &channel.counts] {
                        board.change(wire::certainty(board.channel_id, is_stale, &uncertain));
                        self.moved.push(Arc::clone(board));
                    }
                }
            }
            Effect::Passed { channel, states } => self.pass(&channel, &states, false),
            Effect::Rested { channel, states } => self.pass(&channel, &states, true),
            Effect::Refused { .. } | Effect::Send { .. } | Effect::Wake { .. } => {}
        }
    }

    /// Tells everybody who looks at a board that this turn has put something on.
    pub(super) fn tell(&mut self) {
        for board in self.moved.drain(..) {
            board.tell();
        }
    }

    fn pass(&mut self, name: &ChannelName, states: &[(Client, Ephemeral)], is_repeat: bool) {
        let board = self.channels.get(name).map(|channel| &channel.rosters);
        if let Some(board) = board.filter(|board| !is_repeat || board.repeats()) {
            for moment in wire::ephemerals(board.channel_id, states, is_repeat) {
                board.pass(moment);
            }
            self.moved.push(Arc::clone(board));
        }
    }

    fn begin(
        &mut self,
        watcher: &Watcher,
        name: &ChannelName,
        view: View,
        is_stale: bool,
        uncertain: &BTreeSet<NodeId>,
    ) {
        let Some((mailbox, place)) = watcher.seat() else {
            return watcher.show(Glance { view, is_stale });
        };
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        let (board, whole) = match view {
            View::Roster(rows) => {
                let whole = channel.roster(&rows);
                (Arc::clone(&channel.rosters), whole)
            }
            View::Counted(count) => {
                let frame = wire::occupancy(channel.counts.channel_id, count);
                (Arc::clone(&channel.counts), [Arc::new(frame)].into())
            }
        };
        let certainty = wire::certainty(board.channel_id, is_stale, uncertain);
        mailbox.deliver(Delivery::Begin(Box::new(Beginning {
            place,
            watch: watcher.id.watch,
            at: board.heads(),
            board,
            whole,
            certainty: Arc::new(certainty),
        })));
    }
}
