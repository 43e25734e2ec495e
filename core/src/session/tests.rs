//! The session by itself, with every answer given by the test.

use std::num::NonZeroU64;
use std::time::Duration;

use bytes::Bytes;

use super::request::{Attach, Hello, Publish, RequestId};
use super::*;
use crate::access::{Capability, Operations, Pattern};
use crate::backpressure::Policy;
use crate::channel::tests::start;
use crate::channel::{self, Attachment, From, Limit, Outcome, Reason, Refusal};
use crate::id::{Epoch, Position, Serial, Subject, Term};
use crate::namespace::Namespace;
use crate::presence;
use crate::time::WallTime;

mod attaching;
mod closing;
mod editing;
mod granting;
mod liveness;
mod opening;
mod paging;
mod publishing;
mod watching;

const SECOND: Duration = Duration::from_secs(1);

struct Harness {
    session: Session,
    start: Instant,
    now: Now,
}

impl Harness {
    /// A session that has not said hello.
    fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let namespace = |name: &str, interval| Namespace {
            name: name.into(),
            channel: channel::Config {
                payload_bytes_max: 100,
                ..channel::Config::default()
            },
            policy: Policy::Recover,
            publish_interval: interval,
            publish_bytes: NonZeroU64::new(if name == "narrow" { 200 } else { 0 }),
            presence: presence::Settings {
                state_bytes_max: 10,
                ..presence::Settings::default()
            },
        };
        let mut settings = Settings {
            hello_timeout: 5 * SECOND,
            windows: Windows {
                window: Duration::from_millis(5),
                busy: Duration::from_millis(10),
            },
            heartbeat: 10 * SECOND,
            channels_max: 2,
            entries_max: 2,
            documents_max: 2,
            document_interval: None,
            presence_interval: None,
            ephemeral_interval: None,
            attach_interval: None,
            publishes_in_flight_max: 2,
            token_leeway: SECOND,
            namespaces: [
                namespace("chat", None),
                namespace("slow", Some(SECOND)),
                namespace("narrow", None),
            ]
            .into_iter()
            .collect(),
            faults: Faults::default(),
        };
        change(&mut settings);
        let start = start();
        Self {
            session: Session::new(Arc::new(settings), start, start),
            start,
            now: Now {
                instant: start,
                wall: WallTime(1_000_000),
            },
        }
    }

    /// An open session that may do everything in `chat` and `slow`.
    fn open() -> Self {
        let mut harness = Self::new(|_| {});
        harness.say_hello("*", Operations::ALL);
        harness
    }

    fn say_hello(&mut self, pattern: &str, operations: Operations) {
        self.present(grant(pattern, operations));
    }

    /// Says hello with a token that grants this.
    fn present(&mut self, grant: Grant) {
        let effects = self.receive(Request::Hello(hello()));
        assert!(matches!(effects[..], [Effect::Authenticate(_)]), "{effects:?}");
        let effects = self.handle(Input::Authenticated(Ok(Arc::new(grant))));
        assert!(
            matches!(effects[..], [Effect::Send(Answer::Welcome { .. })]),
            "{effects:?}"
        );
    }

    fn handle(&mut self, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        self.session.handle(input, self.now, &mut out);
        out
    }

    fn receive(&mut self, request: Request) -> Vec<Effect> {
        self.handle(Input::Received(request))
    }

    /// Moves the clock to so long after the start.
    fn at(&mut self, since_start: Duration) {
        self.now.instant = self.start + since_start;
    }

    fn attach(&mut self, request: u64, channel: &str, from: From) -> Vec<Effect> {
        self.receive(Request::Attach(Attach {
            request: RequestId(request),
            channel: name(channel),
            from,
            policy: None,
        }))
    }

    /// Attaches and has the owner confirm it.
    fn attached(&mut self, request: u64, channel: &str, id: u32, seq: u64, head: u64) -> Vec<Effect> {
        let effects = self.attach(request, channel, From::Head);
        assert!(matches!(effects[..], [Effect::Attach { .. }]), "{effects:?}");
        self.handle(confirmed(request, channel, id, seq, head))
    }

    fn publish(&mut self, request: u64, channel: &str, payload: &'static [u8]) -> Vec<Effect> {
        self.receive(Request::Publish(Publish {
            request: RequestId(request),
            channel: name(channel),
            serial: Serial(request),
            base: Serial(1),
            since: WallTime(1),
            key: None,
            delete: false,
            payload: Bytes::from_static(payload),
        }))
    }
}

fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).expect("a valid name")
}

/// What Anna may do, for ever.
fn grant(pattern: &str, operations: Operations) -> Grant {
    let capability = Capability {
        pattern: Pattern::parse(pattern).expect("valid"),
        operations,
    };
    Grant {
        subject: Subject::new("anna"),
        capabilities: Arc::new([capability]),
        expires: None,
    }
}

fn hello() -> Hello {
    Hello {
        token: "secret".to_owned(),
        publisher: PublisherId([7; 16]),
        client: None,
        datagrams: false,
        page_credit: 0,
        agent: "test".to_owned(),
    }
}

fn position(seq: u64) -> Position {
    Position {
        epoch: Epoch::parse("0-a").expect("valid"),
        seq: Seq(seq),
        term: Term(1),
    }
}

fn confirmed(request: u64, channel: &str, id: u32, seq: u64, head: u64) -> Input {
    Input::Attached {
        request: RequestId(request),
        channel: name(channel),
        channel_id: ChannelId(id),
        attachment: Attachment {
            outcome: Outcome::Resumed,
            position: position(seq),
            head: position(head),
            values: None,
        },
    }
}

fn refusal(effects: &[Effect]) -> &Refusal {
    match effects {
        [Effect::Send(Answer::Refused { refusal, .. })] => refusal,
        other => panic!("not a refusal: {other:?}"),
    }
}

fn farewell(effects: &[Effect]) -> &Farewell {
    match effects.last() {
        Some(Effect::Close(farewell)) => farewell,
        other => panic!("not a close: {other:?}"),
    }
}

fn span(tail: u64, head: u64) -> Span {
    Span {
        tail: Seq(tail),
        head: Seq(head),
    }
}

const PLACE: Place = Place(0);
