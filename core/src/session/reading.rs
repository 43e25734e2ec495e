//! What a session reads: attach, pages, pull, detach.

use std::sync::Arc;
use std::time::Instant;

use super::answer::Answer;
use super::places::Held;
use super::request::{Attach, RequestId};
use super::subscription::Subscription;
use super::turn::{Effect, Fetched};
use super::{ChannelId, PLACES_MAX, PageTicket, Place, Session};
use crate::access::Operation;
use crate::backpressure::Policy;
use crate::channel::{self, Attachment, Limit, Outcome, Reason, Refusal};
use crate::id::{ChannelName, Seq};
use crate::namespace::Namespace;

/// An attach on its way to the channel's owner.
#[derive(Debug)]
pub(super) struct Attaching {
    request: RequestId,
    namespace: Arc<Namespace>,
    policy: Policy,
    /// The session may not read history: a position behind the head is as good as lost.
    live_only: bool,
}

impl Session {
    pub(super) fn attach(&mut self, attach: Attach, now: Instant, out: &mut Vec<Effect>) {
        let Attach {
            request,
            channel,
            mut from,
            policy,
        } = attach;
        let refuse = |refusal, out: &mut Vec<Effect>| {
            out.push(Effect::Send(Answer::Refused { request, refusal }));
        };
        let Some(namespace) = self.settings.namespaces.of(&channel) else {
            return refuse(Refusal::UnknownNamespace(channel), out);
        };
        if !self.allows(&channel, Operation::Subscribe) {
            return refuse(
                Refusal::Forbidden {
                    action: "subscribe to",
                    channel,
                },
                out,
            );
        }
        if matches!(from, channel::From::Rewind(0)) {
            from = channel::From::Head;
        }
        let live_only = !self.allows(&channel, Operation::History);
        if live_only && matches!(from, channel::From::Rewind(_)) {
            return refuse(
                Refusal::Forbidden {
                    action: "read the history of",
                    channel,
                },
                out,
            );
        }
        let held = self.places.len() + self.attaching.len();
        if held >= self.settings.channels_max.min(PLACES_MAX) {
            return refuse(
                Refusal::TooManyChannels {
                    max: self.settings.channels_max,
                },
                out,
            );
        }
        let namespace = Arc::clone(namespace);
        if let Err(retry_after) = self.attach_rate.take(self.settings.attach_interval, now) {
            let limit = Limit::AttachRate;
            return refuse(Refusal::RateLimited { limit, retry_after }, out);
        }
        self.attaching.push(Attaching {
            request,
            policy: policy.unwrap_or(namespace.policy),
            namespace,
            live_only,
        });
        out.push(Effect::Attach { request, channel, from });
    }

    pub(super) fn attached(
        &mut self,
        request: RequestId,
        channel: ChannelName,
        channel_id: ChannelId,
        mut attachment: Attachment,
        out: &mut Vec<Effect>,
    ) {
        let Some(at) = self.attaching.iter().position(|one| one.request == request) else {
            return;
        };
        let Attaching {
            namespace,
            policy,
            live_only,
            ..
        } = self.attaching.swap_remove(at);
        if self.attaching.is_empty() {
            self.attaching = Vec::new(); // most sessions attach once and then live long
        }
        if !self.allows(&channel, Operation::Subscribe) {
            // A new token came between the request and its answer, and does not cover the channel.
            let action = "subscribe to";
            let refusal = Refusal::Forbidden { action, channel };
            return out.push(Effect::Send(Answer::Refused { request, refusal }));
        }
        let live_only = live_only || !self.allows(&channel, Operation::History);
        if live_only && attachment.position != attachment.head {
            attachment.outcome = Outcome::Discontinuity(Reason::Forbidden);
            attachment.position = attachment.head.clone();
        }
        // Attaching again moves the reader; its old place is given up first.
        if let Some(place) = self.places.find(channel_id) {
            self.vacate(place, out);
        }
        let at = attachment.position.clone();
        let values = attachment.values.take();
        let mut subscription = Subscription::new(channel.clone(), channel_id, at.epoch.clone(), at.seq, policy);
        subscription.live_only = live_only;
        let place = self.places.put(Held::Read(subscription));
        out.push(Effect::Send(Answer::Attached {
            request,
            channel,
            channel_id,
            namespace,
            policy,
            attachment,
        }));
        out.push(Effect::Join { place, channel_id });
        out.extend(values.map(|values| Effect::Snapshot { place, values, at }));
        out.push(Effect::Step { place });
    }

    pub(super) fn detach(&mut self, request: RequestId, channel_id: ChannelId, out: &mut Vec<Effect>) {
        if self.unwatch(request, channel_id, out) {
            return;
        }
        let Some(place) = self.places.find(channel_id) else {
            return out.push(Effect::Send(Answer::Refused {
                request,
                refusal: Refusal::NotAttached,
            }));
        };
        self.vacate(place, out);
        out.push(Effect::Send(Answer::Detached { request, channel_id }));
    }

    pub(super) fn pull(&mut self, channel_id: ChannelId, after: Seq, out: &mut Vec<Effect>) {
        let refuse = |refusal| Effect::Send(Answer::PullRefused { channel_id, refusal });
        let place = self.places.find(channel_id);
        let Some((place, subscription)) = place.and_then(|place| Some((place, self.places.get_mut(place)?))) else {
            return out.push(refuse(Refusal::NotAttached));
        };
        if after > subscription.cursor || !subscription.may_read(after) {
            // A cursor ahead of what was sent would skip messages silently, and one before the place of a
            // session that may not read the past would show it.
            return out.push(refuse(Refusal::BadRequest(
                "a pull asks for messages after one that was sent, and this one was not",
            )));
        }
        let reserved = subscription.pull(after);
        out.push(Effect::Step { place });
        if reserved {
            self.regain(0, place, out);
        }
    }

    pub(super) fn attach_refused(&mut self, request: RequestId, refusal: Refusal, out: &mut Vec<Effect>) {
        self.attaching.retain(|one| one.request != request);
        out.push(Effect::Send(Answer::Refused { request, refusal }));
    }

    pub(super) fn fetched(&mut self, place: Place, ticket: PageTicket, page: Fetched, out: &mut Vec<Effect>) {
        let awaited = self.places.get_mut(place).filter(|one| one.awaits(ticket));
        let Some(subscription) = awaited else {
            return; // its reservation came back when the reader moved away
        };
        match page {
            Fetched::Page { through, bytes } => {
                subscription.paged(through);
                out.push(Effect::Step { place });
                self.regain(bytes, place, out);
            }
            Fetched::Lost { reason, position } => {
                subscription.moved(&position);
                out.push(Effect::Send(Answer::Discontinuity {
                    channel_id: subscription.channel_id,
                    reason,
                    position,
                }));
                out.push(Effect::Step { place });
                self.regain(0, place, out);
            }
            Fetched::Busy => {
                let cursor = subscription.cursor;
                subscription.paged(cursor);
                self.regain(0, place, out);
            }
            Fetched::Refused(refusal) => {
                let channel_id = subscription.channel_id;
                out.push(Effect::Send(Answer::PullRefused { channel_id, refusal }));
                self.vacate(place, out);
                out.push(Effect::Send(Answer::Detached {
                    request: RequestId(0),
                    channel_id,
                }));
            }
        }
    }

    /// What the page of the reader at `place` did not use comes back. The other readers may have
    /// waited for it, and the client need not grant anything for what it was never sent.
    fn regain(&mut self, sent: usize, place: Place, out: &mut Vec<Effect>) {
        self.credit.settle(sent);
        let others = self
            .places
            .held()
            .map(|(other, _)| other)
            .filter(|other| *other != place);
        out.extend(others.map(|place| Effect::Step { place }));
    }

    pub(super) fn step_all(&self, out: &mut Vec<Effect>) {
        out.extend(self.places.held().map(|(place, _)| Effect::Step { place }));
    }

    pub(super) fn vacate(&mut self, place: Place, out: &mut Vec<Effect>) {
        let held = self.places.take(place);
        out.push(Effect::Leave { place });
        if matches!(held, Some(Held::Read(one)) if one.is_fetching()) && !self.settings.faults.credit_leak() {
            self.regain(0, place, out);
        }
    }
}
