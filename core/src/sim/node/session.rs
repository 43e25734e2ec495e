//! A client's session: see what happened, let the rules decide, write.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Node;
use super::channel::Message;
use super::mailbox::Delivery;
use super::snapshot::Snapshot;
use crate::id::ChannelName;
use crate::session::answer::{Answer, Farewell};
use crate::session::request::Request;
use crate::session::{ChannelId, Input, PLACES_MAX, Place, Session};
use crate::sim::check::Rule;
use crate::sim::link::{Down, Frame, LinkId, Up};
use crate::sim::scene::{Event, Scene};
use crate::sim::sight::Sight;

/// Frames read in one go.
const FRAMES_PER_TURN: usize = 8;

/// From something that concerns a session to the turn that looks.
const WAKE_TIME_MAX: Duration = Duration::from_millis(2);

/// A feed that the session reads.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) feed: ChannelId,
    /// What a reader of a keyed channel gets before its first message.
    pub(super) snapshot: Option<Snapshot>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct SessionTask {
    pub(super) rules: Session,
    pub(super) inbox: Vec<Delivery>,
    pub(super) incoming: VecDeque<Up>,
    pub(super) queue: VecDeque<Frame>,
    /// By place: the feed that is read there.
    pub(super) readers: Vec<Option<Reader>>,
    pub(super) arriving: Option<ChannelId>,
    /// A bit per place whose feed has moved, that may have something due, that is to look again.
    pub(super) moved: u128,
    pub(super) due: u128,
    pub(super) retry: u128,
    /// Something due did not fit what may be queued.
    pub(super) starved: bool,
    /// A request on its way to a channel whose mailbox is full. Nothing is read meanwhile.
    pub(super) forwarding: Option<(ChannelName, Message)>,
    alarm: Option<Instant>,
    rung: bool,
    /// Nobody is woken by what arrives.
    dozes: bool,
    pub(super) ending: Option<Farewell>,
    turning: bool,
}

impl SessionTask {
    fn new(scene: &Scene) -> Self {
        Self {
            rules: Session::new(
                Arc::clone(&scene.setup.session),
                scene.now().instant,
                scene.now().instant,
            ),
            inbox: Vec::new(),
            incoming: VecDeque::new(),
            queue: VecDeque::new(),
            readers: Vec::new(),
            arriving: None,
            moved: 0,
            due: 0,
            retry: 0,
            starved: false,
            forwarding: None,
            alarm: None,
            rung: false,
            dozes: false,
            ending: None,
            turning: false,
        }
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.queue.iter().map(Frame::bytes).sum()
    }

    /// Until when all that is queued may wait for others to share a write with.
    pub(super) fn acks_held_until(&self) -> Option<Instant> {
        let is_ack = |frame: &Frame| matches!(frame, Frame::Answer(Answer::Ack { .. }));
        self.rules.acks_held_until().filter(|_| self.queue.iter().all(is_ack))
    }

    /// Whether the input lets go of a reader while a page is on its way to it.
    pub(super) fn leaves_in_fetch(&self, input: &Input) -> bool {
        let (Input::Received(Request::Detach { channel_id, .. }) | Input::Attached { channel_id, .. }) = input else {
            return false;
        };
        let at = |reader: &Option<Reader>| reader.as_ref().is_some_and(|reader| reader.feed == *channel_id);
        let place = self.readers.iter().position(at).and_then(|at| u8::try_from(at).ok());
        let subscription = place.and_then(|at| self.rules.subscription(Place(at)));
        subscription.is_some_and(|one| one.is_fetching())
    }

    /// Whether it would write if it could.
    pub(super) fn wants_room(&self) -> bool {
        self.starved || !self.queue.is_empty()
    }
}

impl Node {
    pub(super) fn accept(&mut self, link: LinkId, scene: &mut Scene) {
        self.sessions.insert(link, SessionTask::new(scene));
        self.wake_session(link, scene);
    }

    /// A client's frame has arrived, or its end.
    pub(super) fn arrived(&mut self, link: LinkId, what: Up, scene: &mut Scene) {
        if let Some(session) = self.sessions.get_mut(&link) {
            session.incoming.push_back(what);
            if !session.dozes {
                self.wake_session(link, scene);
            }
        }
    }

    /// Has a session look what happened.
    pub(super) fn wake_session(&mut self, link: LinkId, scene: &mut Scene) {
        if let Some(session) = self.sessions.get_mut(&link)
            && !std::mem::replace(&mut session.turning, true)
        {
            let wait = scene.dice.time((Duration::ZERO, WAKE_TIME_MAX));
            scene.agenda.after(wait, Event::Session(link));
        }
    }

    /// An alarm of a session rings.
    pub(in crate::sim) fn ring(&mut self, link: LinkId, scene: &mut Scene) {
        if let Some(session) = self.sessions.get_mut(&link) {
            session.rung = true;
            self.wake_session(link, scene);
        }
    }

    /// There may be room in a channel's mailbox: whoever waits for it tries again.
    pub(super) fn room_again(&mut self, channel: &ChannelName, scene: &mut Scene) {
        let waits = |session: &SessionTask| session.forwarding.as_ref().is_some_and(|(of, _)| of == channel);
        let waiting: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, session)| waits(session))
            .map(|(link, _)| *link)
            .collect();
        for link in waiting {
            self.wake_session(link, scene);
        }
    }

    /// A session's turn.
    pub(in crate::sim) fn session_turn(&mut self, link: LinkId, scene: &mut Scene) {
        let Some(session) = self.sessions.get_mut(&link) else {
            return;
        };
        session.turning = false;
        for delivery in std::mem::take(&mut session.inbox) {
            self.answered(link, delivery, scene);
        }
        self.rung(link, scene);
        self.forward_again(link, scene);
        let gone = self.read_frames(link, scene);
        if !gone {
            self.write(link, scene);
        }
        let Some(session) = self.sessions.get_mut(&link) else {
            return;
        };
        let ending = if gone {
            Some(Farewell::ClientLeft)
        } else {
            session.ending.take()
        };
        if let Some(farewell) = ending {
            return self.end(link, farewell, scene);
        }
        self.keeps_bounds(link, scene);
        self.set_alarm(link, scene);
    }

    /// Reads frames while there are some, there is room for answers, and no owner is waited for.
    /// Whether the client is gone.
    fn read_frames(&mut self, link: LinkId, scene: &mut Scene) -> bool {
        if self.listens_later(link, scene) {
            return false;
        }
        for _ in 0..FRAMES_PER_TURN {
            let Some(session) = self.sessions.get_mut(&link) else {
                return true;
            };
            let room = session.queued_bytes() < scene.setup.send_queue;
            if session.ending.is_some() || session.forwarding.is_some() || !room {
                return false;
            }
            match session.incoming.pop_front() {
                Some(Up::Request(request)) => {
                    scene.arrived_late(link, &request);
                    self.handle(link, Input::Received(request), scene);
                }
                Some(Up::Closed) => return true,
                Some(Up::Open) => {}
                None => {
                    session.rules.listened(scene.now().instant);
                    self.listens_later(link, scene);
                    return false;
                }
            }
        }
        // There may be more: come back after the others.
        self.wake_session(link, scene);
        false
    }

    /// Whether the client is left alone for now. An alarm ends that, and nothing that it sends.
    fn listens_later(&mut self, link: LinkId, scene: &mut Scene) -> bool {
        let Some(session) = self.sessions.get_mut(&link) else {
            return false;
        };
        let now = scene.now().instant;
        let later = session.rules.listens_at().filter(|at| now < *at);
        session.dozes = later.is_some();
        if let Some(at) = later {
            scene.saw(Sight::Gathered);
            scene.agenda.at(at, Event::Alarm(link));
        }
        later.is_some()
    }

    fn rung(&mut self, link: LinkId, scene: &mut Scene) {
        let now = scene.now().instant;
        let Some(session) = self.sessions.get_mut(&link).filter(|session| session.rung) else {
            return;
        };
        session.rung = false;
        session.due |= std::mem::take(&mut session.retry);
        if session.alarm.is_some_and(|at| at <= now) {
            session.alarm = None;
            let is_stuck = !session.queue.is_empty();
            if is_stuck {
                self.handle(link, Input::Stuck, scene);
            }
            self.handle(link, Input::Wake, scene);
            let ending = self.sessions.get(&link).and_then(|session| session.ending.as_ref());
            if is_stuck && ending == Some(&Farewell::Slow) {
                scene.saw(Sight::Stuck);
            }
        }
    }

    fn set_alarm(&mut self, link: LinkId, scene: &mut Scene) {
        if let Some(session) = self.sessions.get_mut(&link)
            && let Some(at) = session.rules.wake_at()
            && session.alarm.is_none_or(|set| at < set)
        {
            session.alarm = Some(at);
            scene.agenda.at(at, Event::Alarm(link));
        }
    }

    /// Says goodbye if there is somebody to say it to, and closes.
    fn end(&mut self, link: LinkId, farewell: Farewell, scene: &mut Scene) {
        match farewell {
            Farewell::Silent => scene.saw(Sight::Silent),
            Farewell::TokenExpired => scene.saw(Sight::TokenExpired),
            _ => {}
        }
        for place in 0..PLACES_MAX {
            self.leave(link, Place(u8::try_from(place).expect("a place fits")));
        }
        let Some(session) = self.sessions.remove(&link) else {
            return;
        };
        for delivery in session.inbox {
            if let Delivery::Attached { feed, .. } = delivery
                && let Some(feed) = self.feeds.get_mut(&feed)
            {
                feed.arriving -= 1;
            }
        }
        if let Some(reply) = session.forwarding.and_then(|(_, message)| message.reply()) {
            self.asked.remove(&reply); // it was never handed over
        }
        // What the link does not take at once is lost, and the client learns all the same.
        let goodbye = (!farewell.is_of_client()).then_some(Frame::Goodbye);
        for frame in session.queue.into_iter().chain(goodbye) {
            if !scene.send_frame(link, &frame) {
                break;
            }
        }
        scene.send_down(link, Down::Closed, 0);
    }

    fn keeps_bounds(&self, link: LinkId, scene: &mut Scene) {
        let Some(session) = self.sessions.get(&link) else {
            return;
        };
        let setup = Arc::clone(&scene.setup);
        let in_flight = usize::from(setup.session.publishes_in_flight_max);
        let places = session.readers.len();
        // One ring of the newest of each key, and what was asked for: a page per place, an answer per request.
        let answers = (in_flight + places + FRAMES_PER_TURN) * 64;
        let bytes_max = setup.send_queue + setup.ring.bytes * 2 + places * (setup.page.0 as usize * 2) + answers;
        let queued = session.queued_bytes();
        scene.ensure(queued <= bytes_max, Rule::Bounds, || {
            format!("{link} has {queued} bytes queued, of {bytes_max}")
        });
        let (inbox, inbox_max) = (session.inbox.len(), in_flight + setup.session.channels_max * 2 + 1);
        scene.ensure(inbox <= inbox_max, Rule::Bounds, || {
            format!("{link} has {inbox} answers waiting")
        });
    }
}
