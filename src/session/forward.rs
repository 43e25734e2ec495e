//! From the session to the owners of its channels.

use std::sync::Arc;

use starling_core::channel::{From, Publish as OwnerPublish, Range, Refusal, Skip as OwnerSkip};
use starling_core::id::{Author, ChannelName, Epoch, Seq};
use starling_core::session::request::{Publish, RequestId, Skip};
use starling_core::session::{Input, PageTicket, Place};
use starling_core::slot::Origin;

use super::task::Task;
use crate::actor::channel::Message;
use crate::actor::reply::Reply;
use crate::fanout::Feed;
use crate::transport::Connection;

/// Bytes of messages in a page, numbers and framing of each counted in. Below the longest frame, so
/// that a page with its own framing fits it.
const PAGE_MESSAGES_BYTES_MAX: u32 = 240 * 1024;

/// Messages in a page: the framing of so many small ones is a tenth of it.
const PAGE_MESSAGES_MAX: u32 = 4_096;

impl<C: Connection> Task<C> {
    pub(super) fn forward_attach(&mut self, request: RequestId, channel: &ChannelName, from: From) {
        if let Err(refusal) = self.may_use(channel) {
            return self.handle(Input::AttachRefused { request, refusal });
        }
        let to = Reply::to_attach(Arc::clone(&self.mailbox), request);
        self.outbound.push(channel.clone(), Message::Attach { to, from });
    }

    pub(super) fn forward_publish(&mut self, author: Author, publish: Publish) {
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
        if let Err(refusal) = self.may_use(&channel) {
            return self.handle(Input::PublishRefused { request, refusal });
        }
        let publish = OwnerPublish {
            to: Reply::to_publish(Arc::clone(&self.mailbox), request, serial),
            origin: Origin::Publisher { author, serial, base },
            key,
            deleted: delete,
            payload,
            since,
        };
        self.outbound.push(channel, Message::Publish(vec![publish]));
    }

    pub(super) fn forward_skip(&mut self, author: Author, skip: Skip) {
        let Skip {
            request,
            channel,
            serial,
            base,
            since,
        } = skip;
        if let Err(refusal) = self.may_use(&channel) {
            return self.handle(Input::PublishRefused { request, refusal });
        }
        let skip = OwnerSkip {
            to: Reply::to_publish(Arc::clone(&self.mailbox), request, serial),
            author,
            serial,
            base,
            since,
        };
        self.outbound.push(channel, Message::Skip(skip));
    }

    pub(super) fn forward_read(&mut self, place: Place, ticket: PageTicket, feed: &Feed, epoch: Epoch, after: Seq) {
        let to = Reply::to_read(Arc::clone(&self.mailbox), place, ticket);
        let range = Range {
            epoch: Some(epoch),
            after,
            bytes_max: PAGE_MESSAGES_BYTES_MAX,
            messages_max: PAGE_MESSAGES_MAX,
        };
        // A full mailbox answers "busy" by letting go of the reply; the reader asks again.
        let _ = self.registry.try_send(&feed.channel, Message::Read { to, range });
    }

    /// Whether the party may use a channel: one that is in use, or one more that is not. What it puts into
    /// use costs an actor now and its slot a name for a day.
    fn may_use(&self, channel: &ChannelName) -> Result<(), Refusal> {
        if self.registry.running(channel).is_some() {
            return Ok(());
        }
        let now = self.services.clock.now().instant;
        self.services.quotas.open(&self.party, now)
    }
}
