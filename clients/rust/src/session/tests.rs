//! A client's session under a hand-driven server and clock.

use bytes::Bytes;
use starling_protocol::v1::server_frame;
use starling_protocol::{limits, v1::ErrorCode};

use super::*;
use crate::channel::room::Taken;
use crate::roster::Told;
use crate::token::Token;
use crate::{
    Event, From, Position, PresenceError, PublishError, PublishOptions, Published, SubscribeError, SubscribeOptions,
    TokenError, TokenRequest, WatchOptions,
};

mod closing;
mod connecting;
mod presence;
mod publishing;
mod random;
mod reading;
mod subscribing;
mod tokens;

const A: &str = "http://a";
const B: &str = "http://b";
const LOBBY: &str = "demo:lobby";

/// A session, with a clock.
struct Bench {
    session: Session,
    start: Instant,
    now: Instant,
    /// What was dialed last, in order.
    contenders: Vec<Url>,
    subscriptions: u64,
    tickets: u64,
}

/// What a session did.
#[derive(Debug, Default)]
struct Did {
    dialed: Vec<String>,
    asked: Vec<TokenRequest>,
    sent: Vec<client_frame::Body>,
    datagrams: Vec<client_frame::Body>,
    hung_up: bool,
    subscribed: Vec<(u64, Result<(), SubscribeError>)>,
    events: Vec<(u64, Event)>,
    ended: Vec<u64>,
    answers: Vec<Result<Published, PublishError>>,
    /// Who enters, updates or watches was told.
    present: Vec<(u64, Result<(), PresenceError>)>,
    told: Vec<Told>,
    unwatched: Vec<u64>,
    out: Vec<(u64, PresenceError)>,
    left: Vec<u64>,
    states: Vec<State>,
}

impl Bench {
    fn new(bases: &[&str], token: &str, has_provider: bool) -> Self {
        let identity = Identity {
            publisher: [7; 16],
            client: [8; 16],
            agent: "test/1".into(),
            token: Token(token.into()),
            has_provider,
        };
        let bases = bases
            .iter()
            .map(|base| Url::parse(base).expect("a URL of the test"))
            .collect();
        let now = Instant::now();
        Self {
            session: Session::new(identity, bases, 0),
            start: now,
            now,
            contenders: Vec::new(),
            subscriptions: 0,
            tickets: 0,
        }
    }

    /// One that is connected to `A`, without a token.
    fn open() -> Self {
        let mut bench = Self::new(&[A, B], "", false);
        bench.feed(Input::Start);
        bench.dialed();
        bench.frame(welcome());
        bench
    }

    fn feed(&mut self, input: Input) -> Did {
        let mut effects = Vec::new();
        self.session.handle(input, self.now, &mut effects);
        let mut did = Did::default();
        for effect in effects {
            if let Effect::Dial(bases) = &effect {
                self.contenders.clone_from(bases);
            }
            did.note(effect);
        }
        did
    }

    /// The first that is tried is reached, if any is.
    fn dialed(&mut self) -> Did {
        let base = self.contenders.first().cloned();
        self.feed(Input::Dialed {
            base: base.unwrap_or_else(|| Url::parse(A).expect("a URL of the test")),
            transport: Transport::WebSocket,
            nodes: Vec::new(),
        })
    }

    fn frame(&mut self, frame: impl Into<server_frame::Body>) -> Did {
        self.feed(Input::Frame {
            frame: frame.into(),
            bytes: 100,
        })
    }

    fn lost(&mut self) -> Did {
        self.feed(Input::Lost(Ending::because("it broke")))
    }

    fn goodbye(&mut self, code: u16) -> Did {
        self.frame(v1::Goodbye {
            code: code.into(),
            reason: "go".into(),
            ..v1::Goodbye::default()
        })
    }

    /// It is `ms` milliseconds after the start, and nothing was heard since the last frame.
    fn wake(&mut self, ms: u64) -> Did {
        self.now = self.start + Duration::from_millis(ms);
        self.feed(Input::Wake { heard: None })
    }

    /// The time of the next wake-up, in milliseconds after the start.
    fn wakes_at(&self) -> u128 {
        let at = self.session.wake_at().expect("there is something to wait for");
        at.saturating_duration_since(self.start).as_millis()
    }

    /// Waits for the end of a back-off, and connects.
    fn reconnect(&mut self) -> Did {
        let mut did = self.wake(u64::try_from(self.wakes_at()).expect("a short test") + 1);
        did.join(self.dialed());
        did.join(self.frame(welcome()));
        did
    }

    fn subscribe(&mut self, channel: &str, options: SubscribeOptions) -> Did {
        let id = SubscriptionId(self.subscriptions);
        self.subscriptions += 1;
        self.feed(Input::Subscribe {
            id,
            channel: channel.into(),
            options,
        })
    }

    /// Subscribes to the lobby and attaches it after `seq` as channel 5.
    fn attach(&mut self, seq: u64) -> Did {
        let request = self.subscribe(LOBBY, SubscribeOptions::default()).request();
        self.frame(attached(request, LOBBY, 5, seq))
    }

    fn enter(&mut self, channel: &str, state: &'static str) -> Did {
        let id = SubscriptionId(self.subscriptions);
        self.subscriptions += 1;
        self.feed(Input::Enter {
            id,
            channel: channel.into(),
            state: state.into(),
            timeout: Duration::from_secs(2),
        })
    }

    fn update(&mut self, id: u64, state: &'static str) -> Did {
        self.feed(Input::Update {
            id: SubscriptionId(id),
            state: state.into(),
            timeout: Duration::from_secs(2),
        })
    }

    fn watch(&mut self, channel: &str, options: WatchOptions) -> Did {
        let id = SubscriptionId(self.subscriptions);
        self.subscriptions += 1;
        self.feed(Input::Watch {
            id,
            channel: channel.into(),
            options,
        })
    }

    fn leave(&mut self, id: u64) -> Did {
        self.feed(Input::Unsubscribe(SubscriptionId(id)))
    }

    fn publish(&mut self, payload: &'static str) -> Did {
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        self.feed(Input::Publish {
            ticket,
            options: PublishOptions::new(LOBBY, payload),
        })
    }

    fn ack(&mut self, request: u64, serial: u64) -> Did {
        let position = Some(wire(serial));
        self.frame(v1::Ack {
            request,
            serial,
            position,
            copies: 1,
            time_ms: 5_000,
            ..v1::Ack::default()
        })
    }
}

impl Did {
    fn note(&mut self, effect: Effect) {
        match effect {
            Effect::Dial(bases) => self.dialed.extend(bases.iter().map(Url::to_string)),
            Effect::AskToken(why) => self.asked.push(why),
            Effect::Send(frame) => {
                assert!(!self.hung_up, "{frame:?} is sent after the connection was ended");
                self.sent.push(frame);
            }
            Effect::SendDatagram(frame) => {
                assert!(!self.hung_up, "{frame:?} is sent after the connection was ended");
                self.datagrams.push(frame);
            }
            Effect::Hangup => self.hung_up = true,
            Effect::Subscribed { id, outcome } => self.subscribed.push((id.0, outcome)),
            Effect::Deliver { to, item } => self.events.push((to.0, item.event)),
            Effect::End(id) => self.ended.push(id.0),
            Effect::Present { id, outcome } => self.present.push((id.0, outcome)),
            Effect::Tell { item, .. } => self.told.push(item.event),
            Effect::Unwatched(id) => self.unwatched.push(id.0),
            Effect::Out { id, error } => self.out.push((id.0, error)),
            Effect::Left(id) => self.left.push(id.0),
            Effect::Answer { outcome, .. } => self.answers.push(outcome),
            Effect::Settled(_) => {}
            Effect::State(state) => self.states.push(state),
        }
    }

    fn join(&mut self, later: Self) {
        self.dialed.extend(later.dialed);
        self.sent.extend(later.sent);
        self.datagrams.extend(later.datagrams);
        self.events.extend(later.events);
        self.present.extend(later.present);
        self.told.extend(later.told);
        self.out.extend(later.out);
        self.states.extend(later.states);
    }

    /// The names of the frames that were sent.
    fn names(&self) -> Vec<&'static str> {
        self.sent.iter().map(client_frame::Body::name).collect()
    }

    /// The request of the last frame that was sent.
    fn request(&self) -> u64 {
        match self.sent.last() {
            Some(client_frame::Body::Attach(frame)) => frame.request,
            Some(client_frame::Body::Detach(frame)) => frame.request,
            Some(client_frame::Body::Publish(frame)) => frame.request,
            Some(client_frame::Body::Skip(frame)) => frame.request,
            Some(client_frame::Body::Refresh(frame)) => frame.request,
            Some(client_frame::Body::Enter(frame)) => frame.request,
            Some(client_frame::Body::Leave(frame)) => frame.request,
            Some(client_frame::Body::Watch(frame)) => frame.request,
            other => panic!("{other:?} is no request"),
        }
    }

    /// The code of the Goodbye that was sent last.
    fn farewell(&self) -> u32 {
        match self.sent.last() {
            Some(client_frame::Body::Goodbye(goodbye)) => goodbye.code,
            other => panic!("{other:?} is no goodbye"),
        }
    }

    fn closed(&self) -> &CloseReason {
        match self.states.last() {
            Some(State::Closed { reason }) => reason,
            other => panic!("{other:?}"),
        }
    }

    fn seqs(&self) -> Vec<u64> {
        let seq = |(_, event): &(u64, Event)| match event {
            Event::Message(message) => Some(message.position.seq),
            _ => None,
        };
        self.events.iter().filter_map(seq).collect()
    }
}

fn welcome() -> v1::Welcome {
    v1::Welcome {
        version: 1,
        session: "s1".into(),
        node: "a".into(),
        generation: 1,
        heartbeat_ms: 10_000,
        time_ms: 1_000_000,
        window: Some(v1::Window::default()),
        limits: Some(v1::Limits {
            frame_bytes: 66_560,
            channels: 100,
            publishes_in_flight: 64,
        }),
        expires_ms: 0,
        datagram_bytes: 0,
    }
}

fn wire(seq: u64) -> v1::Position {
    v1::Position {
        epoch: "0-a".into(),
        seq,
        term: 1,
    }
}

fn attached(request: u64, channel: &str, channel_id: u32, seq: u64) -> v1::Attached {
    v1::Attached {
        request,
        channel_id,
        channel: channel.into(),
        position: Some(wire(seq)),
        head: seq,
        window: Some(v1::Window::default()),
        policy: v1::Policy::Recover.into(),
        keyed: false,
        outcome: Some(v1::attached::Outcome::Resumed(v1::Resumed {})),
    }
}

fn publication(channel_id: u32, seq: u64) -> v1::Publication {
    v1::Publication {
        channel_id,
        seq,
        term: 1,
        time_ms: 1_000_000 + seq,
        payload: Bytes::from_static(b"hi"),
        ..Default::default()
    }
}

fn refusal(request: u64, channel_id: u32, code: ErrorCode) -> v1::Error {
    v1::Error {
        request,
        channel_id,
        code: code.into(),
        message: "no".into(),
        ..v1::Error::default()
    }
}
