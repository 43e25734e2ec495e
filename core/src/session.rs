//! One client's session at its gateway: hello → open → closed.
//!
//! The machine decides what a session may do and what it is told; the node's session task carries
//! it out. It takes [`Input`]s, one per thing that can happen to a session, and answers with
//! [`Effect`]s. Messages themselves do not pass through it: it hands out a cursor's [`Next`] step
//! ([`Session::next`]) and the task copies encoded frames from the channel's ring.
//!
//! ```text
//!   Opening ──hello──▶ Authenticating ──granted──▶ Open ──▶ Closed
//!      └── deadline, anything else ─────refused──────┴── goodbye, silence, fault, drain
//! ```
//!
//! * [`request`]: what a client can ask, as types;
//! * [`answer`]: what it is told;
//! * [`subscription`]: one channel of the session;
//! * [`credit`]: how many bytes of pages the client takes;
//! * [`rate`]: how fast it may publish.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::{Grant, Operation};
use crate::backpressure::Policy;
use crate::channel::{self, Attachment, Outcome, Reason, Refusal, Values};
use crate::fault::Faults;
use crate::id::{Author, ChannelName, Position, PublisherId, Seq, Serial};
use crate::namespace::{Namespace, Namespaces};
use crate::ring::Span;
use crate::time::Now;

pub mod answer;
pub mod credit;
pub mod rate;
pub mod request;
pub mod subscription;

use answer::{Answer, Farewell};
use credit::Credit;
use rate::Rate;
use request::{Attach, Hello, Publish, Request, RequestId, Skip};
use subscription::{Next, Subscription};

/// Bytes of messages in one page. Large enough that paging runs at the speed of the link, small
/// enough that a page is one turn of the channel and one write.
pub const PAGE_BYTES_MAX: u32 = 256 * 1024;

/// Channels one session may ever hold, whatever the configuration says: the places fit in the two
/// words that a session and its channels signal with.
pub const PLACES_MAX: usize = 128;

/// Stands for a channel on one node until it restarts; the same for all its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub u32);

/// Where a session keeps one channel: an index below [`PLACES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(pub u8);

/// Names one fetched page, so that a page nobody waits for any more is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageTicket(pub u32);

/// What holds for every session of a node.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a connection may take to say hello.
    pub hello_timeout: Duration,
    /// Neither side is silent for longer: it pings. Silence of one and a half times this is loss.
    pub heartbeat: Duration,
    /// Channels attached at once, at most [`PLACES_MAX`].
    pub channels_max: usize,
    /// Publishes and skips taken and not yet answered.
    pub publishes_in_flight_max: u16,
    /// The channels that exist, by namespace.
    pub namespaces: Namespaces,
    /// Planted faults; none outside the simulation.
    pub faults: Faults,
}

impl Settings {
    /// Silence after which the other side counts as lost.
    #[must_use]
    pub fn silence_max(&self) -> Duration {
        self.heartbeat + self.heartbeat / 2
    }
}

/// Everything that can happen to a session.
#[derive(Debug)]
pub enum Input {
    /// A frame of the client, already parsed.
    Received(Request),
    /// The answer to [`Effect::Authenticate`].
    Authenticated(Result<Arc<Grant>, Farewell>),
    /// The owner confirmed an attach.
    Attached {
        /// The request it answers.
        request: RequestId,
        /// The channel.
        channel: ChannelName,
        /// Its number on this node.
        channel_id: ChannelId,
        /// Where the reader stands.
        attachment: Attachment,
    },
    /// The owner answered a publish or a skip.
    Acknowledged {
        /// The request it answers.
        request: RequestId,
        /// The serial it settles.
        serial: Serial,
        /// The answer.
        ack: channel::Ack,
    },
    /// The owner refused an attach, a publish or a skip.
    Refused {
        /// The request it answers.
        request: RequestId,
        /// Why.
        refusal: Refusal,
    },
    /// The page asked for by [`Next::Page`].
    Fetched {
        /// Where the channel is kept.
        place: Place,
        /// As asked.
        ticket: PageTicket,
        /// The cursor after the page and its bytes, or why there is none.
        page: Fetched,
    },
    /// The instant asked for by [`Session::wake_at`] has come.
    Wake,
    /// The node is stopping, or an operator wants the session gone.
    Dismiss(Farewell),
    /// Nothing can be written: the client does not read. Cleared by the next write.
    Stuck,
}

/// What became of a page.
#[derive(Debug, Clone)]
pub enum Fetched {
    /// A page of so many bytes is queued; delivery goes on after `through`.
    Page {
        /// The last message of the page.
        through: Seq,
        /// Bytes of the encoded page.
        bytes: usize,
    },
    /// There is none at this position.
    Lost {
        /// Why.
        reason: Reason,
        /// Delivery goes on after it.
        position: Position,
    },
    /// The channel was too busy. Step the reader again after a moment.
    Busy,
}

/// What the session's task must do.
#[derive(Debug)]
pub enum Effect {
    /// Check the token; answer with [`Input::Authenticated`].
    Authenticate(Hello),
    /// Queue an answer to the client.
    Send(Answer),
    /// Ask the owner for a place in the channel; answer with [`Input::Attached`] or refused.
    Attach {
        /// Comes back with the answer.
        request: RequestId,
        /// The channel.
        channel: ChannelName,
        /// Where to start.
        from: channel::From,
    },
    /// The channel is now kept at `place`: listen to its ring.
    Join {
        /// Where.
        place: Place,
        /// Which.
        channel_id: ChannelId,
    },
    /// The reader at `place` of a keyed channel needs these values first. They are sent in parts, as
    /// credit allows ([`Session::reserve_page`]), before anything else of the channel.
    Snapshot {
        /// Where.
        place: Place,
        /// The values.
        values: Values,
        /// They are as of here.
        at: Position,
    },
    /// The channel at `place` is gone from this session.
    Leave {
        /// Where.
        place: Place,
    },
    /// The reader at `place` may have something due: step it.
    Step {
        /// Where.
        place: Place,
    },
    /// Hand a publish to the owner.
    Publish {
        /// Who.
        author: Author,
        /// What.
        publish: Publish,
    },
    /// Hand a skip to the owner.
    Skip {
        /// Who.
        author: Author,
        /// What.
        skip: Skip,
    },
    /// Close the connection once what is queued (a goodbye among it) is written.
    Close(Farewell),
}

/// See the module.
#[derive(Debug)]
pub struct Session {
    settings: Arc<Settings>,
    phase: Phase,
    grant: Option<Arc<Grant>>,
    publisher: PublisherId,
    credit: Credit,
    rate: Rate,
    /// By place; a free place is `None`.
    subscriptions: Vec<Option<Subscription>>,
    /// Attaches on their way to their owner.
    attaching: Vec<Attaching>,
    in_flight: u16,
    page_tickets: u32,
    heard: Instant,
    said: Instant,
    /// A ping was sent since the client was last heard.
    asked: bool,
    /// Nothing could be written since: what the client sends is not read either.
    stuck: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opening { deadline: Instant },
    Authenticating,
    Open,
    Closed,
}

#[derive(Debug)]
struct Attaching {
    request: RequestId,
    namespace: Arc<Namespace>,
    policy: Policy,
    /// The session may not read history: a position behind the head is as good as lost.
    live_only: bool,
}

impl Session {
    /// A connection that has not said hello.
    #[must_use]
    pub fn new(settings: Arc<Settings>, now: Instant) -> Self {
        Self {
            phase: Phase::Opening {
                deadline: now + settings.hello_timeout,
            },
            settings,
            grant: None,
            publisher: PublisherId::default(),
            credit: Credit::new(0),
            rate: Rate::default(),
            subscriptions: Vec::new(),
            attaching: Vec::new(),
            in_flight: 0,
            page_tickets: 0,
            heard: now,
            said: now,
            asked: false,
            stuck: false,
        }
    }

    /// Whether the session has said hello and was admitted, and is not closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether the session is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// When to send [`Input::Wake`]; `None` once closed.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        let heartbeat = self.settings.heartbeat;
        match self.phase {
            Phase::Opening { deadline } => Some(deadline),
            Phase::Authenticating | Phase::Open => {
                let ask = if self.asked {
                    self.said
                } else {
                    self.said.min(self.heard)
                };
                Some((ask + heartbeat).min(self.heard + self.settings.silence_max()))
            }
            Phase::Closed => None,
        }
    }

    /// Something was written to the client.
    pub fn wrote(&mut self, now: Instant) {
        self.said = now;
        self.stuck = false;
    }

    /// The one entrance.
    pub fn handle(&mut self, input: Input, now: Now, out: &mut Vec<Effect>) {
        if self.phase == Phase::Closed {
            return;
        }
        match input {
            Input::Received(request) => {
                self.heard = now.instant;
                self.asked = false;
                self.received(request, now, out);
            }
            Input::Authenticated(verdict) => self.authenticated(verdict, now, out),
            Input::Attached {
                request,
                channel,
                channel_id,
                attachment,
            } => self.attached(request, channel, channel_id, attachment, out),
            Input::Acknowledged { request, serial, ack } => {
                self.in_flight = self.in_flight.saturating_sub(1);
                out.push(Effect::Send(Answer::Ack {
                    request,
                    serial,
                    ack,
                    time: now.wall,
                }));
            }
            Input::Refused { request, refusal } => self.refused(request, refusal, out),
            Input::Fetched { place, ticket, page } => self.fetched(place, ticket, page, out),
            Input::Wake => self.wake(now.instant, out),
            Input::Dismiss(farewell) => self.close(farewell, out),
            Input::Stuck => self.stuck = true,
        }
    }

    /// What is due to the reader at `place`, given what its ring spans.
    pub fn next(&mut self, place: Place, span: Span) -> Next {
        let ticket = PageTicket(self.page_tickets);
        let Some(subscription) = slot(&mut self.subscriptions, place) else {
            return Next::Nothing;
        };
        let next = subscription.next(span, &mut self.credit, ticket);
        if matches!(next, Next::Page { .. }) {
            self.page_tickets = self.page_tickets.wrapping_add(1);
        }
        next
    }

    /// The subscription at `place`.
    #[must_use]
    pub fn subscription(&self, place: Place) -> Option<&Subscription> {
        self.subscriptions.get(usize::from(place.0))?.as_ref()
    }

    /// Messages up to `cursor` were queued for the reader at `place`.
    pub fn delivered(&mut self, place: Place, cursor: Seq) {
        if let Some(subscription) = slot(&mut self.subscriptions, place) {
            subscription.cursor = cursor;
        }
    }

    /// Takes out credit for a page or a part of a snapshot, if there is.
    #[must_use]
    pub fn reserve_page(&mut self) -> bool {
        self.credit.reserve()
    }

    /// Gives back what was reserved and not sent.
    pub fn settle_page(&mut self, sent: usize) {
        self.credit.settle(sent);
    }

    fn received(&mut self, request: Request, now: Now, out: &mut Vec<Effect>) {
        match (self.phase, request) {
            (Phase::Opening { .. }, Request::Hello(hello)) => {
                self.phase = Phase::Authenticating;
                self.publisher = hello.publisher;
                self.credit = Credit::new(hello.page_credit);
                out.push(Effect::Authenticate(hello));
            }
            (Phase::Opening { .. } | Phase::Authenticating, _) => {
                self.close(Farewell::HelloFirst, out);
            }
            (Phase::Open, request) => self.serve(request, now, out),
            (Phase::Closed, _) => {}
        }
    }

    fn serve(&mut self, request: Request, now: Now, out: &mut Vec<Effect>) {
        match request {
            Request::Hello(_) => self.close(Farewell::HelloTwice, out),
            Request::Ping { nonce } => out.push(Effect::Send(Answer::Pong { nonce, time: now.wall })),
            Request::Pong | Request::Malformed => {}
            Request::Attach(attach) => self.attach(attach, out),
            Request::Detach { request, channel_id } => self.detach(request, channel_id, out),
            Request::Publish(publish) => self.publish(publish, now, out),
            Request::Skip(skip) => self.skip(skip, out),
            Request::Pull { channel_id, after } => self.pull(channel_id, after, out),
            Request::Credit { bytes } => {
                self.credit.grant(bytes);
                self.step_all(out);
            }
            Request::Goodbye => self.close(Farewell::ClientLeft, out),
        }
    }

    fn authenticated(&mut self, verdict: Result<Arc<Grant>, Farewell>, now: Now, out: &mut Vec<Effect>) {
        match verdict {
            Ok(grant) => {
                self.phase = Phase::Open;
                out.push(Effect::Send(Answer::Welcome {
                    time: now.wall,
                    expires: grant.expires,
                }));
                self.grant = Some(grant);
            }
            Err(farewell) => self.close(farewell, out),
        }
    }

    fn attach(&mut self, attach: Attach, out: &mut Vec<Effect>) {
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
        let held = self.subscriptions.iter().flatten().count() + self.attaching.len();
        if held >= self.settings.channels_max.min(PLACES_MAX) {
            return refuse(
                Refusal::TooManyChannels {
                    max: self.settings.channels_max,
                },
                out,
            );
        }
        self.attaching.push(Attaching {
            request,
            namespace: Arc::clone(namespace),
            policy: policy.unwrap_or(namespace.policy),
            live_only,
        });
        out.push(Effect::Attach { request, channel, from });
    }

    fn attached(
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
        if live_only && attachment.position != attachment.head {
            attachment.outcome = Outcome::Discontinuity(Reason::Forbidden);
            attachment.position = attachment.head.clone();
        }
        // Attaching again moves the reader; its old place is given up first.
        if let Some(place) = self.place_of(channel_id) {
            self.vacate(place, out);
        }
        let place = self.vacant();
        let at = attachment.position.clone();
        let values = attachment.values.take();
        self.subscriptions[usize::from(place.0)] = Some(Subscription::new(
            channel_id,
            attachment.position.epoch.clone(),
            attachment.position.seq,
            policy,
        ));
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

    fn detach(&mut self, request: RequestId, channel_id: ChannelId, out: &mut Vec<Effect>) {
        let Some(place) = self.place_of(channel_id) else {
            return out.push(Effect::Send(Answer::Refused {
                request,
                refusal: Refusal::NotAttached,
            }));
        };
        self.vacate(place, out);
        out.push(Effect::Send(Answer::Detached { request, channel_id }));
    }

    fn publish(&mut self, publish: Publish, now: Now, out: &mut Vec<Effect>) {
        let refusal = match self.writable(&publish.channel) {
            Ok((author, namespace)) => {
                if publish.payload.len() > namespace.channel.payload_bytes_max {
                    Refusal::PayloadTooLarge {
                        bytes: publish.payload.len(),
                        bytes_max: namespace.channel.payload_bytes_max,
                    }
                } else if let Err(retry_after) = self.rate.take(namespace.publish_interval, now.instant) {
                    Refusal::RateLimited { retry_after }
                } else {
                    self.in_flight += 1;
                    return out.push(Effect::Publish { author, publish });
                }
            }
            Err(refusal) => refusal,
        };
        let request = publish.request;
        out.push(Effect::Send(Answer::Refused { request, refusal }));
    }

    fn skip(&mut self, skip: Skip, out: &mut Vec<Effect>) {
        match self.writable(&skip.channel) {
            Ok((author, _)) => {
                self.in_flight += 1;
                out.push(Effect::Skip { author, skip });
            }
            Err(refusal) => out.push(Effect::Send(Answer::Refused {
                request: skip.request,
                refusal,
            })),
        }
    }

    /// What publishes and skips need alike: a namespace, the right, and room among the unanswered.
    fn writable(&self, channel: &ChannelName) -> Result<(Author, Arc<Namespace>), Refusal> {
        let namespace = self
            .settings
            .namespaces
            .of(channel)
            .ok_or_else(|| Refusal::UnknownNamespace(channel.clone()))?;
        let grant = self
            .grant
            .as_ref()
            .filter(|grant| grant.allows(channel, Operation::Publish))
            .ok_or_else(|| Refusal::Forbidden {
                action: "publish to",
                channel: channel.clone(),
            })?;
        if self.in_flight >= self.settings.publishes_in_flight_max {
            return Err(Refusal::TooManyInFlight {
                max: usize::from(self.settings.publishes_in_flight_max),
            });
        }
        let author = Author {
            subject: grant.subject.clone(),
            publisher: self.publisher,
        };
        Ok((author, Arc::clone(namespace)))
    }

    fn pull(&mut self, channel_id: ChannelId, after: Seq, out: &mut Vec<Effect>) {
        let refuse = |refusal| Effect::Send(Answer::PullRefused { channel_id, refusal });
        let place = self.place_of(channel_id);
        let Some(place) = place else {
            return out.push(refuse(Refusal::NotAttached));
        };
        let Some(subscription) = slot(&mut self.subscriptions, place) else {
            return;
        };
        if after > subscription.cursor {
            // A cursor ahead of what was sent would skip messages silently.
            return out.push(refuse(Refusal::BadRequest(
                "a pull asks for messages after one that was sent, and this one was not",
            )));
        }
        if subscription.pull(after) {
            self.credit.settle(0);
        }
        out.push(Effect::Step { place });
    }

    fn refused(&mut self, request: RequestId, refusal: Refusal, out: &mut Vec<Effect>) {
        if let Some(at) = self.attaching.iter().position(|one| one.request == request) {
            self.attaching.swap_remove(at);
        } else {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        out.push(Effect::Send(Answer::Refused { request, refusal }));
    }

    fn fetched(&mut self, place: Place, ticket: PageTicket, page: Fetched, out: &mut Vec<Effect>) {
        let awaited = slot(&mut self.subscriptions, place).filter(|one| one.awaits(ticket));
        let Some(subscription) = awaited else {
            return; // its reservation came back when the reader moved away
        };
        match page {
            Fetched::Page { through, bytes } => {
                subscription.paged(through);
                self.credit.settle(bytes);
            }
            Fetched::Lost { reason, position } => {
                subscription.epoch = position.epoch.clone();
                subscription.paged(position.seq);
                self.credit.settle(0);
                out.push(Effect::Send(Answer::Discontinuity {
                    channel_id: subscription.channel_id,
                    reason,
                    position,
                }));
            }
            Fetched::Busy => {
                let cursor = subscription.cursor;
                subscription.paged(cursor);
                return self.credit.settle(0);
            }
        }
        out.push(Effect::Step { place });
    }

    fn wake(&mut self, now: Instant, out: &mut Vec<Effect>) {
        match self.phase {
            Phase::Opening { deadline } if now >= deadline => self.close(Farewell::HelloLate, out),
            Phase::Authenticating | Phase::Open => {
                if now >= self.heard + self.settings.silence_max() {
                    let farewell = if self.stuck { Farewell::Slow } else { Farewell::Silent };
                    self.close(farewell, out);
                } else if self.wake_at().is_some_and(|at| now >= at) {
                    self.said = now;
                    self.asked = true;
                    out.push(Effect::Send(Answer::Ping));
                }
            }
            Phase::Opening { .. } | Phase::Closed => {}
        }
    }

    fn close(&mut self, farewell: Farewell, out: &mut Vec<Effect>) {
        self.phase = Phase::Closed;
        for at in 0..self.subscriptions.len() {
            if self.subscriptions[at].take().is_some() {
                out.push(Effect::Leave { place: Place(at as u8) });
            }
        }
        out.push(Effect::Close(farewell));
    }

    fn step_all(&self, out: &mut Vec<Effect>) {
        for (at, subscription) in self.subscriptions.iter().enumerate() {
            if subscription.is_some() {
                out.push(Effect::Step { place: Place(at as u8) });
            }
        }
    }

    fn allows(&self, channel: &ChannelName, operation: Operation) -> bool {
        self.grant
            .as_ref()
            .is_some_and(|grant| grant.allows(channel, operation))
    }

    fn place_of(&self, channel_id: ChannelId) -> Option<Place> {
        let holds = |one: &Option<Subscription>| one.as_ref().is_some_and(|one| one.channel_id == channel_id);
        let at = self.subscriptions.iter().position(holds)?;
        Some(Place(at as u8))
    }

    /// A free place; attaching checked that there is one.
    fn vacant(&mut self) -> Place {
        let at = self.subscriptions.iter().position(Option::is_none);
        let at = at.unwrap_or_else(|| {
            self.subscriptions.reserve_exact(1);
            self.subscriptions.push(None);
            self.subscriptions.len() - 1
        });
        Place(at as u8)
    }

    fn vacate(&mut self, place: Place, out: &mut Vec<Effect>) {
        let subscription = self.subscriptions[usize::from(place.0)].take();
        if subscription.is_some_and(|one| one.is_fetching()) && !self.settings.faults.credit_leak() {
            self.credit.settle(0);
        }
        out.push(Effect::Leave { place });
    }
}

fn slot(subscriptions: &mut [Option<Subscription>], place: Place) -> Option<&mut Subscription> {
    subscriptions.get_mut(usize::from(place.0))?.as_mut()
}

#[cfg(test)]
mod tests;
