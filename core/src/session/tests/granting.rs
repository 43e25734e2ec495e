//! Grants that end, and tokens that follow one another.

use super::super::request::Refresh;
use super::*;

const LIVE: Operations = Operations::NONE.with(Operation::Subscribe);

impl Harness {
    /// A session of Anna whose token holds for so long from now on.
    fn until(age: Duration) -> Self {
        let mut harness = Self::new(|_| {});
        let grant = harness.holding(age, grant("*", Operations::ALL));
        harness.present(grant);
        harness
    }

    fn holding(&self, age: Duration, grant: Grant) -> Grant {
        let age = u64::try_from(age.as_millis()).expect("a short test");
        Grant {
            expires: Some(WallTime(self.now.wall.0 + age)),
            ..grant
        }
    }

    fn refresh(&mut self, request: u64, verdict: Result<Grant, String>) -> Vec<Effect> {
        let request = RequestId(request);
        let token = "new".to_owned();
        let effects = self.receive(Request::Refresh(Refresh { request, token }));
        assert!(matches!(effects[..], [Effect::Reauthenticate(_)]), "{effects:?}");
        let verdict = verdict.map(Arc::new);
        self.handle(Input::Reauthenticated { request, verdict })
    }

    /// The channels that were taken away, by number, in order.
    fn withdrawn(effects: &[Effect]) -> Vec<u32> {
        let triples = effects.chunks(3);
        let number = |triple: &[Effect]| match triple {
            [
                Effect::Leave { .. },
                Effect::Send(Answer::Withdrawn {
                    channel_id,
                    refusal: Refusal::Forbidden { .. },
                }),
                Effect::Send(Answer::Detached {
                    request: RequestId(0),
                    channel_id: detached,
                }),
            ] if channel_id == detached => channel_id.0,
            other => panic!("{other:?}"),
        };
        triples.map(number).collect()
    }
}

#[test]
fn a_session_ends_with_its_token_and_a_little_later() {
    let mut harness = Harness::until(4 * SECOND);
    assert_eq!(
        harness.session.wake_at(),
        Some(harness.start + 5 * SECOND),
        "a second of leeway"
    );
    harness.attached(1, "chat:a", 9, 0, 0);
    harness.at(5 * SECOND - Duration::from_nanos(1));
    assert!(harness.handle(Input::Wake).is_empty());
    harness.at(5 * SECOND);
    let effects = harness.handle(Input::Wake);
    assert!(
        matches!(
            effects[..],
            [Effect::Leave { place: PLACE }, Effect::Close(Farewell::TokenExpired)]
        ),
        "{effects:?}"
    );
}

#[test]
fn a_session_without_an_end_has_none() {
    assert_eq!(Harness::open().session.grant_ends, None);
    let mut harness = Harness::new(|_| {});
    harness.present(Grant {
        expires: Some(WallTime(u64::MAX)),
        ..grant("*", Operations::ALL)
    });
    assert!(
        harness.handle(Input::Wake).is_empty(),
        "an end beyond all clocks is far away"
    );
}

#[test]
fn a_token_that_had_ended_when_it_came_holds_for_the_leeway() {
    let mut harness = Harness::new(|_| {});
    harness.present(Grant {
        expires: Some(WallTime(harness.now.wall.0 - 500)),
        ..grant("*", Operations::ALL)
    });
    assert_eq!(harness.session.wake_at(), Some(harness.start + SECOND));
}

#[test]
fn the_wall_clock_moves_no_end() {
    let mut harness = Harness::until(4 * SECOND);
    harness.now.wall = WallTime(0);
    harness.at(5 * SECOND);
    assert_eq!(*farewell(&harness.handle(Input::Wake)), Farewell::TokenExpired);
}

#[test]
fn a_new_token_goes_on_from_the_old() {
    let mut harness = Harness::until(4 * SECOND);
    harness.attached(1, "chat:a", 9, 0, 0);
    let new = harness.holding(60 * SECOND, grant("*", Operations::ALL));
    let expires = new.expires;
    let effects = harness.refresh(2, Ok(new));
    assert!(
        matches!(effects[..], [Effect::Send(Answer::Refreshed { request: RequestId(2), expires: told })] if told == expires),
        "{effects:?}"
    );
    harness.at(5 * SECOND);
    assert!(harness.handle(Input::Wake).is_empty());
    assert!(harness.session.subscription(PLACE).is_some());
}

#[test]
fn a_refused_token_leaves_the_old_one_and_its_end() {
    let mut harness = Harness::until(4 * SECOND);
    let other = Grant {
        subject: Subject::new("ben"),
        ..grant("*", Operations::ALL)
    };
    for verdict in [Err("forged".to_owned()), Ok(other)] {
        let effects = harness.refresh(2, verdict);
        assert!(matches!(refusal(&effects), Refusal::Unauthorized(_)), "{effects:?}");
    }
    assert!(matches!(
        harness.publish(3, "chat:a", b"x")[..],
        [Effect::Publish { .. }]
    ));
    harness.at(5 * SECOND);
    assert_eq!(*farewell(&harness.handle(Input::Wake)), Farewell::TokenExpired);
}

#[test]
fn a_narrower_token_leaves_what_it_does_not_cover() {
    let mut harness = Harness::new(|settings| settings.channels_max = 100);
    harness.present(grant("*", Operations::ALL));
    harness.attached(1, "chat:a", 7, 0, 0);
    harness.attached(2, "chat:b", 8, 0, 0);
    harness.attached(3, "slow:a", 9, 0, 0);
    harness.attach(4, "slow:b", From::Head);
    let effects = harness.refresh(5, Ok(grant("chat:a", Operations::ALL)));
    assert!(matches!(effects[0], Effect::Send(Answer::Refreshed { .. })));
    assert_eq!(Harness::withdrawn(&effects[1..]), [8, 9]);
    assert!(harness.session.subscription(PLACE).is_some(), "the one it covers stays");
    assert!(matches!(
        refusal(&harness.publish(6, "chat:b", b"x")),
        Refusal::Forbidden { .. }
    ));
    // The answer to an attach that was on its way comes too late.
    let effects = harness.handle(confirmed(4, "slow:b", 10, 0, 0));
    assert!(matches!(refusal(&effects), Refusal::Forbidden { .. }), "{effects:?}");
    assert!(harness.session.places.find(ChannelId(10)).is_none());
}

#[test]
fn without_history_a_reader_that_is_in_the_past_cannot_stay() {
    let mut harness = Harness::open();
    harness.attached(1, "chat:a", 7, 10, 10);
    harness.attached(2, "chat:b", 8, 0, 1_000);
    assert_eq!(harness.session.next(PLACE, span(11, 12)), Next::Messages);
    harness.session.delivered(PLACE, Seq(12));
    let next = harness.session.next(Place(1), span(900, 1_000));
    assert!(matches!(next, Next::Page { .. }), "{next:?}");
    let effects = harness.refresh(3, Ok(grant("*", LIVE)));
    let withdrawn: Vec<_> = effects[1..]
        .iter()
        .filter(|effect| !matches!(effect, Effect::Step { .. }))
        .collect();
    assert!(
        matches!(
            withdrawn[..],
            [
                Effect::Leave { place: Place(1) },
                Effect::Send(Answer::Withdrawn { .. }),
                Effect::Send(Answer::Detached { .. })
            ]
        ),
        "{effects:?}"
    );
    let pull = |harness: &mut Harness, after| {
        let channel_id = ChannelId(7);
        let effects = harness.receive(Request::Pull {
            channel_id,
            after: Seq(after),
        });
        matches!(effects[..], [Effect::Step { place: PLACE }])
    };
    assert!(
        !pull(&mut harness, 11),
        "it had that before its right ended, and may not ask again"
    );
    assert!(pull(&mut harness, 12), "what comes from now on");
    // The right comes back.
    harness.refresh(4, Ok(grant("*", Operations::ALL)));
    assert!(pull(&mut harness, 5));
}
