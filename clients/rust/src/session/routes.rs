//! Which subscription, or which watch, a channel id of the wire stands for.
//!
//! A session has one place in a channel, named by a number that stays the same when it leaves and comes back. So a
//! channel that was left is attached again only when the server has confirmed that it was left: no frame of the earlier
//! attachment can be taken for one of the later.

use std::collections::HashMap;
use std::sync::Arc;

use starling_protocol::v1;

use super::{Request, SubscriptionId, Turn, Violation};

/// The channels of one connection.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// What each channel id stands for.
    ids: HashMap<u32, Route>,
    /// For whom the server holds, or may come to hold, a place in each channel.
    places: HashMap<Arc<str>, SubscriptionId>,
}

/// Where the frames of a channel go.
#[derive(Debug)]
pub(super) enum Route {
    To(SubscriptionId),
    /// Nowhere: Detach is sent, and they were on their way.
    Leaving(Arc<str>),
}

impl Routes {
    /// Where the frames of a channel id go.
    pub(super) fn find(&self, channel_id: u32) -> Result<Option<SubscriptionId>, Violation> {
        match self.ids.get(&channel_id) {
            Some(Route::To(id)) => Ok(Some(*id)),
            Some(Route::Leaving(_)) => Ok(None),
            None => Err(Violation("a frame of a channel that is not attached")),
        }
    }

    /// Takes the place in a channel, to send Attach: whether it was free.
    pub(super) fn take_place(&mut self, name: &Arc<str>, id: SubscriptionId) -> bool {
        let is_free = !self.places.contains_key(name);
        if is_free {
            self.places.insert(Arc::clone(name), id);
        }
        is_free
    }

    /// There is no place in a channel after all.
    pub(super) fn free_place(&mut self, id: SubscriptionId) {
        self.places.retain(|_, holder| *holder != id);
    }

    /// The server attached a subscription to the channel of this name, under this id.
    pub(super) fn attached(&mut self, id: SubscriptionId, name: &str, channel_id: u32) -> Result<(), Violation> {
        if self.places.get(name) != Some(&id) {
            return Err(Violation("attached, with the name of another channel"));
        }
        if matches!(self.ids.get(&channel_id), Some(Route::To(other)) if *other != id) {
            return Err(Violation("attached, with the id of another channel"));
        }
        self.ids.insert(channel_id, Route::To(id));
        Ok(())
    }

    /// Leaves the channel of a subscription, if it has one.
    pub(super) fn leave(&mut self, id: SubscriptionId, name: &Arc<str>, turn: &mut Turn<'_>) {
        let leads_to = |route: &Route| matches!(route, Route::To(to) if *to == id);
        let Some((&channel_id, route)) = self.ids.iter_mut().find(|(_, route)| leads_to(route)) else {
            return;
        };
        *route = Route::Leaving(Arc::clone(name));
        let request = turn.common.requests.open(Request::Detach(channel_id));
        turn.send(v1::Detach { request, channel_id });
    }

    /// The server confirmed that a channel was left, or left it by itself: where its frames went.
    pub(super) fn left(&mut self, channel_id: u32) -> Option<Route> {
        let route = self.ids.remove(&channel_id)?;
        match &route {
            Route::To(id) => self.free_place(*id),
            Route::Leaving(name) => drop(self.places.remove(name)),
        }
        Some(route)
    }
}
