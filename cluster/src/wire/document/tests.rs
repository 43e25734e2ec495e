//! What goes out comes back, whole or in pieces, and garbage is told.

use starling_core::document::engine::{Insert, Shape, Size};
use starling_core::document::log;
use starling_core::document::message::{Answer, Closed, EditorId, Question, Refusal};
use starling_core::time::{Now, WallTime};

use super::*;
use crate::link::{FRAME_BYTES_MAX, codec};
use crate::wire::{Decoder, Received};

/// What a frame brings.
fn arrive(decoder: &mut Decoder, frame: &Outgoing) -> Result<Option<Received>, WireError> {
    let now = Now {
        instant: std::time::Instant::now(),
        wall: WallTime(0),
    };
    decoder.read(3, codec::decode(&frame.header)?, &frame.payloads, now)
}

fn name() -> ChannelName {
    ChannelName::parse("doc:plan").expect("a name")
}

fn bytes(length: usize) -> Bytes {
    (0..length).map(|at| at as u8).collect()
}

pub(in crate::wire) fn all(length: usize) -> Vec<Said> {
    let (editor, some) = (EditorId(9), || bytes(length));
    let ask = |question| ToOwner::Ask { number: 4, question };
    let answered = |answer| ToGateway::Answered { number: 4, answer };
    let refused = |refusal| ToGateway::Refused {
        editor,
        edit: 3,
        refusal,
    };
    let to_owner = [
        ToOwner::Join {
            since: None,
            editors: vec![],
        },
        ToOwner::Join {
            since: Some(some()),
            editors: vec![editor, EditorId(u64::MAX)],
        },
        ToOwner::Step1 {
            editor,
            state_vector: some(),
        },
        ToOwner::Edit {
            editor,
            edit: 7,
            update: some(),
            may_write: true,
        },
        ToOwner::Awareness { editor, states: some() },
        ToOwner::QueryAwareness { editor },
        ToOwner::Stateless {
            editor,
            payload: some(),
        },
        ToOwner::Missing {
            clients: vec![(1, 2), (u64::MAX, 3)],
        },
        ToOwner::Left { editor },
        ToOwner::Leave,
        ask(Question::Diff(some())),
        ask(Question::Parts),
        ask(Question::Apply(some())),
        ask(Question::Insert {
            part: "t".into(),
            inserts: vec![
                Insert {
                    index: Some(4),
                    text: "ü".repeat(length),
                },
                Insert {
                    index: None,
                    text: "x".into(),
                },
            ],
        }),
        ask(Question::Whole),
        ask(Question::Restore {
            update: some(),
            restores: 6,
        }),
        ask(Question::Stats),
    ];
    let shapes = [Shape::Text, Shape::Xml, Shape::Array, Shape::Map];
    let reads = shapes.map(|shape| {
        ask(Question::Read {
            part: "t".into(),
            shape,
        })
    });
    let to_gateway = [
        ToGateway::Joined {
            state_vector: some(),
            missing: None,
            awareness: some(),
        },
        ToGateway::Joined {
            state_vector: some(),
            missing: Some(some()),
            awareness: Bytes::new(),
        },
        ToGateway::Step2 { editor, update: some() },
        ToGateway::Update {
            update: some(),
            but: None,
        },
        ToGateway::Update {
            update: some(),
            but: Some(editor),
        },
        ToGateway::Mark { state_vector: some() },
        ToGateway::Step1 {
            editor,
            state_vector: some(),
        },
        ToGateway::Saved { editor, up_to: 8 },
        refused(Refusal::Log(log::Refusal::UnsavedFull)),
        refused(Refusal::Log(log::Refusal::Quarantined)),
        refused(Refusal::BadUpdate("it is none".into())),
        refused(Refusal::ReadOnly),
        refused(Refusal::Moving),
        refused(Refusal::Unknown),
        refused(Refusal::Busy),
        refused(Refusal::Closed(Closed::StoreNotShared)),
        ToGateway::Awareness {
            states: some(),
            to: Some(editor),
        },
        ToGateway::AwarenessRefused {
            editor,
            reason: "is none".into(),
        },
        ToGateway::Stateless {
            payload: some(),
            but: Some(editor),
        },
        ToGateway::Behind,
        ToGateway::Moved,
        ToGateway::Closed(Closed::Quarantined),
        ToGateway::Closed(Closed::StoreNotShared),
        answered(Ok(Answer::Update(some()))),
        answered(Ok(Answer::Parts(vec!["a".into(), "b".into()]))),
        answered(Ok(Answer::Part(None))),
        answered(Ok(Answer::Part(Some("ä".repeat(length))))),
        answered(Ok(Answer::Saved)),
        answered(Ok(Answer::Whole {
            update: some(),
            restores: 6,
        })),
        answered(Ok(Answer::Stats {
            size: Size {
                clients: 1,
                applied_bytes: 2,
                pending: 3,
                let_go: 4,
            },
            unsaved_bytes: 5,
        })),
        answered(Err(Refusal::Busy)),
    ];
    let to_owner = to_owner.into_iter().chain(reads).map(Said::ToOwner);
    to_owner.chain(to_gateway.into_iter().map(Said::ToGateway)).collect()
}

#[test]
fn all_that_is_said_comes_back_whatever_its_size() {
    for length in [0, 5, 3 * FRAME_BYTES_MAX] {
        let mut decoder = Decoder::default();
        for (number, said) in (0..).zip(all(length)) {
            let frames = encode_document(SlotId(3), &name(), Join(6), &said, || number).expect("it is short");
            let (last, before) = frames.split_last().expect("at least one");
            for frame in before {
                assert!(frame.bytes() <= FRAME_BYTES_MAX);
                assert!(arrive(&mut decoder, frame).expect("a piece").is_none());
            }
            let received = arrive(&mut decoder, last).expect("it can be read");
            let expected = Received::Document(name(), Join(6), said);
            assert!(received == Some(expected), "message {number} of {length}");
        }
    }
}

#[test]
fn what_misses_a_piece_is_given_up_and_bounds_hold() {
    let said = Said::ToOwner(ToOwner::Leave);
    let mut decoder = Decoder::default();
    let frames = encode_document(SlotId(3), &name(), Join(6), &said, || 1).expect("it is short");
    assert!(arrive(&mut decoder, &frames[0]).expect("whole").is_some());
    let update = bytes(2 * FRAME_BYTES_MAX);
    let large = Said::ToGateway(ToGateway::Update { update, but: None });
    let frames = |number| encode_document(SlotId(3), &name(), Join(6), &large, || number).expect("it is short");
    // Nothing but its end came: it was cut off.
    let end = frames(2).pop().expect("at least one");
    assert!(arrive(&mut decoder, &end).expect("readable").is_none());
    // Sixteen are gathered at once; the one that began first is given up.
    for number in 10..27 {
        assert!(arrive(&mut decoder, &frames(number)[0]).expect("readable").is_none());
    }
    let mut pieces = Pieces::default();
    pieces.add(1, 0, b"a").expect("the first");
    assert!(
        matches!(pieces.add(1, 2, b"c"), Err(WireError::Payloads)),
        "the second is missing"
    );
    assert!(pieces.take(1).is_none());
    assert!(matches!(pieces.add(1, 1, b"c"), Err(WireError::Payloads)));
    for number in 0..17 {
        pieces.add(number, 0, b"a").expect("the first");
    }
    assert!(pieces.take(0).is_none() && pieces.take(1).is_some());
}
