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
use crate::time::WallTime;

mod granting;

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
        };
        let mut settings = Settings {
            hello_timeout: 5 * SECOND,
            window: Duration::from_millis(5),
            heartbeat: 10 * SECOND,
            channels_max: 2,
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

#[test]
fn nothing_is_taken_before_hello() {
    for request in [
        Request::Ping { nonce: 1 },
        Request::Malformed,
        Request::Credit { bytes: 1 },
    ] {
        let mut harness = Harness::new(|_| {});
        assert_eq!(*farewell(&harness.receive(request)), Farewell::HelloFirst);
    }
    let mut harness = Harness::new(|_| {});
    harness.receive(Request::Hello(hello()));
    assert_eq!(
        *farewell(&harness.receive(Request::Pong)),
        Farewell::HelloFirst,
        "not even while it is checked"
    );
}

#[test]
fn a_second_hello_ends_the_session() {
    assert_eq!(
        *farewell(&Harness::open().receive(Request::Hello(hello()))),
        Farewell::HelloTwice
    );
}

#[test]
fn hello_has_a_deadline() {
    let mut harness = Harness::new(|_| {});
    assert_eq!(harness.session.wake_at(), Some(harness.start + 5 * SECOND));
    harness.at(5 * SECOND - Duration::from_nanos(1));
    assert!(harness.handle(Input::Wake).is_empty());
    harness.at(5 * SECOND);
    assert_eq!(*farewell(&harness.handle(Input::Wake)), Farewell::HelloLate);
    assert!(harness.session.is_closed() && harness.session.wake_at().is_none());
}

#[test]
fn the_time_for_hello_began_before_the_session() {
    let harness = Harness::new(|_| {});
    let later = harness.start + 3 * SECOND;
    let session = Session::new(Arc::clone(&harness.session.settings), harness.start, later);
    assert_eq!(session.wake_at(), Some(harness.start + 5 * SECOND));
}

#[test]
fn a_refused_hello_ends_the_session_and_nothing_is_taken_after() {
    let mut harness = Harness::new(|_| {});
    harness.receive(Request::Hello(hello()));
    let verdict = Input::Authenticated(Err(Farewell::Unauthorized("no".to_owned())));
    assert!(matches!(farewell(&harness.handle(verdict)), Farewell::Unauthorized(_)));
    assert!(harness.receive(Request::Ping { nonce: 1 }).is_empty());
}

#[test]
fn a_hello_is_printed_without_its_token() {
    assert!(!format!("{:?}", hello()).contains("secret"));
}

#[test]
fn silence_is_asked_about_once_and_then_ends_the_session() {
    let mut harness = Harness::open();
    assert_eq!(harness.session.wake_at(), Some(harness.start + 10 * SECOND));
    harness.at(10 * SECOND);
    assert!(matches!(harness.handle(Input::Wake)[..], [Effect::Send(Answer::Ping)]));
    assert_eq!(harness.session.wake_at(), Some(harness.start + 15 * SECOND));
    harness.at(14 * SECOND);
    assert!(harness.handle(Input::Wake).is_empty(), "asked once");
    harness.at(15 * SECOND);
    assert_eq!(*farewell(&harness.handle(Input::Wake)), Farewell::Silent);
}

#[test]
fn a_client_that_answers_is_asked_again_a_heartbeat_later() {
    let mut harness = Harness::open();
    harness.at(10 * SECOND);
    harness.handle(Input::Wake);
    harness.at(11 * SECOND);
    assert!(harness.receive(Request::Pong).is_empty());
    assert_eq!(harness.session.wake_at(), Some(harness.start + 20 * SECOND));
    harness.at(20 * SECOND);
    assert!(matches!(harness.handle(Input::Wake)[..], [Effect::Send(Answer::Ping)]));
}

#[test]
fn a_client_that_only_sends_hears_from_us_every_heartbeat() {
    let mut harness = Harness::open();
    for second in 1..=9 {
        harness.at(second * SECOND);
        harness.receive(Request::Pong);
    }
    assert_eq!(harness.session.wake_at(), Some(harness.start + 10 * SECOND));
    let wrote = harness.start + 9 * SECOND;
    harness.session.wrote(wrote);
    assert_eq!(harness.session.wake_at(), Some(harness.start + 19 * SECOND));
}

#[test]
fn a_client_that_does_not_read_is_slow_not_silent() {
    let mut harness = Harness::open();
    harness.handle(Input::Stuck);
    harness.at(15 * SECOND);
    assert_eq!(*farewell(&harness.handle(Input::Wake)), Farewell::Slow);
}

#[test]
fn attaching_takes_a_namespace_a_right_and_room() {
    let mut harness = Harness::open();
    assert!(matches!(
        refusal(&harness.attach(1, "nope:a", From::Head)),
        Refusal::UnknownNamespace(_)
    ));
    let mut other = Harness::new(|_| {});
    other.say_hello("chat:mine", Operations::ALL);
    assert!(matches!(
        refusal(&other.attach(1, "chat:yours", From::Head)),
        Refusal::Forbidden { .. }
    ));
    harness.attached(2, "chat:a", 1, 0, 0);
    harness.attach(3, "chat:b", From::Head);
    let effects = harness.attach(4, "chat:c", From::Head);
    assert_eq!(
        *refusal(&effects),
        Refusal::TooManyChannels { max: 2 },
        "those on their way count"
    );
    let effects = harness.handle(Input::AttachRefused {
        request: RequestId(3),
        refusal: Refusal::Busy,
    });
    assert_eq!(*refusal(&effects), Refusal::Busy);
    assert!(matches!(
        harness.attach(5, "chat:c", From::Head)[..],
        [Effect::Attach { .. }]
    ));
}

#[test]
fn attaching_has_a_rate_that_a_refused_attach_does_not_use_up() {
    let mut harness = Harness::new(|settings| {
        settings.attach_interval = Some(SECOND);
        settings.channels_max = 100;
    });
    harness.say_hello("chat:*", Operations::ALL);
    for (request, channel) in [(1, "nope:a"), (2, "slow:a")] {
        let effects = harness.attach(request, channel, From::Head);
        assert!(refusal(&effects).retry_after().is_none(), "{effects:?}");
    }
    for request in [3, 4] {
        harness.attached(request, "chat:a", 9, 0, 0);
    }
    let limited = Refusal::RateLimited {
        limit: Limit::AttachRate,
        retry_after: SECOND,
    };
    assert_eq!(*refusal(&harness.attach(5, "chat:a", From::Head)), limited);
    harness.at(SECOND);
    harness.attached(6, "chat:a", 9, 0, 0);
    assert_eq!(*refusal(&harness.attach(7, "chat:b", From::Head)), limited);
    assert!(
        matches!(harness.publish(8, "chat:a", b"x")[..], [Effect::Publish { .. }]),
        "publishing has a rate of its own"
    );
}

#[test]
fn without_the_right_to_history_only_the_head_is_a_place_to_start() {
    let live = Operations::default().with(Operation::Subscribe);
    let mut harness = Harness::new(|_| {});
    harness.say_hello("*", live);
    assert!(matches!(
        refusal(&harness.attach(1, "chat:a", From::Rewind(5))),
        Refusal::Forbidden { .. }
    ));
    assert!(matches!(
        harness.attach(2, "chat:a", From::Rewind(0))[..],
        [Effect::Attach { from: From::Head, .. }]
    ));
    let effects = harness.handle(confirmed(2, "chat:a", 1, 3, 7));
    let Some(Effect::Send(Answer::Attached { attachment, .. })) = effects.first() else {
        panic!("{effects:?}");
    };
    assert_eq!(attachment.outcome, Outcome::Discontinuity(Reason::Forbidden));
    assert_eq!(attachment.position, position(7));
    harness.attach(3, "chat:b", From::Position(position(7)));
    let effects = harness.handle(confirmed(3, "chat:b", 2, 7, 7));
    assert!(
        matches!(&effects[0], Effect::Send(Answer::Attached { attachment, .. }) if attachment.outcome == Outcome::Resumed),
        "at the head nothing was missed"
    );
}

#[test]
fn an_attached_channel_has_a_place_until_it_is_left() {
    let mut harness = Harness::open();
    let effects = harness.attached(1, "chat:a", 9, 4, 4);
    assert!(
        matches!(
            effects[..],
            [
                Effect::Send(Answer::Attached { .. }),
                Effect::Join {
                    place: PLACE,
                    channel_id: ChannelId(9)
                },
                Effect::Step { place: PLACE }
            ]
        ),
        "{effects:?}"
    );
    assert_eq!(harness.session.subscription(PLACE).map(|one| one.cursor), Some(Seq(4)));
    let detach = |request, id| Request::Detach {
        request: RequestId(request),
        channel_id: ChannelId(id),
    };
    assert_eq!(*refusal(&harness.receive(detach(2, 8))), Refusal::NotAttached);
    let effects = harness.receive(detach(3, 9));
    assert!(
        matches!(
            effects[..],
            [Effect::Leave { place: PLACE }, Effect::Send(Answer::Detached { .. })]
        ),
        "left before it is said, so that nothing follows: {effects:?}"
    );
    assert!(harness.session.subscription(PLACE).is_none());
}

#[test]
fn attaching_again_moves_the_reader() {
    let mut harness = Harness::open();
    harness.attached(1, "chat:a", 9, 4, 4);
    let effects = harness.attached(2, "chat:a", 9, 1, 4);
    assert!(matches!(effects[0], Effect::Leave { place: PLACE }), "{effects:?}");
    assert_eq!(harness.session.subscription(PLACE).map(|one| one.cursor), Some(Seq(1)));
    assert!(harness.session.subscription(Place(1)).is_none());
}

#[test]
fn publishing_takes_room_among_the_unanswered() {
    let mut harness = Harness::open();
    assert!(matches!(
        harness.publish(1, "chat:a", b"x")[..],
        [Effect::Publish { .. }]
    ));
    assert!(matches!(
        harness.publish(2, "chat:a", b"x")[..],
        [Effect::Publish { .. }]
    ));
    assert_eq!(
        *refusal(&harness.publish(3, "chat:a", b"x")),
        Refusal::TooManyInFlight { max: 2 }
    );
    let ack = channel::Ack {
        position: Some(position(1)),
        copies: 1,
        duplicate: false,
    };
    let effects = harness.handle(Input::Acknowledged {
        request: RequestId(1),
        serial: Serial(1),
        ack,
    });
    assert!(matches!(effects[..], [Effect::Send(Answer::Ack { .. })]));
    assert!(matches!(
        harness.publish(4, "chat:a", b"x")[..],
        [Effect::Publish { .. }]
    ));
}

#[test]
fn publishing_has_limits_of_size_right_and_rate() {
    let mut harness = Harness::open();
    let large: &'static [u8] = &[0; 101];
    assert_eq!(
        *refusal(&harness.publish(1, "chat:a", large)),
        Refusal::PayloadTooLarge {
            bytes: 101,
            bytes_max: 100
        }
    );
    assert!(matches!(
        harness.publish(2, "slow:a", b"x")[..],
        [Effect::Publish { .. }]
    ));
    assert!(
        matches!(harness.publish(3, "slow:a", b"x")[..], [Effect::Publish { .. }]),
        "one second of burst"
    );
    let mut harness = Harness::new(|settings| settings.publishes_in_flight_max = 100);
    harness.say_hello("*", Operations::ALL);
    harness.publish(1, "slow:a", b"x");
    harness.publish(2, "slow:a", b"x");
    assert!(matches!(
        refusal(&harness.publish(3, "slow:a", b"x")),
        Refusal::RateLimited {
            limit: Limit::PublishRate,
            ..
        }
    ));
    let mut reader = Harness::new(|_| {});
    reader.say_hello("*", Operations::default().with(Operation::Subscribe));
    assert!(matches!(
        refusal(&reader.publish(1, "chat:a", b"x")),
        Refusal::Forbidden { .. }
    ));
}

#[test]
fn publishing_has_a_limit_of_bytes_that_what_is_refused_does_not_use_up() {
    let mut harness = Harness::open();
    let payload: &'static [u8] = &[0; 100];
    let publish = |harness: &mut Harness, request| {
        let effects = harness.publish(request, "narrow:a", payload);
        harness.handle(Input::PublishRefused {
            request: RequestId(request),
            refusal: Refusal::Busy,
        }); // it is answered, one way or the other
        effects
    };
    for request in 1..=3 {
        assert!(
            matches!(publish(&mut harness, request)[..], [Effect::Publish { .. }]),
            "{request}"
        );
    }
    let limited = |retry_after| Refusal::RateLimited {
        limit: Limit::PublishBytes,
        retry_after,
    };
    assert_eq!(*refusal(&publish(&mut harness, 4)), limited(SECOND / 2));
    assert_eq!(*refusal(&publish(&mut harness, 5)), limited(SECOND / 2));
    harness.at(SECOND / 2);
    assert!(matches!(publish(&mut harness, 6)[..], [Effect::Publish { .. }]));
    assert!(
        matches!(harness.publish(7, "chat:a", payload)[..], [Effect::Publish { .. }]),
        "another namespace has no such limit"
    );
}

#[test]
fn a_pull_asks_again_for_what_was_sent_and_no_more() {
    let mut harness = Harness::open();
    harness.attached(1, "chat:a", 9, 4, 20);
    assert_eq!(harness.session.next(PLACE, span(5, 20)), Next::Messages);
    harness.session.delivered(PLACE, Seq(20));
    let pull = |id, seq| Request::Pull {
        channel_id: ChannelId(id),
        after: Seq(seq),
    };
    for (id, seq) in [(8, 1), (9, 21)] {
        let effects = harness.receive(pull(id, seq));
        assert!(
            matches!(effects[..], [Effect::Send(Answer::PullRefused { .. })]),
            "{effects:?}"
        );
    }
    let effects = harness.receive(pull(9, 10));
    assert!(matches!(effects[..], [Effect::Step { place: PLACE }]), "{effects:?}");
    assert_eq!(harness.session.subscription(PLACE).map(|one| one.cursor), Some(Seq(10)));
}

#[test]
fn pages_are_fetched_as_credit_allows_and_late_ones_are_not_counted() {
    let mut harness = Harness::open();
    harness.attached(1, "chat:a", 9, 0, 1_000);
    let Next::Page { after: Seq(0), ticket } = harness.session.next(PLACE, span(900, 1_000)) else {
        panic!("the past comes in pages");
    };
    // The reader moves away: what was reserved for its page is free again.
    harness.receive(Request::Pull {
        channel_id: ChannelId(9),
        after: Seq(0),
    });
    let Next::Page { ticket: second, .. } = harness.session.next(PLACE, span(900, 1_000)) else {
        panic!("there is credit for one page");
    };
    let page = |through| Fetched::Page {
        through: Seq(through),
        bytes: PAGE_BYTES_MAX as usize,
    };
    let fetched = |ticket, page| Input::Fetched {
        place: PLACE,
        ticket,
        page,
    };
    assert!(
        harness.handle(fetched(ticket, page(500))).is_empty(),
        "nobody waits for the first"
    );
    assert_eq!(harness.session.subscription(PLACE).map(|one| one.cursor), Some(Seq(0)));
    harness.handle(fetched(second, page(500)));
    assert_eq!(
        harness.session.subscription(PLACE).map(|one| one.cursor),
        Some(Seq(500))
    );
    assert_eq!(
        harness.session.next(PLACE, span(900, 1_000)),
        Next::Nothing,
        "the credit is spent"
    );
    let effects = harness.receive(Request::Credit { bytes: PAGE_BYTES_MAX });
    assert!(matches!(effects[..], [Effect::Step { place: PLACE }]), "{effects:?}");
    let Next::Page { ticket, .. } = harness.session.next(PLACE, span(900, 1_000)) else {
        panic!("there is credit again");
    };
    let lost = Fetched::Lost {
        reason: Reason::Truncated,
        position: position(1_000),
    };
    let effects = harness.handle(fetched(ticket, lost));
    assert!(
        matches!(
            effects[..],
            [Effect::Send(Answer::Discontinuity { .. }), Effect::Step { .. }]
        ),
        "{effects:?}"
    );
    assert_eq!(
        harness.session.subscription(PLACE).map(|one| one.cursor),
        Some(Seq(1_000))
    );
}

#[test]
fn a_reader_of_a_channel_that_is_set_aside_is_told_and_leaves_it() {
    let mut harness = Harness::open();
    harness.attached(1, "chat:a", 9, 0, 1_000);
    let Next::Page { ticket, .. } = harness.session.next(PLACE, span(900, 1_000)) else {
        panic!("the past comes in pages");
    };
    let effects = harness.handle(Input::Fetched {
        place: PLACE,
        ticket,
        page: Fetched::Refused(Refusal::Quarantined),
    });
    assert!(
        matches!(
            effects[..],
            [
                Effect::Send(Answer::PullRefused {
                    channel_id: ChannelId(9),
                    refusal: Refusal::Quarantined
                }),
                Effect::Leave { place: PLACE },
                Effect::Send(Answer::Detached {
                    request: RequestId(0),
                    channel_id: ChannelId(9),
                }),
            ]
        ),
        "{effects:?}"
    );
    assert!(harness.session.subscription(PLACE).is_none());
}

#[test]
fn leaving_a_channel_gives_back_what_its_page_reserved() {
    let mut harness = Harness::open();
    for request in 0..50 {
        harness.attached(request * 2 + 1, "chat:a", 9, 0, 1_000);
        let next = harness.session.next(PLACE, span(900, 1_000));
        assert!(matches!(next, Next::Page { .. }), "round {request}: {next:?}");
        harness.receive(Request::Detach {
            request: RequestId(request * 2 + 2),
            channel_id: ChannelId(9),
        });
    }
}

#[test]
fn credit_that_comes_back_is_offered_to_the_readers_that_wait_for_it() {
    const OTHER: Place = Place(1);
    let lost = || Fetched::Lost {
        reason: Reason::Truncated,
        position: position(1_000),
    };
    let answers: [fn(PageTicket, Fetched) -> Input; 4] = [
        |ticket, page| Input::Fetched {
            place: PLACE,
            ticket,
            page,
        },
        |ticket, _| Input::Fetched {
            place: PLACE,
            ticket,
            page: Fetched::Busy,
        },
        |ticket, _| Input::Fetched {
            place: PLACE,
            ticket,
            page: Fetched::Refused(Refusal::Quarantined),
        },
        |_, _| {
            Input::Received(Request::Detach {
                request: RequestId(3),
                channel_id: ChannelId(9),
            })
        },
    ];
    for answer in answers {
        let mut harness = Harness::open();
        harness.attached(1, "chat:a", 9, 0, 1_000);
        harness.attached(2, "chat:b", 8, 0, 1_000);
        let Next::Page { ticket, .. } = harness.session.next(PLACE, span(900, 1_000)) else {
            panic!("the past comes in pages");
        };
        assert_eq!(
            harness.session.next(OTHER, span(900, 1_000)),
            Next::Nothing,
            "one page of credit"
        );
        // The client was sent nothing, so it grants nothing: nobody else would step the other reader.
        let effects = harness.handle(answer(ticket, lost()));
        let steps = |effect: &Effect| matches!(effect, Effect::Step { place: OTHER });
        assert!(effects.iter().any(steps), "{effects:?}");
        assert!(matches!(
            harness.session.next(OTHER, span(900, 1_000)),
            Next::Page { .. }
        ));
    }
}

#[test]
fn without_the_right_to_history_a_pull_does_not_reach_the_past() {
    let mut harness = Harness::new(|_| {});
    harness.say_hello("chat:*", Operations::default().with(Operation::Subscribe));
    harness.attached(1, "chat:a", 9, 10, 10);
    let pull = |harness: &mut Harness, after| {
        let effects = harness.receive(Request::Pull {
            channel_id: ChannelId(9),
            after: Seq(after),
        });
        matches!(effects[..], [Effect::Step { place: PLACE }])
    };
    harness.session.delivered(PLACE, Seq(14));
    assert!(pull(&mut harness, 10), "what came since it joined");
    harness.session.delivered(PLACE, Seq(14));
    assert!(!pull(&mut harness, 9), "what came before");
    let Next::Page { ticket, .. } = harness.session.next(PLACE, span(30, 40)) else {
        panic!("what it missed since comes in pages");
    };
    harness.handle(Input::Fetched {
        place: PLACE,
        ticket,
        page: Fetched::Lost {
            reason: Reason::Truncated,
            position: position(40),
        },
    });
    // It may not have had room for the news, and asks again from where it stands.
    assert!(pull(&mut harness, 10) && !pull(&mut harness, 9));
}

#[test]
fn a_closed_session_leaves_all_its_channels() {
    let mut harness = Harness::open();
    harness.attached(1, "chat:a", 1, 0, 0);
    harness.attached(2, "chat:b", 2, 0, 0);
    let effects = harness.handle(Input::Dismiss(Farewell::Draining));
    assert!(
        matches!(
            effects[..],
            [
                Effect::Leave { .. },
                Effect::Leave { .. },
                Effect::Close(Farewell::Draining)
            ]
        ),
        "{effects:?}"
    );
}

#[test]
fn a_node_that_stops_answers_what_it_has_taken_first() {
    let mut harness = Harness::open();
    harness.publish(7, "chat:a", b"x");
    assert_eq!(
        harness.handle(Input::Dismiss(Farewell::Draining)).len(),
        0,
        "an ack is due"
    );
    assert!(harness.publish(8, "chat:a", b"x").is_empty(), "nothing new is taken");
    let effects = harness.handle(Input::Acknowledged {
        request: RequestId(7),
        serial: Serial(1),
        ack: channel::Ack {
            position: Some(position(1)),
            copies: 1,
            duplicate: false,
        },
    });
    assert!(
        matches!(
            effects[..],
            [Effect::Send(Answer::Ack { .. }), Effect::Close(Farewell::Draining)]
        ),
        "{effects:?}"
    );
}

#[test]
fn a_node_that_stops_does_not_wait_for_ever() {
    let mut harness = Harness::open();
    harness.publish(7, "chat:a", b"x");
    harness.handle(Input::Dismiss(Farewell::Draining));
    let deadline = harness.session.wake_at().expect("it waits");
    assert_eq!(deadline, harness.now.instant + DRAINING_TIME_MAX);
    harness.now.instant = deadline;
    let effects = harness.handle(Input::Wake);
    assert!(
        matches!(effects[..], [Effect::Close(Farewell::Draining)]),
        "{effects:?}"
    );
}
