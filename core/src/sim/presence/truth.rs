//! Who is there, and since when: told by what clients do, and by nothing that a machine believes.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::id::{ChannelName, NodeId};
use crate::presence::entry::{Client, ConnectionId};

/// By which connection.
pub(super) type At = (NodeId, ConnectionId);

/// How a client has come to be away.
#[derive(Debug, Clone, Copy)]
pub(super) enum Absence {
    /// It has said so.
    Left,
    /// Its gateway has noticed at once.
    Lost,
    /// Its gateway notices after a while.
    Silent(Duration),
    /// Its gateway is gone, too.
    Crashed,
}

impl Absence {
    /// From when on it may be told that it has left.
    pub(super) fn ripe_after(self, grace: Duration) -> Duration {
        let nearly = grace.mul_f64(0.85);
        match self {
            Self::Left => Duration::ZERO,
            Self::Lost | Self::Crashed => nearly,
            Self::Silent(notice) => notice + nearly,
        }
    }

    /// Until when it must have been told.
    fn told_within(self, grace: Duration) -> Duration {
        let late = grace.mul_f64(1.15) + Duration::from_secs(1);
        match self {
            Self::Left => TOLD_WITHIN,
            Self::Lost => late,
            Self::Silent(notice) => notice + late,
            Self::Crashed => Duration::from_millis(2_250) + late,
        }
    }
}

/// A tick, and the links that it travels over, of which the slowest take 150 ms.
pub(super) const TOLD_WITHIN: Duration = Duration::from_millis(800);

/// One client in one channel.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// What it says of itself, by each of its connections.
    pub(super) here: BTreeMap<At, Bytes>,
    /// Since when it is here, or away.
    since: Duration,
    /// When it last came by one more connection.
    came_at: Duration,
    /// When one of its connections last ended and it stayed by another.
    parted_at: Option<Duration>,
    /// It was here by two connections at once.
    pub(super) was_copied: bool,
    /// Until when it may still be shown while it is away.
    shown_until: Duration,
    /// Until when connections that broke unnoticed may be shown.
    lingers_until: Duration,
    /// When it was last lost at each node.
    lost_at: BTreeMap<NodeId, Duration>,
    /// Absences so far.
    absences: u64,
    /// When it came and went, as far as watchers may be told.
    moves: Vec<(Duration, bool)>,
}

impl Presence {
    /// Until when watchers may not know yet how it is.
    pub(super) fn known_by(&self) -> Duration {
        match self.here.is_empty() {
            true => self.shown_until,
            // The one that ended may be known before the one that it stays by.
            false => self.parted_at.map_or(self.since, |at| self.since.max(at)) + TOLD_WITHIN,
        }
    }

    /// Whether a watcher that has been told of the moves before `used` may be told of this one: there was such a move, or
    /// it is how things are.
    pub(super) fn justify(&self, used: &mut usize, has_come: bool, window: Duration, now: Duration) -> bool {
        let mut rest = self.moves.iter().enumerate().skip(*used);
        let found = rest.find(|(_, (at, come))| *come == has_come && *at >= window);
        if let Some((n, _)) = found {
            *used = n + 1;
        }
        let is_so = self.here.is_empty() != has_come && self.moves.last().is_some_and(|(_, come)| *come == has_come);
        // A gateway that does not know yet that a connection broke may say so anew, to an owner that had lost sight of it.
        let lingers = has_come && now <= self.lingers_until;
        found.is_some() || is_so || lingers
    }

    /// What a watcher needs no more to be told of that begins to watch: all before then. But of one that is shown and has
    /// left it will be told so.
    pub(super) fn used_by(&self, window: Duration, is_shown: bool) -> usize {
        let told = self.moves.iter().position(|(at, _)| *at >= window);
        let told = told.unwrap_or(self.moves.len());
        match self.moves.last() {
            Some((_, false)) if is_shown => told.min(self.moves.len() - 1),
            _ => told,
        }
    }

    /// Whether it is at such a node, or was lost there not long ago.
    pub(super) fn is_with(&self, is_such: impl Fn(&NodeId) -> bool, now: Duration) -> bool {
        let lost = self.lost_at.iter();
        let lost = lost.filter(|(_, at)| now < **at + Duration::from_secs(25));
        let mut all = self.here.keys().map(|(at, _)| at).chain(lost.map(|(node, _)| node));
        all.any(is_such)
    }

    /// It may have looked as if it left and came back.
    fn excuse(&mut self, now: Duration) {
        self.moves.push((now, false));
        if !self.here.is_empty() {
            self.moves.push((now, true));
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) all: BTreeMap<(ChannelName, Client), Presence>,
    pub(super) grace: Duration,
}

impl Truth {
    /// A client is in a channel, in this state. Whether it already was, by another connection.
    pub(super) fn enter(
        &mut self,
        client: &Client,
        channel: &ChannelName,
        at: At,
        state: Bytes,
        now: Duration,
    ) -> bool {
        let presence = self.all.entry((channel.clone(), client.clone())).or_default();
        if presence.here.is_empty() {
            presence.since = now;
            presence.moves.push((now, true));
        }
        let is_copied = !presence.here.is_empty() && !presence.here.contains_key(&at);
        presence.came_at = now;
        presence.was_copied |= is_copied;
        presence.here.insert(at, state);
        is_copied
    }

    /// It is there by this connection no more. The number of its absence, if it is away by now.
    pub(super) fn leave(
        &mut self,
        client: &Client,
        channel: &ChannelName,
        at: &At,
        absence: Absence,
        is_rough: bool,
        now: Duration,
    ) -> Option<u64> {
        let presence = self.all.get_mut(&(channel.clone(), client.clone()))?;
        presence.here.remove(at)?;
        let until = now + absence.told_within(self.grace);
        if !matches!(absence, Absence::Left) {
            presence.lost_at.insert(at.0.clone(), now);
        }
        if matches!(absence, Absence::Silent(_) | Absence::Crashed) {
            presence.lingers_until = presence.lingers_until.max(until);
        }
        if !presence.here.is_empty() {
            presence.parted_at = Some(now);
            // The other connections may be those that nobody can see, or sees yet.
            if is_rough || now < presence.came_at + TOLD_WITHIN {
                presence.excuse(now);
            }
            return None;
        }
        presence.since = now;
        presence.shown_until = until.max(presence.lingers_until);
        // Of two that go at once the owner may hear of either first: whether the grace is that of the last is open.
        if presence.parted_at.is_some_and(|at| now < at + TOLD_WITHIN) {
            presence.shown_until = presence.shown_until.max(now + Absence::Lost.told_within(self.grace));
            presence.moves.push((now, false));
        }
        presence.absences += 1;
        if matches!(absence, Absence::Left) {
            presence.moves.push((now, false));
            return None;
        }
        Some(presence.absences)
    }

    /// The grace of an absence has all but passed. It may be told, unless it has ended; and where links were bad, even so.
    pub(super) fn ripe(&mut self, client: &Client, channel: &ChannelName, number: u64, is_rough: bool, now: Duration) {
        let Some(presence) = self.all.get_mut(&(channel.clone(), client.clone())) else {
            return;
        };
        match presence.here.is_empty() && presence.absences == number {
            true => presence.moves.push((now, false)),
            false if is_rough => {
                // It has come back since, and may have left again: all that may be told after this.
                let last = presence.moves.last().copied().filter(|(_, has_come)| !has_come);
                presence.moves.extend([(now, false), (now, true)]);
                presence.moves.extend(last.map(|_| (now, false)));
            }
            false => {}
        }
    }

    /// A node was taken for dead by others for so long that its clients may be told to have left.
    pub(super) fn excuse(&mut self, node: &NodeId, now: Duration) {
        for presence in self.all.values_mut() {
            if presence.is_with(|at| at == node, now) {
                presence.excuse(now);
            }
        }
    }
}
