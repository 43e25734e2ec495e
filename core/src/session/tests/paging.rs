//! Pages of the past, and the credit they take.

use super::*;

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
