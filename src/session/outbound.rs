//! Requests on their way to the owners of channels, and to documents: what one turn of the session brings, in order.
//!
//! Publishes to one channel that follow each other travel as one message. What a client sends together then costs the
//! channel, its slot and its readers a turn each, and not a turn for each publish.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use starling_core::id::ChannelName;

use crate::actor::channel::Message;
use crate::actor::document::gateway;
use crate::actor::presence::{self, ShardId};
use crate::actor::registry::Registry;
use crate::editor::Seat;

/// See the module. Bounded by the frames, and their bytes, that a turn reads: nothing is read while something is on its way.
#[derive(Default)]
pub(super) struct Outbound {
    requests: Vec<Request>,
    /// Room is waited for, in the mailbox of a channel.
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// A request, and whom it is for.
enum Request {
    Channel(ChannelName, Message),
    Presence(ShardId, Box<presence::Message>),
    Document(ChannelName, Box<gateway::Message>),
    /// A seat at a document, to be given up.
    Seat(Seat),
}

impl Request {
    /// Sends it, if there is room.
    fn try_send(self, registry: &Registry) -> Result<(), Self> {
        match self {
            Self::Channel(channel, message) => {
                let sent = registry.try_send(&channel, message);
                sent.map_err(|message| Self::Channel(channel, message))
            }
            Self::Presence(shard, message) => {
                let sent = registry.try_send_presence(shard, *message);
                sent.map_err(|message| Self::Presence(shard, message))
            }
            Self::Document(document, message) => {
                let sent = registry.try_send_document(&document, *message);
                sent.map_err(|message| Self::Document(document, message))
            }
            Self::Seat(seat) => {
                drop(seat);
                Ok(())
            }
        }
    }

    /// Sends it once there is room.
    async fn send(self, registry: &Registry) {
        match self {
            Self::Channel(channel, message) => registry.send(&channel, message).await,
            Self::Presence(shard, message) => registry.send_presence(shard, *message).await,
            Self::Document(document, message) => registry.send_document(&document, *message).await,
            Self::Seat(seat) => drop(seat),
        }
    }
}

impl Outbound {
    /// Adds a request to a channel.
    pub(super) fn push(&mut self, channel: ChannelName, message: Message) {
        let last = self.requests.last_mut();
        match (message, last) {
            (Message::Publish(more), Some(Request::Channel(of, Message::Publish(together)))) if *of == channel => {
                together.extend(more);
            }
            (message, _) => self.requests.push(Request::Channel(channel, message)),
        }
    }

    /// Adds a request about presence.
    pub(super) fn push_presence(&mut self, (shard, message): (ShardId, presence::Message)) {
        self.requests.push(Request::Presence(shard, Box::new(message)));
    }

    /// Adds what an editor says to a document.
    pub(super) fn push_document(&mut self, document: ChannelName, message: gateway::Message) {
        self.requests.push(Request::Document(document, Box::new(message)));
    }

    /// Adds that a seat at a document is given up.
    pub(super) fn push_seat(&mut self, seat: Seat) {
        self.requests.push(Request::Seat(seat));
    }

    /// Hands everything to its owners, in order. Pending while a mailbox has no room.
    pub(super) fn poll_send(&mut self, registry: &Registry, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(waiting) = &mut self.waiting {
            ready!(waiting.as_mut().poll(cx));
            self.waiting = None;
        }
        let mut requests = std::mem::take(&mut self.requests).into_iter();
        while let Some(request) = requests.next() {
            let Err(request) = request.try_send(registry) else {
                continue;
            };
            let registry = registry.clone();
            let mut waiting = Box::pin(async move {
                request.send(&registry).await;
                for request in requests {
                    request.send(&registry).await;
                }
            });
            if waiting.as_mut().poll(cx).is_pending() {
                self.waiting = Some(waiting);
                return Poll::Pending;
            }
            break;
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use starling_core::channel::{From, Publish};
    use starling_core::slot::Origin;
    use starling_core::time::WallTime;

    use super::*;
    use crate::actor::reply::Reply;

    fn publish() -> Message {
        Message::Publish(vec![Publish {
            to: Reply::to_http().0,
            origin: Origin::Anonymous,
            key: None,
            deleted: false,
            payload: Bytes::from_static(b"hello"),
            since: WallTime(0),
        }])
    }

    #[test]
    fn only_publishes_to_one_channel_that_follow_each_other_travel_together() {
        let attach = Message::Attach {
            to: Reply::to_http().0,
            from: From::Head,
        };
        let mut outbound = Outbound::default();
        for (channel, message) in [
            ("demo:a", publish()),
            ("demo:a", publish()),
            ("demo:b", publish()),
            ("demo:a", publish()),
            ("demo:a", attach),
            ("demo:a", publish()),
        ] {
            outbound.push(ChannelName::parse(channel).expect("a name"), message);
        }
        let sent: Vec<_> = outbound
            .requests
            .iter()
            .map(|request| match request {
                Request::Channel(channel, message) => (channel.as_str(), message.requests()),
                Request::Presence(..) | Request::Document(..) | Request::Seat(_) => unreachable!("none was pushed"),
            })
            .collect();
        assert_eq!(
            sent,
            [
                ("demo:a", 2),
                ("demo:b", 1),
                ("demo:a", 1),
                ("demo:a", 1),
                ("demo:a", 1)
            ]
        );
    }
}
