//! One channel that a client reads.
//!
//! The *place* is the position of what its application was handed last. A message after it, a word
//! about messages left out, and a lost place move it; what is not above it is known already. An
//! application that takes nothing fills its room, and what comes then is left with the server and
//! pulled once there is room again.

use std::sync::Arc;
use std::time::Instant;

use super::desk::Desk;
use crate::backpressure::Policy;
use crate::channel::{Attachment, From, Message, Refusal};
use crate::id::{ChannelName, Epoch, Position, Seq, Term};
use crate::session::ChannelId;
use crate::session::request::{Request, RequestId};
use crate::sim::fact::{Fact, ReaderId, Seen};
use crate::sim::plan::Start;
use crate::sim::scene::Scene;
use crate::sim::sight::Sight;

/// See the module.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) id: ReaderId,
    pub(super) channel: ChannelName,
    pub(super) policy: Option<Policy>,
    /// Where to start, if the application said so since it was attached last.
    pub(super) start: Option<From>,
    pub(super) place: Option<Position>,
    pub(super) standing: Standing,
    /// Where the server has it, for all that the client knows.
    channel_id: Option<ChannelId>,
    pub(super) flow: Flow,
    /// Values that came, while there are more.
    pub(super) parts: Vec<Arc<Message>>,
    /// The application takes nothing; so much has piled up, and so much credit is held for it.
    pub(super) paused: bool,
    piled: usize,
    room: usize,
    pub(super) held: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not attached; not to be attached before.
    Apart(Option<Instant>),
    /// Attach is sent, as this request.
    Attaching(RequestId),
    Attached(ChannelId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// What follows the place.
    Live,
    /// The values of a keyed channel, in parts that are kept aside until all are there.
    Values,
    /// Nothing: there was no room, and what came was left with the server.
    Behind,
    /// What follows the place, after what was under way when the server read our pull.
    Pulling,
}

impl Reader {
    pub(super) fn new(id: ReaderId, channel: &ChannelName, room: usize) -> Self {
        Self {
            id,
            channel: channel.clone(),
            policy: None,
            start: None,
            place: None,
            standing: Standing::Apart(None),
            channel_id: None,
            flow: Flow::Live,
            parts: Vec::new(),
            paused: false,
            piled: 0,
            room,
            held: 0,
        }
    }

    pub(super) fn is_attached(&self) -> bool {
        matches!(self.standing, Standing::Attached(_))
    }

    pub(super) fn is_at(&self, channel_id: ChannelId) -> bool {
        self.standing == Standing::Attached(channel_id)
    }

    pub(super) fn awaits(&self, request: RequestId) -> bool {
        self.standing == Standing::Attaching(request)
    }

    pub(super) const fn retry_at(&self) -> Option<Instant> {
        match self.standing {
            Standing::Apart(not_before) => not_before,
            Standing::Attaching(_) | Standing::Attached(_) => None,
        }
    }

    /// The application says where to start, for the first time or again.
    pub(super) fn start(&mut self, start: Start, policy: Option<Policy>) {
        let known = self.place.clone();
        let moved = |seq: &dyn Fn(Seq) -> Seq, term: Term| {
            known.clone().map(|Position { epoch, seq: at, .. }| Position {
                epoch,
                seq: seq(at),
                term,
            })
        };
        let position = match start {
            Start::Head | Start::Rewind(_) => None,
            Start::Back(0) => known.clone(),
            Start::Back(count) => moved(&|at| Seq(at.0.saturating_sub(count)), Term(0)),
            Start::Ahead => moved(&|at| Seq(at.0 + 100_000), Term(0)),
            Start::Forked => moved(&|at| at, Term(77)),
            Start::Unknown => Some(Position {
                epoch: Epoch::parse("none-of-ours").expect("an epoch"),
                seq: Seq(1),
                term: Term(0),
            }),
        };
        self.start = Some(match (position, start) {
            (Some(position), _) => From::Position(position),
            (None, Start::Rewind(count)) => From::Rewind(count),
            (None, _) => From::Head,
        });
        self.policy = policy;
        self.standing = Standing::Apart(None);
    }

    /// The Attach to send, if it is time for one.
    pub(super) fn attach(&mut self, now: Instant) -> Option<From> {
        let Standing::Apart(not_before) = self.standing else {
            return None;
        };
        if not_before.is_some_and(|at| now < at) {
            return None;
        }
        let place = || self.place.clone().map_or(From::Head, From::Position);
        Some(self.start.clone().unwrap_or_else(place))
    }

    pub(super) fn asked(&mut self, request: RequestId) {
        self.standing = Standing::Attaching(request);
    }

    /// The server's answer.
    pub(super) fn attached(
        &mut self,
        channel_id: ChannelId,
        policy: Policy,
        attachment: Attachment,
        scene: &mut Scene,
    ) {
        let asked = match (&self.start, &self.place) {
            (Some(From::Position(position)), _) => Some(position.clone()),
            (Some(From::Head | From::Rewind(_)), _) => None,
            (None, place) => place.clone(),
        };
        self.standing = Standing::Attached(channel_id);
        self.channel_id = Some(channel_id);
        if scene.setup.namespace(&self.channel).channel.keyed {
            // Until the values are complete, a reader that comes back starts from where it started.
            self.flow = Flow::Values;
            self.parts.clear();
        } else {
            self.flow = Flow::Live;
            self.start = None;
            self.place = Some(attachment.position.clone());
        }
        self.tell(
            Seen::Attached {
                asked,
                policy,
                attachment,
            },
            scene,
        );
    }

    /// The attach was refused. Whether for good.
    pub(super) fn refused(&mut self, request: RequestId, refusal: &Refusal, scene: &mut Scene) -> bool {
        if !self.awaits(request) {
            return false;
        }
        if matches!(refusal, Refusal::RateLimited { .. }) {
            scene.saw(Sight::AttachLimited);
        }
        let retry = refusal.retry_after().map(|after| scene.now().instant + after);
        self.standing = Standing::Apart(retry);
        retry.is_none()
    }

    /// The application takes nothing more, or takes it again.
    pub(super) fn pause(&mut self, paused: bool, desk: &mut Desk, scene: &mut Scene) {
        self.paused = paused;
        if !paused {
            self.piled = 0;
            desk.give_back(std::mem::take(&mut self.held), scene);
            self.pull(desk, scene);
        }
    }

    /// The connection is gone.
    pub(super) fn lost(&mut self) {
        self.standing = Standing::Apart(None);
        self.channel_id = None;
        self.held = 0;
    }

    /// The application lets go.
    pub(super) fn end(&mut self, desk: &mut Desk, scene: &mut Scene) {
        desk.give_back(std::mem::take(&mut self.held), scene);
        if let Some(channel_id) = self.channel_id {
            desk.detach(channel_id, scene);
        }
    }

    /// Asks for what was left with the server, if there is room.
    pub(super) fn pull(&mut self, desk: &mut Desk, scene: &mut Scene) {
        if let (Standing::Attached(channel_id), Some(place)) = (self.standing, &self.place)
            && self.flow == Flow::Behind
            && !self.is_full()
        {
            self.flow = Flow::Pulling;
            let after = place.seq;
            desk.send(Request::Pull { channel_id, after }, scene);
        }
    }

    pub(super) const fn is_full(&self) -> bool {
        self.paused && self.piled >= self.room
    }

    pub(super) fn tell(&mut self, seen: Seen, scene: &mut Scene) {
        self.piled += usize::from(self.paused);
        let reader = self.id;
        scene.tell(Fact::Seen { reader, seen });
    }
}
