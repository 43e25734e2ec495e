//! What the application is told from who is in a channel.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use futures_util::stream::FusedStream;

use crate::client::Handle;
use crate::presence::{Certainty, ClientId, Occupancy, PresenceEvent, Present};
use crate::queue::Queue;
use crate::roster::Told;
use crate::session::SubscriptionId;

/// A watched channel: a stream of [`PresenceEvent`]s that ends when the client is closed, and what they add up to.
///
/// Dropping it ends the watch. It keeps its client running.
#[derive(Debug)]
pub struct Watch {
    id: SubscriptionId,
    channel: Arc<str>,
    queue: Arc<Queue<Told>>,
    handle: Arc<Handle>,
    shown: Shown,
    ended: bool,
}

impl Watch {
    pub(crate) fn new(id: SubscriptionId, channel: Arc<str>, queue: Arc<Queue<Told>>, handle: Arc<Handle>) -> Self {
        Self {
            id,
            channel,
            queue,
            handle,
            shown: Shown::default(),
            ended: false,
        }
    }

    /// The channel's name.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Who was there after the last event that was taken, in the order of their ids; nobody while only their number is told.
    pub fn roster(&self) -> impl ExactSizeIterator<Item = &Arc<Present>> {
        self.shown.clients.values()
    }

    /// A client, if it was there after the last event that was taken.
    #[must_use]
    pub fn present(&self, client: &ClientId) -> Option<&Arc<Present>> {
        self.shown.clients.get(client)
    }

    /// How many were there after the last event that was taken.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        self.shown.occupancy()
    }

    /// How far to believe it.
    #[must_use]
    pub fn certainty(&self) -> &Certainty {
        &self.shown.certainty
    }

    /// The next event; `None` once the watch has ended. Giving up the wait loses nothing.
    pub async fn next(&mut self) -> Option<PresenceEvent> {
        poll_fn(|context| self.poll_event(context)).await
    }

    fn poll_event(&mut self, context: &Context<'_>) -> Poll<Option<PresenceEvent>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Some(item) = ready!(self.queue.poll_next(context, self.id, &self.handle.signals)) else {
            self.ended = true;
            return Poll::Ready(None);
        };
        Poll::Ready(Some(self.shown.apply(item.event)))
    }
}

impl Stream for Watch {
    type Item = PresenceEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<PresenceEvent>> {
        self.poll_event(context)
    }
}

impl FusedStream for Watch {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.handle.signals.dropped(self.id);
    }
}

/// What the events that were taken add up to.
#[derive(Debug, Default)]
struct Shown {
    clients: BTreeMap<ClientId, Arc<Present>>,
    /// Clients of each member.
    members: HashMap<String, u64>,
    /// Clients that are nobody's: each is a member.
    nobodies: u64,
    /// In place of names.
    counted: Option<Occupancy>,
    certainty: Certainty,
}

impl Shown {
    fn apply(&mut self, told: Told) -> PresenceEvent {
        match told {
            Told::Roster(everybody) => {
                self.clear();
                for present in &everybody {
                    self.add(present);
                }
                PresenceEvent::Roster(everybody)
            }
            Told::Joined(present) => {
                let first = self.add(&present);
                PresenceEvent::Joined { present, first }
            }
            Told::Updated(present) => {
                // Its member stays: another subject is another client.
                self.remove(&present.client);
                self.add(&present);
                PresenceEvent::Updated(present)
            }
            Told::Left(present) => {
                let last = self.remove(&present.client);
                PresenceEvent::Left { present, last }
            }
            Told::Occupancy(occupancy) => {
                self.clear();
                self.counted = Some(occupancy);
                PresenceEvent::Occupancy(occupancy)
            }
            Told::Certainty(certainty) => {
                self.certainty.clone_from(&certainty);
                PresenceEvent::Certainty(certainty)
            }
            Told::Ephemeral(present, state) => PresenceEvent::Ephemeral { present, state },
            Told::Failed(error) => PresenceEvent::Failed(error),
        }
    }

    fn occupancy(&self) -> Occupancy {
        self.counted.unwrap_or_else(|| Occupancy {
            members: self.members.len() as u64 + self.nobodies,
            clients: self.clients.len() as u64,
        })
    }

    fn clear(&mut self) {
        self.clients.clear();
        self.members.clear();
        (self.nobodies, self.counted) = (0, None);
    }

    /// Whether it is the first of its member.
    fn add(&mut self, present: &Arc<Present>) -> bool {
        self.clients.insert(present.client, Arc::clone(present));
        let Some(member) = &present.member else {
            self.nobodies += 1;
            return true;
        };
        match self.members.get_mut(member) {
            Some(clients) => {
                *clients += 1;
                false
            }
            None => {
                self.members.insert(member.clone(), 1);
                true
            }
        }
    }

    /// Whether it was the last of its member.
    fn remove(&mut self, client: &ClientId) -> bool {
        let Some(present) = self.clients.remove(client) else {
            return false;
        };
        let Some(member) = &present.member else {
            self.nobodies -= 1;
            return true;
        };
        let clients = self.members.get_mut(member).map(|clients| {
            *clients -= 1;
            *clients
        });
        if clients == Some(0) {
            self.members.remove(member);
        }
        clients == Some(0)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn present(client: u8, member: Option<&str>, state: &'static str) -> Arc<Present> {
        Arc::new(Present {
            client: ClientId::from_wire(&[client; 16]).expect("16 bytes"),
            member: member.map(str::to_owned),
            node: "a".into(),
            state: Bytes::from_static(state.as_bytes()),
        })
    }

    fn counts(shown: &Shown) -> (u64, u64) {
        let Occupancy { members, clients } = shown.occupancy();
        (members, clients)
    }

    #[test]
    fn the_tabs_of_one_member_come_first_and_go_last_once() {
        let mut shown = Shown::default();
        shown.apply(Told::Roster(vec![present(1, Some("anna"), "")]));
        let joined = shown.apply(Told::Joined(present(2, Some("anna"), "")));
        assert!(
            matches!(joined, PresenceEvent::Joined { first: false, .. }),
            "{joined:?}"
        );
        let joined = shown.apply(Told::Joined(present(3, Some("bert"), "")));
        assert!(
            matches!(joined, PresenceEvent::Joined { first: true, .. }),
            "{joined:?}"
        );
        assert_eq!(counts(&shown), (2, 3));
        shown.apply(Told::Updated(present(1, Some("anna"), "busy")));
        assert_eq!(counts(&shown), (2, 3), "who says something else is there already");
        let left = shown.apply(Told::Left(present(1, Some("anna"), "busy")));
        assert!(matches!(left, PresenceEvent::Left { last: false, .. }), "{left:?}");
        let left = shown.apply(Told::Left(present(2, Some("anna"), "")));
        assert!(matches!(left, PresenceEvent::Left { last: true, .. }), "{left:?}");
        assert_eq!(counts(&shown), (1, 1));
    }

    #[test]
    fn clients_of_nobody_are_members_each() {
        let mut shown = Shown::default();
        shown.apply(Told::Roster(vec![present(1, None, ""), present(2, None, "")]));
        assert_eq!(counts(&shown), (2, 2));
        let left = shown.apply(Told::Left(present(2, None, "")));
        assert!(matches!(left, PresenceEvent::Left { last: true, .. }), "{left:?}");
        assert_eq!(counts(&shown), (1, 1));
    }

    #[test]
    fn numbers_take_the_place_of_names_and_give_it_back() {
        let mut shown = Shown::default();
        shown.apply(Told::Roster(vec![present(1, None, "")]));
        let many = Occupancy {
            members: 70,
            clients: 90,
        };
        shown.apply(Told::Occupancy(many));
        assert_eq!((shown.clients.len(), shown.occupancy()), (0, many));
        shown.apply(Told::Roster(vec![present(1, None, ""), present(4, None, "")]));
        assert_eq!(counts(&shown), (2, 2));
    }
}
