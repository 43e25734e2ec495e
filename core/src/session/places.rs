//! The channels of one session, each at a place of its own.

use super::subscription::Subscription;
use super::{ChannelId, Place};

/// By place; a free place is `None`. Grows one at a time: most sessions have one channel, and there
/// are many sessions.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<Option<Subscription>>);

impl Places {
    /// Channels held.
    pub(super) fn len(&self) -> usize {
        self.0.iter().flatten().count()
    }

    pub(super) fn get(&self, place: Place) -> Option<&Subscription> {
        self.0.get(usize::from(place.0))?.as_ref()
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Subscription> {
        self.0.get_mut(usize::from(place.0))?.as_mut()
    }

    /// Where a channel is held.
    pub(super) fn find(&self, channel_id: ChannelId) -> Option<Place> {
        self.held()
            .find(|(_, held)| held.channel_id == channel_id)
            .map(|(place, _)| place)
    }

    /// Every channel held, by place.
    pub(super) fn held(&self) -> impl Iterator<Item = (Place, &Subscription)> {
        let numbered = self.0.iter().enumerate();
        numbered.filter_map(|(at, held)| Some((Place(at as u8), held.as_ref()?)))
    }

    /// Gives a channel the first free place. The caller has checked that there is one.
    pub(super) fn put(&mut self, subscription: Subscription) -> Place {
        let at = self.0.iter().position(Option::is_none).unwrap_or(self.0.len());
        if at == self.0.len() {
            self.0.reserve_exact(1);
            self.0.push(None);
        }
        self.0[at] = Some(subscription);
        Place(at as u8)
    }

    /// Frees a place.
    pub(super) fn take(&mut self, place: Place) -> Option<Subscription> {
        self.0.get_mut(usize::from(place.0))?.take()
    }
}
