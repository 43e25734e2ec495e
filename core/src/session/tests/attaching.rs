//! Attaching: what it takes, and what it gives.

use super::*;

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
