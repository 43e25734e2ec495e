//! What is asked for with Attach, and what its answers mean.

use starling_protocol::v1::attach;

use super::*;

fn asks(from: From) -> Option<attach::From> {
    Reader::new(SubscribeOptions {
        from,
        ..SubscribeOptions::default()
    })
    .channel
    .attach(9)
    .from
}

#[test]
fn a_first_attach_asks_for_what_the_application_asked_for() {
    assert_eq!(asks(From::Head), None);
    assert_eq!(asks(From::Rewind(20)), Some(attach::From::Rewind(20)));
    let asked = position(7, 3);
    assert_eq!(
        asks(From::Position(asked.clone())),
        Some(attach::From::Position(asked.to_wire()))
    );

    let policy = Some(Policy::Latest);
    let attach = Reader::new(SubscribeOptions {
        policy,
        ..SubscribeOptions::default()
    })
    .channel
    .attach(9);
    assert_eq!((attach.request, attach.channel.as_str()), (9, "demo:lobby"));
    assert_eq!(attach.policy(), v1::Policy::Latest);
}

#[test]
fn a_later_attach_goes_on_after_what_was_queued() {
    let mut reader = Reader::attached(SubscribeOptions::rewind(20), 10);
    reader.publication(11);
    reader.channel.detached(None);
    assert_eq!(
        reader.channel.attach(2).from,
        Some(attach::From::Position(position(11, 3).to_wire()))
    );
}

#[test]
fn each_of_the_three_answers_is_told() {
    let mut reader = Reader::new(SubscribeOptions::default());
    reader.channel.attach(1);
    let events = reader.attach(attached(10, 12)).expect("a good answer");
    let [
        Event::Attached {
            position: at,
            head: 12,
            outcome: Outcome::Resumed,
            window,
            keyed: false,
        },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(*at, position(10, 3));
    assert_eq!((window.messages, window.bytes, window.age.as_millis()), (10, 20, 30));

    let mut reader = Reader::new(SubscribeOptions::rewind(2));
    reader.channel.attach(1);
    let rewound = v1::attached::Outcome::Rewound(v1::Rewound { count: 2 });
    let events = reader
        .attach(v1::Attached {
            outcome: Some(rewound),
            ..attached(10, 12)
        })
        .expect("a good answer");
    assert!(
        matches!(
            events[..],
            [Event::Attached {
                outcome: Outcome::Rewound(2),
                ..
            }]
        ),
        "{events:?}"
    );

    reader.channel.detached(None);
    reader.channel.attach(2);
    let lost = discontinuous(attached(40, 40), v1::Reason::AllCopiesLost);
    let events = reader.attach(lost).expect("a good answer");
    let [
        Event::Attached {
            outcome: Outcome::Discontinuity(Reason::AllCopiesLost),
            ..
        },
        Event::Discontinuity {
            reason: Reason::AllCopiesLost,
            position: at,
        },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(at.seq, 40);
    assert_eq!(
        seqs(&reader.publication(41)),
        [41],
        "delivery goes on after the new position"
    );
    assert_eq!(reader.stats().discontinuities, 1);
}

#[test]
fn a_position_is_resumed_where_it_was_or_the_gap_would_be_silent() {
    for (seq, epoch) in [(9, "0-a"), (11, "0-a"), (10, "0-b")] {
        let mut reader = Reader::new(SubscribeOptions::after(position(10, 0)));
        reader.channel.attach(1);
        let mut answer = attached(seq, 20);
        answer.position = Some(v1::Position {
            epoch: epoch.into(),
            seq,
            term: 3,
        });
        assert!(reader.attach(answer).is_err(), "resumed at {epoch}:{seq}");
    }
    let mut reader = Reader::new(SubscribeOptions::after(position(10, 0)));
    reader.channel.attach(1);
    let rewound = v1::attached::Outcome::Rewound(v1::Rewound { count: 2 });
    assert!(
        reader
            .attach(v1::Attached {
                outcome: Some(rewound),
                ..attached(10, 12)
            })
            .is_err()
    );
}

#[test]
fn a_term_that_the_server_does_not_know_is_kept() {
    let mut reader = Reader::new(SubscribeOptions::after(position(10, 3)));
    reader.channel.attach(1);
    let mut answer = attached(10, 10);
    answer.position = Some(v1::Position {
        epoch: "0-a".into(),
        seq: 10,
        term: 0,
    });
    reader.attach(answer).expect("a good answer");
    reader.channel.detached(None);
    assert_eq!(
        reader.channel.attach(2).from,
        Some(attach::From::Position(position(10, 3).to_wire()))
    );
}

#[test]
fn frames_of_an_attachment_that_ended_are_ignored() {
    let mut reader = Reader::attached(SubscribeOptions::default(), 10);
    reader.channel.detached(None);
    assert!(reader.publication(11).is_empty());
    assert!(reader.page(10, 12, 100).is_empty());
    assert!(reader.skipped(11, 1).is_empty());
    assert!(reader.lagged(10).is_empty());
}
