//! What a gateway and an owner say to each other.

use std::sync::Arc;

use starling_core::channel::{
    Ack, Attachment, Description, From, Inspection, Message, Outcome, Page, Publish, Question, Range, Reason, Refusal,
    Request, Selected, Selection, Skip, Values,
};
use starling_core::id::Position;
use starling_core::relay::Answer;

use super::*;

fn name() -> ChannelName {
    ChannelName::parse("t:1").expect("a name")
}

fn position(seq: u64) -> Position {
    Position {
        epoch: Epoch::parse("0-0000000100000002").expect("an epoch"),
        seq: Seq(seq),
        term: Term(3),
    }
}

fn messages(count: u64, bytes: usize) -> Vec<Arc<Message>> {
    let message = |seq| {
        Arc::new(Message {
            seq: Seq(seq),
            term: Term(3),
            time: WallTime(seq * 7),
            key: (seq % 2 == 0).then(|| Key::parse(&format!("key-{seq}")).expect("a key")),
            deleted: seq % 5 == 0,
            payload: vec![seq as u8; bytes].into(),
        })
    };
    (1..=count).map(message).collect()
}

/// All that arrives of `frames`.
fn arrive(decoder: &mut Decoder, frames: &[Outgoing]) -> Result<Vec<Received>, WireError> {
    let mut received = Vec::new();
    for frame in frames {
        assert!(frame.bytes() <= crate::link::FRAME_BYTES_MAX);
        let header = codec::decode(&frame.header)?;
        received.extend(decoder.read(SLOT.0, header, &frame.payloads, now())?);
    }
    Ok(received)
}

#[test]
fn what_a_gateway_asks_arrives() {
    let author = Author {
        subject: Subject::new("anna"),
        publisher: PublisherId([9; 16]),
    };
    let publish = |origin| {
        Asked::Request(Request::Publish(Publish {
            to: 7,
            origin,
            key: Some(Key::parse("colour").expect("a key")),
            deleted: false,
            payload: "blue".into(),
            since: WallTime(5),
        }))
    };
    let read = |epoch| {
        Asked::Request(Request::Read {
            to: 8,
            range: Range {
                epoch,
                after: Seq(4),
                bytes_max: 1_000,
                messages_max: 3,
            },
        })
    };
    let attach = |from| Asked::Request(Request::Attach { to: 9, from });
    let inspect = |question| Asked::Request(Request::Inspect { to: 10, question });
    let all = [
        publish(Origin::Publisher {
            author: author.clone(),
            serial: Serial(4),
            base: Serial(2),
        }),
        publish(Origin::Idempotency {
            subject: Subject::new("ben"),
            key: IdempotencyKey::parse("request-1").expect("a key"),
        }),
        publish(Origin::Anonymous),
        Asked::Request(Request::Skip(Skip {
            to: 11,
            author,
            serial: Serial(5),
            base: Serial(5),
            since: WallTime(6),
        })),
        attach(From::Head),
        attach(From::Position(position(3))),
        attach(From::Rewind(20)),
        read(None),
        read(Some(position(1).epoch)),
        inspect(Question::Description),
        inspect(Question::Values(Selection {
            after: Some(Key::parse("a").expect("a key")),
            bytes_max: 10,
            values_max: 2,
        })),
        Asked::Leave,
    ];
    for asked in all {
        let frame = encode_asked(SLOT, &name(), &asked).expect("it fits");
        let back = arrive(&mut Decoder::default(), &[frame]).expect("it is one");
        assert_eq!(back, [Received::Asked(name(), asked)]);
    }
}

pub(in crate::wire) fn answers() -> Vec<Answer> {
    let attached = |outcome, values| {
        Answer::Attached(Attachment {
            outcome,
            position: position(2),
            head: position(9),
            values,
        })
    };
    let refusals = [
        Refusal::bad_request("serials start at 1, and base is at most the serial"),
        Refusal::UnknownNamespace(name()),
        Refusal::PayloadTooLarge { bytes: 9, bytes_max: 8 },
        Refusal::SerialGap { expected: Serial(3) },
        Refusal::OutcomeUnknown,
        Refusal::KeyMismatch { keyed: true },
        Refusal::TooManyKeys,
        Refusal::NoHistory,
        Refusal::SerialSkipped,
        Refusal::Busy,
        Refusal::InsufficientReplicas,
        Refusal::Unavailable,
        Refusal::Moving,
        Refusal::StoreNotShared(name()),
        Refusal::Draining,
        Refusal::SlotFull,
        Refusal::Quarantined,
        Refusal::Internal,
    ];
    let reasons = [
        Reason::WindowExceeded,
        Reason::NodeRestarted,
        Reason::Expired,
        Reason::NoHistory,
        Reason::Truncated,
        Reason::PositionAhead,
        Reason::Forked,
        Reason::AllCopiesLost,
        Reason::UnknownEpoch,
        Reason::Forbidden,
    ];
    let mut answers = vec![
        Answer::Acknowledged(Ack {
            position: Some(position(1)),
            copies: 3,
            duplicate: true,
        }),
        Answer::Acknowledged(Ack {
            position: None,
            copies: 2,
            duplicate: false,
        }),
        attached(Outcome::Resumed, None),
        attached(Outcome::Rewound(4), Some(Values::Replace(messages(700, 10)))),
        attached(Outcome::Resumed, Some(Values::Changed(Vec::new()))),
        Answer::Page(Page::Messages {
            after: position(0),
            messages: messages(900, 2_000),
            head: position(900),
        }),
        Answer::Inspected(Inspection::Description(Description {
            head: position(3),
            first: Seq(2),
            messages: 2,
            bytes: 40,
            keys: Some(1),
        })),
        Answer::Inspected(Inspection::Values(Selected {
            at: position(3),
            values: messages(3, 1),
            more: true,
        })),
        Answer::Moved,
    ];
    answers.extend(refusals.map(Answer::Refused));
    answers.extend(reasons.map(|reason| {
        Answer::Page(Page::Lost {
            reason,
            position: position(5),
        })
    }));
    answers.extend(reasons.map(|reason| attached(Outcome::Discontinuity(reason), None)));
    answers
}

#[test]
fn what_an_owner_answers_arrives_whole_however_many_frames_it_takes() {
    let mut decoder = Decoder::default();
    for (number, answer) in (1..).zip(answers()) {
        let told = Told::Answer { number, answer };
        let frames = encode_told(SLOT, &name(), &told).expect("it fits");
        let back = arrive(&mut decoder, &frames).expect("it is one");
        assert_eq!(back, [Received::Told(name(), told)]);
    }
}

#[test]
fn what_is_new_arrives_in_order() {
    let told = Told::Live {
        epoch: position(0).epoch,
        messages: messages(300, 5_000),
    };
    let frames = encode_told(SLOT, &name(), &told).expect("it fits");
    assert!(frames.len() > 1);
    let mut seqs = Vec::new();
    for received in arrive(&mut Decoder::default(), &frames).expect("it is one") {
        let Received::Told(_, Told::Live { messages, .. }) = received else {
            panic!("{received:?} is something else");
        };
        seqs.extend(messages.iter().map(|message| message.seq.0));
    }
    assert!(seqs.into_iter().eq(1..=300));
    for told in [Told::Ended, Told::Behind { head: position(4) }] {
        let frames = encode_told(SLOT, &name(), &told).expect("it fits");
        let back = arrive(&mut Decoder::default(), &frames).expect("it is one");
        assert_eq!(back, [Received::Told(name(), told)]);
    }
}

#[test]
fn an_answer_that_lost_a_piece_is_a_refusal() {
    let answer = Answer::Page(Page::Messages {
        after: position(0),
        messages: messages(900, 100),
        head: position(900),
    });
    let told = Told::Answer { number: 1, answer };
    let mut frames = encode_told(SLOT, &name(), &told).expect("it fits");
    frames.remove(1);
    let mut decoder = Decoder::default();
    let back = arrive(&mut decoder, &frames).expect("it is one");
    let busy = Answer::Refused(Refusal::Busy);
    assert_eq!(
        back,
        [Received::Told(
            name(),
            Told::Answer {
                number: 1,
                answer: busy
            }
        )]
    );
    // Pieces whose answers never come make room for others.
    frames.pop();
    for _ in 0..1_000 {
        arrive(&mut decoder, &frames).expect("they are pieces");
    }
}

#[test]
fn payloads_that_belong_to_nothing_are_told() {
    let mut frame = encode_asked(SLOT, &name(), &Asked::Leave).expect("it fits");
    frame.payloads.push("more".into());
    assert!(matches!(
        arrive(&mut Decoder::default(), &[frame]),
        Err(WireError::Payloads)
    ));
}
