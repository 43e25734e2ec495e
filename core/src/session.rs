//! One client's session at its gateway: hello → open → closed.
//!
//! The machine decides what a session may do and what it is told; the node's session task carries
//! it out. It takes [`Input`]s, one per thing that can happen to a session, and answers with
//! [`Effect`]s. Messages themselves do not pass through it: it hands out a cursor's [`Next`] step
//! ([`Session::next`]) and the task copies encoded frames from the channel's ring.
//!
//! ```text
//!   Opening ──hello──▶ Authenticating ──granted──▶ Open ──drain──▶ Draining ──▶ Closed
//!      └── deadline, anything else ─────refused──────┴── goodbye, silence, expiry, fault ──┘
//! ```
//!
//! * [`turn`]: inputs and effects;
//! * [`request`]: what a client can ask, as types; [`answer`]: what it is told;
//! * `reading`, `publishing`, `watching`, `editing`, `granting`: what becomes of its requests;
//! * [`subscription`], `places`: the channels of the session;
//! * [`credit`]: how many bytes of pages the client takes;
//! * `liveness`: whether the other side is there; `pace`: whether it waits for its acks, and how it is listened to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::{Grant, Operation};
use crate::fault::Faults;
use crate::id::{ChannelName, PublisherId, Seq, Subject};
use crate::namespace::Namespaces;
use crate::pulse::Windows;
use crate::rate::Rate;
use crate::ring::Span;
use crate::time::Now;

pub mod answer;
pub mod credit;
mod editing;
mod granting;
mod liveness;
mod pace;
mod places;
mod publishing;
mod reading;
pub mod request;
pub mod subscription;
pub mod turn;
mod watching;

pub use turn::{Effect, Fetched, Input};

use answer::{Answer, Farewell};
use credit::Credit;
use editing::Editing;
use liveness::{Liveness, Silence};
use places::Places;
use publishing::Publishing;
use reading::Attaching;
use request::Request;
use subscription::{Next, Subscription};
use watching::Presence;

/// Bytes of messages in one page. Large enough that paging runs at the speed of the link, small
/// enough that a page is one turn of the channel and one write.
pub const PAGE_BYTES_MAX: u32 = 256 * 1024;

/// Channels one session may ever hold, whatever the configuration says: the places fit in the two
/// words that a session and its channels signal with.
pub const PLACES_MAX: usize = 128;

/// How long a node that stops waits for the answers to what its sessions have published. A commit takes milliseconds;
/// a store that takes longer than this has stopped to answer.
const DRAINING_TIME_MAX: Duration = Duration::from_secs(2);

/// Stands for a channel on one node until it restarts; the same for all its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub u32);

/// Stands for a document on one node as long as anybody there has it open; the same for all its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId(pub u32);

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
    /// Channels attached or watched at once, at most [`PLACES_MAX`].
    pub channels_max: usize,
    /// Channels that a client is in at once.
    pub entries_max: usize,
    /// Time between two requests about presence on average; `None` sets no rate.
    pub presence_interval: Option<Duration>,
    /// Time between two ephemeral states on average; what comes faster is dropped. `None` sets no rate.
    pub ephemeral_interval: Option<Duration>,
    /// Documents open at once; 0 where none are served.
    pub documents_max: usize,
    /// Time between two parts of documents on average; `None` sets no rate. Who is faster is heard later.
    pub document_interval: Option<Duration>,
    /// Time between two attaches on average; `None` sets no rate.
    pub attach_interval: Option<Duration>,
    /// Publishes and skips taken and not yet answered.
    pub publishes_in_flight_max: u16,
    /// How long a client that does not wait for its acks is not listened to, so that its publishes are taken together.
    pub windows: Windows,
    /// How long after its end a token still counts, because clocks differ.
    pub token_leeway: Duration,
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

/// One client's session. See the module.
#[derive(Debug)]
pub struct Session {
    settings: Arc<Settings>,
    phase: Phase,
    grant: Option<Arc<Grant>>,
    /// When the grant is over, by the clock that does not step.
    grant_ends: Option<Instant>,
    publisher: PublisherId,
    credit: Credit,
    attach_rate: Rate,
    places: Places,
    /// Attaches on their way to their owner.
    attaching: Vec<Attaching>,
    in_flight: u16,
    /// Since the first publish: most sessions only read.
    publishing: Option<Box<Publishing>>,
    /// Since it first had to do with more than channels.
    beside: Option<Box<Beside>>,
    page_tickets: u32,
    liveness: Liveness,
}

/// What a session has to do with beside its channels. Most have nothing.
#[derive(Debug, Default)]
struct Beside {
    presence: Presence,
    editing: Editing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opening {
        deadline: Instant,
    },
    Authenticating,
    Open,
    /// The client is to go elsewhere: nothing new is taken, and what was taken is still answered.
    Draining {
        deadline: Instant,
        why: Elsewhere,
    },
    Closed,
}

/// Why a client is to go to another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Elsewhere {
    /// This one stops.
    Draining,
    /// This one has too many.
    Rebalanced,
}

impl Elsewhere {
    const fn of(farewell: &Farewell) -> Option<Self> {
        match farewell {
            Farewell::Draining => Some(Self::Draining),
            Farewell::Rebalanced => Some(Self::Rebalanced),
            _ => None,
        }
    }
}

impl From<Elsewhere> for Farewell {
    fn from(why: Elsewhere) -> Self {
        match why {
            Elsewhere::Draining => Self::Draining,
            Elsewhere::Rebalanced => Self::Rebalanced,
        }
    }
}

impl Session {
    /// A connection that has not said hello. Its time for that began at `since`: what the transport
    /// needed to get here is part of it.
    #[must_use]
    pub fn new(settings: Arc<Settings>, since: Instant, now: Instant) -> Self {
        Self {
            phase: Phase::Opening {
                deadline: since + settings.hello_timeout,
            },
            settings,
            grant: None,
            grant_ends: None,
            publisher: PublisherId::default(),
            credit: Credit::new(0),
            attach_rate: Rate::default(),
            places: Places::default(),
            attaching: Vec::new(),
            in_flight: 0,
            publishing: None,
            beside: None,
            page_tickets: 0,
            liveness: Liveness::new(now),
        }
    }

    /// Whether the session has said hello and was admitted, and is not closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whom its token names; nobody before it was admitted.
    #[must_use]
    pub fn subject(&self) -> Subject {
        let grant = self.grant.as_ref();
        grant.map_or_else(Subject::anonymous, |grant| grant.subject.clone())
    }

    /// Whether the session is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// When to send [`Input::Wake`]; `None` once closed.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Opening { deadline } => Some(deadline),
            Phase::Draining { deadline, .. } => Some(deadline),
            Phase::Authenticating | Phase::Open => {
                let Settings { heartbeat, .. } = *self.settings;
                let silence = self.liveness.due(heartbeat, self.settings.silence_max());
                Some(self.grant_ends.map_or(silence, |end| end.min(silence)))
            }
            Phase::Closed => None,
        }
    }

    /// By how much it is too late to miss its client now. A node that stood still comes to that late, others do not.
    #[must_use]
    pub fn late(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.liveness.missed_at(self.settings.silence_max()))
    }

    /// Everything that was queued is written to the client.
    pub fn wrote(&mut self, now: Instant) {
        self.liveness.said(now);
        if let Some(publishing) = &mut self.publishing {
            publishing.pace.wrote(self.settings.windows, now);
        }
    }

    /// Until when acks may wait for others to share a write with, as long as nothing else is to be written; `None` when
    /// they are to be written at once.
    #[must_use]
    pub fn acks_held_until(&self) -> Option<Instant> {
        self.publishing.as_ref()?.pace.held_until(self.settings.windows)
    }

    /// When the client is to be listened to next: it publishes on without waiting, and what it sends is taken together.
    /// `None` when it is listened to at once.
    #[must_use]
    pub fn listens_at(&self) -> Option<Instant> {
        self.publishing.as_ref()?.pace.listens_at()
    }

    /// All that the client had sent was read.
    pub fn listened(&mut self, now: Instant) {
        let Settings {
            windows,
            publishes_in_flight_max,
            ..
        } = *self.settings;
        if let Some(publishing) = &mut self.publishing {
            publishing.pace.listened(windows, publishes_in_flight_max, now);
        }
    }

    /// The one entrance.
    pub fn handle(&mut self, input: Input, now: Now, out: &mut Vec<Effect>) {
        if self.phase == Phase::Closed {
            return;
        }
        match input {
            Input::Received(request) => {
                self.liveness.heard(now.instant);
                self.received(request, now, out);
            }
            Input::Datagram { channel, ephemeral } if self.is_open() => {
                self.liveness.heard(now.instant);
                self.ephemeral(channel, ephemeral, now.instant, out);
            }
            Input::Datagram { .. } => {}
            Input::Authenticated(verdict) => self.authenticated(verdict, now, out),
            Input::Reauthenticated { request, verdict } => self.reauthenticated(request, verdict, now, out),
            Input::Attached {
                request,
                channel,
                channel_id,
                attachment,
            } => self.attached(request, channel, channel_id, attachment, out),
            Input::AttachRefused { request, refusal } => self.attach_refused(request, refusal, out),
            Input::Acknowledged { request, serial, ack } => self.acknowledged(request, serial, ack, now, out),
            Input::PublishRefused { request, refusal } => self.publish_refused(request, refusal, out),
            Input::Fetched { place, ticket, page } => self.fetched(place, ticket, page, out),
            Input::PresenceAnswered { request, answer } => self.presence_answered(request, answer, out),
            Input::Watched {
                request,
                place,
                channel_id,
            } => self.watched(request, place, channel_id, out),
            Input::WatchRefused {
                request,
                place,
                refusal,
            } => self.watch_refused(request, place, refusal, out),
            Input::DocumentOpening {
                request,
                document,
                editor,
            } => self.document_opening(request, document, editor, out),
            Input::DocumentOpened { editor, document_id } => self.document_opened(editor, document_id, out),
            Input::DocumentClosed { editor, why } => self.document_closed(editor, &why, out),
            Input::DocumentsClosed(why) => self.documents_closed(&why, out),
            Input::Wake => self.wake(now.instant, out),
            Input::Dismiss(farewell) => match Elsewhere::of(&farewell).filter(|_| self.is_open()) {
                Some(why) => {
                    let deadline = now.instant + DRAINING_TIME_MAX;
                    self.phase = Phase::Draining { deadline, why };
                }
                None => self.close(farewell, out),
            },
            Input::Stuck => self.liveness.stuck(),
        }
        if let Phase::Draining { why, .. } = self.phase
            && self.in_flight == 0
            && self.attaching.is_empty()
        {
            self.close(why.into(), out);
        }
    }

    /// What is due to the reader at `place`, given what its ring spans.
    pub fn next(&mut self, place: Place, span: Span) -> Next {
        let ticket = PageTicket(self.page_tickets);
        let Some(subscription) = self.places.get_mut(place) else {
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
        self.places.get(place)
    }

    /// Messages up to `cursor` were queued for the reader at `place`.
    pub fn delivered(&mut self, place: Place, cursor: Seq) {
        if let Some(subscription) = self.places.get_mut(place) {
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
            // What comes from now on is for the next session: the goodbye says that it is not answered.
            (Phase::Draining { .. } | Phase::Closed, _) => {}
        }
    }

    fn serve(&mut self, request: Request, now: Now, out: &mut Vec<Effect>) {
        match request {
            Request::Hello(_) => self.close(Farewell::HelloTwice, out),
            Request::Ping { nonce } => out.push(Effect::Send(Answer::Pong { nonce, time: now.wall })),
            Request::Pong | Request::Malformed => {}
            Request::Refresh(refresh) => out.push(Effect::Reauthenticate(refresh)),
            Request::Attach(attach) => self.attach(attach, now.instant, out),
            Request::Detach { request, channel_id } => self.detach(request, channel_id, out),
            Request::Publish(publish) => self.publish(publish, now, out),
            Request::Skip(skip) => self.skip(skip, out),
            Request::Pull { channel_id, after } => self.pull(channel_id, after, out),
            Request::Credit { bytes } => {
                self.credit.grant(bytes);
                self.step_all(out);
            }
            Request::Enter {
                request,
                channel,
                state,
            } => self.enter(request, channel, state, now.instant, out),
            Request::LeavePresence { request, channel } => self.leave_presence(request, channel, now.instant, out),
            Request::Watch { request, channel, mode } => self.watch(request, channel, mode, now.instant, out),
            Request::Ephemeral { channel, ephemeral } => self.ephemeral(channel, ephemeral, now.instant, out),
            Request::OpenDocument { request, document } => self.open_document(request, document, out),
            Request::CloseDocument { document_id } => self.close_document(document_id, out),
            Request::DocumentPart(part) => self.document_part(part, now.instant, out),
            Request::Goodbye { returns: false } => self.close(Farewell::ClientLeft, out),
            Request::Goodbye { returns: true } => self.close(Farewell::ClientReturns, out),
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
                self.hold(grant, now);
            }
            Err(farewell) => self.close(farewell, out),
        }
    }

    fn wake(&mut self, now: Instant, out: &mut Vec<Effect>) {
        match self.phase {
            Phase::Opening { deadline } if now >= deadline => self.close(Farewell::HelloLate, out),
            Phase::Draining { deadline, why } if now >= deadline => self.close(why.into(), out),
            Phase::Open if self.grant_ends.is_some_and(|end| now >= end) => self.close(Farewell::TokenExpired, out),
            Phase::Authenticating | Phase::Open => {
                let Settings { heartbeat, .. } = *self.settings;
                match self.liveness.look(heartbeat, self.settings.silence_max(), now) {
                    Silence::Short => {}
                    Silence::Ask => out.push(Effect::Send(Answer::Ping)),
                    Silence::Gone => self.close(Farewell::Silent, out),
                    Silence::Stuck => self.close(Farewell::Slow, out),
                }
            }
            Phase::Opening { .. } | Phase::Draining { .. } | Phase::Closed => {}
        }
    }

    fn close(&mut self, farewell: Farewell, out: &mut Vec<Effect>) {
        self.phase = Phase::Closed;
        let left = std::mem::take(&mut self.places);
        out.extend(left.held().map(|(place, _)| Effect::Leave { place }));
        out.extend(left.watched().map(|(place, _)| Effect::Unwatch { place }));
        out.push(Effect::Close(farewell));
    }

    fn allows(&self, channel: &ChannelName, operation: Operation) -> bool {
        self.grant
            .as_ref()
            .is_some_and(|grant| grant.allows(channel, operation))
    }
}

#[cfg(test)]
mod tests;
