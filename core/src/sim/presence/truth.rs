//! Who is there, and since when: told by what clients do, and by nothing that a machine believes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::link::{DELAY_MAX, DISORDER_MAX};
use crate::id::{ChannelName, NodeId};
use crate::presence::entry::{Client, ConnectionId};
use crate::presence::settings::Settings;

/// By which connection.
pub(super) type At = (NodeId, ConnectionId);

/// How a client has come to be away.
#[derive(Debug, Clone, Copy)]
pub(super) enum Absence {
    /// It has said so.
    Left,
    /// It has closed its connection, as a page does that is loaded again.
    Closed,
    /// Its gateway has noticed at once.
    Lost,
    /// Its gateway notices after a while.
    Silent(Duration),
    /// Its gateway is gone, too.
    Crashed,
}

impl Absence {
    /// From when on it may be told that it has left.
    pub(super) fn ripe_after(self, settings: &Settings) -> Duration {
        let nearly = |grace: Duration| grace.mul_f64(0.85);
        match self {
            Self::Left => Duration::ZERO,
            Self::Closed => nearly(settings.reload_grace),
            Self::Lost | Self::Crashed => nearly(settings.grace),
            Self::Silent(notice) => notice + nearly(settings.grace),
        }
    }

    /// Until when it must have been told.
    fn told_within(self, settings: &Settings) -> Duration {
        let late = |grace: Duration| grace.mul_f64(1.15) + Duration::from_secs(1);
        match self {
            Self::Left => TOLD_WITHIN,
            Self::Closed => late(settings.reload_grace),
            Self::Lost => late(settings.grace),
            Self::Silent(notice) => notice + late(settings.grace),
            Self::Crashed => Duration::from_millis(2_250) + late(settings.grace),
        }
    }
}

/// A tick, and the links that it travels over, each of which takes [`DELAY_MAX`] at most.
pub(super) const TOLD_WITHIN: Duration = Duration::from_millis(800);

/// A client in a channel by one of its connections.
#[derive(Debug)]
pub(super) struct Here {
    /// What it says of itself.
    pub(super) state: Bytes,
    since: Duration,
}

/// One client in one channel.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// By which connections it is here.
    pub(super) here: BTreeMap<At, Here>,
    /// Until when it may still be shown while it is away.
    shown_until: Duration,
    /// Until when connections that broke unnoticed may be shown.
    lingers_until: Duration,
    /// Where it was last.
    left_from: Option<NodeId>,
    /// When a connection of it was last lost at each node, and until when it may be shown for that; and when it last left by one.
    lost_at: BTreeMap<NodeId, (Duration, Duration)>,
    left_at: BTreeMap<NodeId, Duration>,
    /// Absences so far.
    absences: u64,
    /// When it came and went, as far as watchers may be told.
    moves: Vec<(Duration, bool)>,
}

impl Presence {
    /// Until when watchers may not know yet how it is.
    pub(super) fn known_by(&self) -> Duration {
        // Of one that has changed its connection the end of the old one may be known before the new one is.
        let since = self.here.values().map(|here| here.since).min();
        since.map_or(self.shown_until, |since| since + TOLD_WITHIN)
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
    pub(super) fn used_by(&self, window: Duration, is_shown: bool, now: Duration) -> usize {
        let told = self.moves.iter().position(|(at, _)| *at >= window);
        let told = told.unwrap_or(self.moves.len());
        match self.moves.last() {
            Some((_, false)) if is_shown => told.min(self.moves.len() - 1),
            // What is shown may be a connection that broke unnoticed: that its client had left before is told when it ends.
            Some(_) if is_shown && now <= self.lingers_until => {
                let left = self.moves.iter().rposition(|(_, has_come)| !has_come);
                left.map_or(told, |left| told.min(left))
            }
            _ => told,
        }
    }

    /// Where it is, or was last.
    pub(super) fn last(&self) -> impl Iterator<Item = &NodeId> {
        let lost = self.left_from.as_ref().filter(|_| self.here.is_empty());
        self.here.keys().map(|(at, _)| at).chain(lost)
    }

    /// The number of its absence, if it is away and was last at a node.
    pub(super) fn absence_at(&self, node: &NodeId) -> Option<u64> {
        let is_away = self.here.is_empty() && self.left_from.as_ref() == Some(node);
        is_away.then_some(self.absences)
    }

    /// Whether that it came somewhere may have been overtaken by all that came after: that the connection was lost again, and
    /// that it has left elsewhere since. An owner takes such a connection for one more, until it hears of its end.
    pub(super) fn is_overtaken(&self, is_late: impl Fn(&NodeId) -> bool, now: Duration) -> bool {
        let mut lost = self.lost_at.iter();
        lost.any(|(node, (at, _))| now < *at + DISORDER_MAX + TOLD_WITHIN && is_late(node))
    }

    /// Whether an owner that takes some nodes for dead, though they live, knows nothing better of it: it is there, or was
    /// last, and of where it is since the owner may not have heard yet.
    pub(super) fn is_beyond(&self, beyond: &BTreeSet<NodeId>, late: &BTreeSet<NodeId>) -> bool {
        let was_there = self.last().chain(&self.left_from).any(|at| beyond.contains(at));
        was_there && self.last().all(|at| beyond.contains(at) || late.contains(at))
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
    pub(super) settings: Settings,
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
            presence.moves.push((now, true));
        }
        let is_copied = !presence.here.is_empty() && !presence.here.contains_key(&at);
        let since = presence.here.get(&at).map_or(now, |here| here.since);
        presence.here.insert(at, Here { state, since });
        is_copied
    }

    /// It is there by this connection no more. Of what some nodes have told the owner some may be late, and what others have
    /// may not have been told yet. The number of its absence, of which it may be told when its grace has all but passed.
    pub(super) fn leave(
        &mut self,
        client: &Client,
        channel: &ChannelName,
        at: &At,
        absence: Absence,
        (late, unheard): (&BTreeSet<NodeId>, &BTreeSet<NodeId>),
        now: Duration,
    ) -> Option<u64> {
        let presence = self.all.get_mut(&(channel.clone(), client.clone()))?;
        presence.here.remove(at)?;
        let until = now + absence.told_within(&self.settings);
        presence.left_from = Some(at.0.clone());
        match absence {
            Absence::Left => _ = presence.left_at.insert(at.0.clone(), now),
            Absence::Closed | Absence::Lost => {
                // One that was lost before at the same node may have the longer grace.
                let before = presence.lost_at.get(&at.0).map_or(until, |(_, until)| *until);
                presence.lost_at.insert(at.0.clone(), (now, until.max(before)));
            }
            Absence::Silent(_) | Absence::Crashed => {}
        }
        if matches!(absence, Absence::Silent(_) | Absence::Crashed) {
            presence.lingers_until = presence.lingers_until.max(until);
        }
        let is_left = matches!(absence, Absence::Left);
        if !presence.here.is_empty() {
            // That it has left may be heard before that it came by the others, and those may be where nobody can see them.
            let is_unseen = |((node, _), here): (&At, &Here)| unheard.contains(node) || now < here.since + DELAY_MAX;
            if is_left && presence.here.iter().all(is_unseen) {
                presence.excuse(now);
            }
            return (!is_left).then_some(presence.absences);
        }
        presence.shown_until = until.max(presence.lingers_until);
        presence.absences += 1;
        if is_left {
            presence.moves.push((now, false));
            // That another was lost just before may be heard after it has left, and is a grace of its own then.
            let lost = presence.lost_at.values().filter(|(at, _)| now < *at + DELAY_MAX);
            let until = lost.map(|(_, until)| *until).max();
            presence.shown_until = until.map_or(presence.shown_until, |until| until.max(presence.shown_until));
            return None;
        }
        // That it left by another just before may be heard after it is lost, and ends the grace then.
        let is_ended = |(node, at): (&NodeId, &Duration)| {
            let delay = if late.contains(node) { DISORDER_MAX } else { DELAY_MAX };
            now < *at + delay
        };
        // It was lost before by another connection, whose grace is longer and still runs.
        let others = presence.lost_at.values().map(|(_, until)| *until).max();
        presence.shown_until = others.map_or(presence.shown_until, |until| until.max(presence.shown_until));
        if matches!(absence, Absence::Closed | Absence::Lost) && presence.left_at.iter().any(is_ended) {
            presence.moves.push((now, false));
        }
        Some(presence.absences)
    }

    /// The grace of an absence has all but passed. It may be told, unless it has ended; and where the owner may not have
    /// heard of that, even so.
    pub(super) fn ripe(&mut self, client: &Client, channel: &ChannelName, number: u64, is_late: bool, now: Duration) {
        let Some(presence) = self.all.get_mut(&(channel.clone(), client.clone())) else {
            return;
        };
        match presence.here.is_empty() && presence.absences == number {
            true => presence.moves.push((now, false)),
            false if is_late => {
                // It has come back since, and may have left again: all that may be told after this.
                let last = presence.moves.last().copied().filter(|(_, has_come)| !has_come);
                presence.moves.extend([(now, false), (now, true)]);
                presence.moves.extend(last.map(|_| (now, false)));
            }
            false => {}
        }
    }

    /// A node has died before it was heard of in these channels: whoever was there last was there to nobody's knowledge, and
    /// the grace that is kept may be that of an earlier connection.
    pub(super) fn forget(&mut self, node: &NodeId, channels: &[ChannelName], now: Duration) {
        for ((channel, _), presence) in &mut self.all {
            let was_there = presence.here.is_empty() && presence.left_from.as_ref() == Some(node);
            if was_there && channels.contains(channel) {
                presence.moves.push((now, false));
            }
        }
    }

    /// A node was taken for dead by others for so long that its clients may be told to have left.
    pub(super) fn excuse(&mut self, node: &NodeId, channels: &[ChannelName], now: Duration) {
        for ((channel, _), presence) in &mut self.all {
            if channels.contains(channel) && presence.last().all(|at| at == node) {
                presence.excuse(now);
            }
        }
    }
}
