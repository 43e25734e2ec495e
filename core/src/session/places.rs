//! The channels of one session, each at a place of its own: those that it reads, and those whose presence it watches.

use super::subscription::Subscription;
use super::watching::Watching;
use super::{ChannelId, Place};
use crate::id::ChannelName;

/// By place; a free place is `None`. Grows one at a time: most sessions have one channel, and there
/// are many sessions.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<Option<Held>>);

/// What is at a place.
#[derive(Debug)]
pub(super) enum Held {
    /// A channel that is read.
    Read(Subscription),
    /// A channel whose presence is watched.
    Watched(Watching),
}

impl Places {
    /// Channels held.
    pub(super) fn len(&self) -> usize {
        self.0.iter().flatten().count()
    }

    pub(super) fn get(&self, place: Place) -> Option<&Subscription> {
        match self.0.get(usize::from(place.0))? {
            Some(Held::Read(subscription)) => Some(subscription),
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Subscription> {
        match self.0.get_mut(usize::from(place.0))? {
            Some(Held::Read(subscription)) => Some(subscription),
            _ => None,
        }
    }

    pub(super) fn watching_mut(&mut self, place: Place) -> Option<&mut Watching> {
        match self.0.get_mut(usize::from(place.0))? {
            Some(Held::Watched(watching)) => Some(watching),
            _ => None,
        }
    }

    /// Where a channel is read.
    pub(super) fn find(&self, channel_id: ChannelId) -> Option<Place> {
        let mut read = self.held();
        let (place, _) = read.find(|(_, held)| held.channel_id == channel_id)?;
        Some(place)
    }

    /// Where a channel is watched that was given this number.
    pub(super) fn find_watched(&self, channel_id: ChannelId) -> Option<Place> {
        let mut watched = self.watched();
        let (place, _) = watched.find(|(_, held)| held.channel_id == Some(channel_id))?;
        Some(place)
    }

    /// Where a channel is watched.
    pub(super) fn place_of(&self, channel: &ChannelName) -> Option<Place> {
        let mut watched = self.watched();
        watched
            .find(|(_, held)| held.channel == *channel)
            .map(|(place, _)| place)
    }

    /// Every channel that is read, by place.
    pub(super) fn held(&self) -> impl Iterator<Item = (Place, &Subscription)> {
        self.all().filter_map(|(place, held)| match held {
            Held::Read(subscription) => Some((place, subscription)),
            Held::Watched(_) => None,
        })
    }

    /// Every channel that is watched, by place.
    pub(super) fn watched(&self) -> impl Iterator<Item = (Place, &Watching)> {
        self.all().filter_map(|(place, held)| match held {
            Held::Watched(watching) => Some((place, watching)),
            Held::Read(_) => None,
        })
    }

    /// Gives a channel the first free place. The caller has checked that there is one.
    pub(super) fn put(&mut self, held: Held) -> Place {
        let at = self.0.iter().position(Option::is_none).unwrap_or(self.0.len());
        if at == self.0.len() {
            self.0.reserve_exact(1);
            self.0.push(None);
        }
        self.0[at] = Some(held);
        Place(at as u8)
    }

    /// Frees a place.
    pub(super) fn take(&mut self, place: Place) -> Option<Held> {
        self.0.get_mut(usize::from(place.0))?.take()
    }

    fn all(&self) -> impl Iterator<Item = (Place, &Held)> {
        let numbered = self.0.iter().enumerate();
        numbered.filter_map(|(at, held)| Some((Place(at as u8), held.as_ref()?)))
    }
}
