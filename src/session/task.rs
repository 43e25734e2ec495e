//! The session's loop: see what happened, let the rules decide, write.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use starling_core::access::Grant;
use starling_core::presence::gateway;
use starling_core::session::answer::Farewell;
use starling_core::session::request::Refresh;
use starling_core::session::{Effect, Fetched, Input, PLACES_MAX, Session};
use starling_protocol::limits;
use tokio::time::Instant;

use super::attendance::Attendance;
use super::deliver::Reader;
use super::editing::Desk;
use super::outbound::Outbound;
use super::{Delivery, Mailbox, PageAnswer};
use crate::actor::registry::Registry;
use crate::auth::Denied;
use crate::fanout::Feed;
use crate::node::Services;
use crate::quotas::Party;
use crate::transport::Connection;
use crate::wire;

/// Bytes of answers that may wait to be written. They come beside the messages that `session.send_queue` bounds, so
/// that a reader that is behind is heard all the same: it says that it lives, and it pulls. Room for some hundred; a
/// client that asks on without reading is not read either, until it has taken everything.
pub(super) const ANSWERS_BYTES_MAX: usize = 16 * 1024;

/// Bytes of acks that may wait for others to share a write with: a hundred, more than a client may have unanswered.
const ACKS_BYTES_MAX: usize = 4 * 1024;

/// How long the end of a session may take: what is queued, the goodbye after it, and the client's own close. What a
/// transport has taken and a slow phone still has to read is about 200 KiB, so half a megabit is enough. Within the
/// time that a node takes to stop. A client that does not read loses the goodbye and nothing else.
const LAST_WORDS_TIME_MAX: Duration = Duration::from_millis(4_500);

/// How a session ended.
pub(super) enum Ending {
    /// The connection is gone.
    Gone,
    /// The client closed the connection, without a goodbye.
    Closed,
    /// The session is over, for this reason.
    Farewell(Farewell),
}

pub(super) struct Task<C> {
    pub(super) connection: C,
    pub(super) registry: Registry,
    pub(super) services: Arc<Services>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) rules: Session,
    pub(super) number: u64,
    /// Whose requests it makes.
    pub(super) party: Party,
    /// By place: the feed that is read there.
    pub(super) readers: Vec<Option<Reader>>,
    /// A feed that the rules are about to give a place.
    pub(super) arriving: Option<Arc<Feed>>,
    /// A bit per place that may have something due.
    pub(super) due: u128,
    /// A bit per place whose page the channel was too busy for.
    pub(super) retry: u128,
    /// Something due did not fit what may be queued.
    pub(super) starved: bool,
    /// Bytes of answers queued since the connection had last taken everything.
    pub(super) answers: usize,
    /// Bytes of acks queued since the last write that may wait for others.
    pub(super) patient: usize,
    /// The place that is looked at first, so that all take their turn with pages.
    pub(super) first: u32,
    /// The client was not listened to, because its answers wait.
    pub(super) deaf: bool,
    /// When messages were written last, and when the next window ends that is waited for.
    pub(super) window: Window,
    /// Requests on their way to their owners. Nothing is read meanwhile.
    pub(super) outbound: Outbound,
    /// By what its client is the same over its reloads, until that is needed.
    pub(super) secret: Option<Box<[u8; 16]>>,
    /// What it has to do with beside its channels. Most have nothing.
    pub(super) beside: Option<Box<Beside>>,
    alarm: Option<Instant>,
    pub(super) ending: Option<Farewell>,
}

/// See [`Task::beside`].
#[derive(Default)]
pub(super) struct Beside {
    /// Where its client is, and whose presence it watches, if anybody's.
    pub(super) attendance: Option<Attendance>,
    /// The documents that it has open.
    pub(super) desk: Desk,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) written: Option<Instant>,
    alarm: Option<Instant>,
}

impl<C: Connection> Task<C> {
    pub(super) fn new(
        connection: C,
        registry: Registry,
        mailbox: Arc<Mailbox>,
        number: u64,
        (address, since): (IpAddr, Instant),
    ) -> Self {
        let services = Arc::clone(registry.services());
        let rules = Session::new(
            Arc::clone(&services.settings),
            since.into_std(),
            services.clock.now().instant,
        );
        Self {
            secret: None,
            beside: None,
            connection,
            registry,
            services,
            mailbox,
            rules,
            number,
            party: Party::at(address),
            readers: Vec::new(),
            arriving: None,
            due: 0,
            retry: 0,
            starved: false,
            answers: 0,
            patient: 0,
            first: 0,
            deaf: false,
            window: Window {
                written: None,
                alarm: None,
            },
            outbound: Outbound::default(),
            alarm: None,
            ending: None,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        // Before looking, so that nothing that comes while we look is slept through.
        self.mailbox.register(cx);
        for delivery in self.mailbox.take_answers() {
            self.answered(delivery);
        }
        let is_rung = self.mailbox.take_rung();
        if is_rung {
            self.rung();
        }
        self.receive_datagrams(cx);
        // What was read before has to be with its owners before more is.
        if self.outbound.poll_send(&self.registry, cx).is_ready() {
            let received = self.receive(cx);
            let _ = self.outbound.poll_send(&self.registry, cx); // pending: asked again above
            if let Poll::Ready(ending) = received {
                return Poll::Ready(ending);
            }
        }
        // Only now that what has come is read: nobody was silent who has written while the node stood still.
        if is_rung {
            self.wake();
        }
        loop {
            self.deliver();
            let documents_wait = self.deliver_documents(cx);
            if self.connection.is_written() || self.acks_wait() {
                break;
            }
            self.patient = 0;
            match self.connection.poll_flush(cx) {
                Poll::Ready(Ok(())) => {
                    self.rules.wrote(self.services.clock.now().instant);
                    self.answers = 0;
                    if std::mem::take(&mut self.deaf) {
                        cx.waker().wake_by_ref();
                    }
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Ending::Gone),
                Poll::Pending => break,
            }
            if !self.starved && !documents_wait {
                break;
            }
        }
        if let Some(farewell) = self.ending.take() {
            return Poll::Ready(Ending::Farewell(farewell));
        }
        self.set_alarm();
        Poll::Pending
    }

    /// Whether all that is queued may wait for others to share a write with; if so, an alarm ends the wait.
    fn acks_wait(&mut self) -> bool {
        let waiting = self.connection.queued_bytes();
        if waiting > self.patient || waiting >= ACKS_BYTES_MAX {
            return false;
        }
        let Some(until) = self.rules.acks_held_until().map(Instant::from_std) else {
            return false;
        };
        if until <= Instant::now() {
            return false;
        }
        self.look_at(until);
        true
    }

    /// Has the session look again when a window ends.
    pub(super) fn look_at(&mut self, until: Instant) {
        // What moves meanwhile gathers in the mailbox, which wakes nobody that it has woken.
        if self.window.alarm.is_none_or(|set| until < set) {
            self.window.alarm = Some(until);
            self.services.windows.set(until, Arc::clone(&self.mailbox) as _);
        }
    }

    fn answered(&mut self, delivery: Delivery) {
        let input = match delivery {
            Delivery::Attached {
                request,
                feed,
                attachment,
            } => {
                let (channel, channel_id) = (feed.channel.clone(), feed.channel_id);
                self.arriving(feed);
                Input::Attached {
                    request,
                    channel,
                    channel_id,
                    attachment,
                }
            }
            Delivery::Acknowledged {
                request,
                serial,
                asked,
                ack,
            } => {
                self.services.metrics.published(asked.elapsed());
                Input::Acknowledged { request, serial, ack }
            }
            Delivery::AttachRefused { request, refusal } => Input::AttachRefused { request, refusal },
            Delivery::PublishRefused { request, refusal } => Input::PublishRefused { request, refusal },
            Delivery::Fetched { place, ticket, page } => {
                let page = match page {
                    PageAnswer::Page(page) => self.queue_page(place, ticket, &page),
                    PageAnswer::Lost { reason, position } => Fetched::Lost { reason, position },
                    PageAnswer::Busy => {
                        self.retry_later(place);
                        Fetched::Busy
                    }
                    PageAnswer::Refused(refusal) => Fetched::Refused(refusal),
                };
                Input::Fetched { place, ticket, page }
            }
            Delivery::PresenceAnswered { request, answer } => {
                let client = self.attend().shown_as();
                let answer = answer.map(|answer| answer.map(|()| client));
                Input::PresenceAnswered { request, answer }
            }
            Delivery::Watched {
                request,
                place,
                channel_id,
            } => Input::Watched {
                request,
                place,
                channel_id,
            },
            Delivery::WatchRefused {
                request,
                place,
                refusal,
            } => Input::WatchRefused {
                request,
                place,
                refusal,
            },
            Delivery::Begin(beginning) => {
                self.due |= 1 << beginning.place.0;
                let by_datagram = self.connection.sends_datagrams();
                return self.attend().begin(*beginning, by_datagram);
            }
            Delivery::Dismiss(farewell) => Input::Dismiss(farewell),
        };
        self.handle(input);
    }

    /// Lets the rules decide, and carries out what they say.
    pub(super) fn handle(&mut self, input: Input) {
        self.carry_out(input);
    }

    /// The same, and gives how much there was to do.
    pub(super) fn carry_out(&mut self, input: Input) -> usize {
        let mut effects = Vec::new();
        let now = self.services.clock.now();
        self.rules.handle(input, now, &mut effects);
        let count = effects.len();
        for effect in effects {
            self.perform(effect);
        }
        count
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Authenticate(hello) => {
                let verdict = self.check(&hello.token);
                self.secret = hello.client.map(Box::new);
                if hello.datagrams {
                    self.connection.permit_datagrams();
                }
                if let Ok(grant) = &verdict {
                    self.services.sessions.name(self.number, &grant.subject);
                    self.connection.limit_frames(self.services.frame_bytes);
                    self.party.identify(grant);
                }
                self.handle(Input::Authenticated(verdict.map_err(|denied| match denied {
                    Denied::TooOften { .. } => Farewell::Throttled,
                    denied => Farewell::Unauthorized(denied.to_string()),
                })));
            }
            Effect::Reauthenticate(Refresh { request, token }) => {
                let verdict = self.check(&token).map_err(|denied| denied.to_string());
                self.handle(Input::Reauthenticated { request, verdict });
            }
            Effect::Send(answer) => self.tell(answer),
            Effect::Attach { request, channel, from } => self.forward_attach(request, &channel, from),
            Effect::Publish { author, publish } => self.forward_publish(author, publish),
            Effect::Skip { author, skip } => self.forward_skip(author, skip),
            Effect::Join { place, channel_id } => self.join(place, channel_id),
            Effect::Snapshot { place, values, at } => self.begin_snapshot(place, values, at),
            Effect::Leave { place } => self.leave(place),
            Effect::Step { place } => self.due |= 1 << place.0,
            Effect::Enter {
                request,
                channel,
                state,
            } => {
                let enter = self.attend().enter(request, channel, state);
                self.outbound.push_presence(enter);
            }
            Effect::LeavePresence { request, channel } => {
                let leave = self.attend().leave_channel(request, channel);
                self.outbound.push_presence(leave);
            }
            Effect::Watch {
                request,
                place,
                channel,
                mode,
            } => {
                let watch = self.attend().watch(request, place, channel, mode);
                self.outbound.push_presence(watch);
            }
            Effect::Unwatch { place } => self.attend().unwatch(place),
            Effect::Ephemeral { channel, ephemeral } => self.attend().pass(channel, ephemeral),
            Effect::OpenDocument {
                request,
                document,
                may_write,
            } => self.open_document(request, document, may_write),
            Effect::PermitDocument { editor, may_write } => self.permit_document(editor, may_write),
            Effect::Say { editor, said } => self.say(editor, said),
            Effect::CloseDocument { editor } => self.close_document(editor),
            Effect::Close(farewell) => {
                if farewell.is_final() {
                    self.is_ending(gateway::End::Left);
                }
                self.ending = Some(farewell);
            }
        }
    }

    /// How the session ends, for those who see its client.
    fn is_ending(&mut self, how: gateway::End) {
        if let Some(attendance) = self.attendance() {
            attendance.ends(how);
        }
    }

    fn attendance(&mut self) -> Option<&mut Attendance> {
        self.beside.as_mut()?.attendance.as_mut()
    }

    /// What a token grants, or why it is not accepted.
    fn check(&self, token: &str) -> Result<Arc<Grant>, Denied> {
        let Services {
            auth, quotas, clock, ..
        } = &*self.services;
        let now = clock.now();
        let verdict = quotas.admit(&self.party, now.instant, || auth.admit(token, now.wall));
        verdict.inspect_err(|denied| self.services.metrics.unauthorized(denied.name()))
    }

    fn rung(&mut self) {
        self.window.alarm = None;
        self.due |= std::mem::take(&mut self.retry);
    }

    /// Has the rules look at the time, if it is what they asked for.
    fn wake(&mut self) {
        let now = Instant::now();
        if self.alarm.is_some_and(|at| at <= now) {
            self.alarm = None;
            if !self.connection.is_written() {
                self.handle(Input::Stuck);
            }
            self.count_dropped_datagrams();
            self.handle(Input::Wake);
        }
    }

    /// Has the session woken when the rules ask for it. An alarm that is set stays: if it rings
    /// early, the next is set then.
    fn set_alarm(&mut self) {
        let Some(at) = self.rules.wake_at() else {
            return;
        };
        let at = Instant::from_std(at);
        if self.alarm.is_none_or(|set| at < set) {
            self.alarm = Some(at);
            self.services.timers.set(at, Arc::clone(&self.mailbox) as _);
        }
    }

    /// Says goodbye if there is somebody to say it to, and closes.
    pub(super) async fn end(mut self, ending: Ending) {
        self.count_dropped_datagrams();
        if let Ending::Closed = ending {
            self.is_ending(gateway::End::Closed);
        }
        let late = self.rules.late(Instant::now().into_std());
        if let Some(attendance) = self.attendance() {
            attendance.is_late(late);
        }
        // At once: others are not to see for as long as the goodbye takes who has gone.
        self.beside = None;
        for place in 0..PLACES_MAX {
            self.leave(starling_core::session::Place(place as u8));
        }
        let farewell = match ending {
            Ending::Gone | Ending::Closed => Farewell::ClientReturns,
            Ending::Farewell(farewell) => farewell,
        };
        let (code, reason) = wire::farewell(&farewell);
        self.services.metrics.closed(C::TRANSPORT, code.name());
        if !farewell.is_of_client() {
            tracing::debug!(
                session = self.number,
                transport = C::TRANSPORT.name(),
                code = code.number(),
                reason,
                "session closed"
            );
            let retry_after = self.services.retry_after(&farewell);
            let alternates = self.services.alternates(&farewell);
            let goodbye = wire::goodbye(code, &reason, retry_after, alternates);
            self.connection.queue(&goodbye);
        }
        let deadline = Instant::now() + LAST_WORDS_TIME_MAX;
        let flushed = std::future::poll_fn(|cx| self.connection.poll_flush(cx));
        if let Ok(Ok(())) = tokio::time::timeout_at(deadline, flushed).await {
            self.connection.close(code.number(), &reason, deadline).await;
        }
    }
}

const _: () = assert!(
    limits::CHANNELS_DEFAULT as usize <= PLACES_MAX,
    "every channel of a session has a place"
);

#[cfg(test)]
mod tests;
