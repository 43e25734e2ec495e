//! From a session to the owners of its channels.

use super::Node;
use super::channel::Message;
use super::mailbox::Asker;
use crate::channel::{Publish as OwnerPublish, Skip as OwnerSkip};
use crate::id::{Author, ChannelName};
use crate::session::request::{Publish, Skip};
use crate::sim::fact::Asked;
use crate::sim::link::LinkId;
use crate::sim::scene::Scene;
use crate::sim::sight::Sight;
use crate::slot::Origin;

impl Node {
    pub(super) fn forward_publish(&mut self, link: LinkId, publish: Publish, author: Author, scene: &mut Scene) {
        let Publish {
            request,
            channel,
            serial,
            base,
            since,
            key,
            delete,
            payload,
        } = publish;
        let asked = Asked {
            client: scene.link(link).client,
            channel: channel.clone(),
            serial,
            since,
            skip: false,
        };
        let publish = OwnerPublish {
            to: self.ask(Asker::Publish { link, request, asked }),
            origin: Origin::Publisher { author, serial, base },
            key,
            deleted: delete,
            payload,
            since,
        };
        self.forward(link, channel, Message::Publish(publish), scene);
    }

    pub(super) fn forward_skip(&mut self, link: LinkId, skip: Skip, author: Author, scene: &mut Scene) {
        let Skip {
            request,
            channel,
            serial,
            base,
            since,
        } = skip;
        let asked = Asked {
            client: scene.link(link).client,
            channel: channel.clone(),
            serial,
            since,
            skip: true,
        };
        let skip = OwnerSkip {
            to: self.ask(Asker::Publish { link, request, asked }),
            author,
            serial,
            base,
            since,
        };
        self.forward(link, channel, Message::Skip(skip), scene);
    }

    /// Hands a request to the owner, or waits for room: meanwhile nothing is read from the client.
    pub(super) fn forward(&mut self, link: LinkId, channel: ChannelName, message: Message, scene: &mut Scene) {
        if let Err(message) = self.try_send(&channel, message, scene)
            && let Some(session) = self.sessions.get_mut(&link)
        {
            scene.saw(Sight::MailboxFull);
            session.forwarding = Some((channel, message));
        }
    }

    pub(super) fn forward_again(&mut self, link: LinkId, scene: &mut Scene) {
        let waiting = self
            .sessions
            .get_mut(&link)
            .and_then(|session| session.forwarding.take());
        if let Some((channel, message)) = waiting {
            self.forward(link, channel, message, scene);
        }
    }
}
