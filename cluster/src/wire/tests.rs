//! What goes out comes back, and garbage is told.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use starling_core::channel::{self, Window};
use starling_core::id::{Author, Epoch, IdempotencyKey, Key, PublisherId, Seq, Serial, Subject};
use starling_core::slot::{Change, Entry, Origin, Slot};
use starling_core::time::WallTime;

use super::*;
use crate::link::codec;

pub(super) mod route;

const SLOT: SlotId = SlotId(513);

fn now() -> Now {
    Now {
        instant: Instant::now(),
        wall: WallTime(1_700_000_000_000),
    }
}

/// All that `outgoing` carries, as a peer reads it.
fn read(decoder: &mut Decoder, outgoing: &[Outgoing]) -> Result<Vec<Message>, WireError> {
    let mut messages = Vec::new();
    for one in outgoing {
        assert_eq!(one.lane, Lane::Slot(SLOT.0));
        let header = codec::decode(&one.header)?;
        match decoder.read(SLOT.0, header, &one.payloads, now())? {
            Some(Received::Replica(message)) => messages.push(message),
            Some(other) => panic!("{other:?} is no replica's"),
            None => {}
        }
    }
    Ok(messages)
}

fn comes_back(message: &Message) {
    let outgoing = encode(SLOT, message, now()).expect("it fits");
    let back = read(&mut Decoder::default(), &outgoing).expect("it is one");
    assert_eq!(back, std::slice::from_ref(message));
}

/// Entries of several channels as an owner makes them, from a seed.
pub(super) fn entries(seed: u64, count: u64) -> Vec<std::sync::Arc<Entry>> {
    let mut dice = SmallRng::seed_from_u64(seed);
    let mut heads: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    let mut entries = Vec::new();
    for index in 1..=count {
        let number = dice.random_range(0..3);
        let keyed = number == 2;
        let channel = ChannelName::parse(&format!("t:{number}")).expect("a name");
        let author = Author {
            subject: Subject::new("anna"),
            publisher: PublisherId([number as u8; 16]),
        };
        let change = match heads.get_mut(&number) {
            None => {
                heads.insert(number, (0, 0));
                Change::Create {
                    epoch: Epoch::parse("0-0000000100000002").expect("an epoch"),
                    keyed,
                }
            }
            Some((_, serial)) if dice.random_range(0..9) == 0 => {
                *serial += 1;
                Change::Skip {
                    author,
                    serial: Serial(*serial),
                }
            }
            Some((seq, serial)) => {
                *seq += 1;
                let origin = match dice.random_range(0..3) {
                    0 => Origin::Anonymous,
                    1 => Origin::Idempotency {
                        subject: Subject::new("ben"),
                        key: IdempotencyKey::parse(&format!("request-{index}")).expect("a key"),
                    },
                    _ => {
                        *serial += 1;
                        Origin::Publisher {
                            author,
                            serial: Serial(*serial),
                            base: Serial(*serial),
                        }
                    }
                };
                let key = keyed.then(|| Key::parse(&format!("key-{}", dice.random_range(0..9))).expect("a key"));
                let deleted = keyed && dice.random_range(0..4) == 0;
                let bytes = if deleted { 0 } else { dice.random_range(0..3_000) };
                Change::Publish {
                    message: std::sync::Arc::new(channel::Message {
                        seq: Seq(*seq),
                        term: Term(1 + index / 20),
                        time: now().wall,
                        key,
                        deleted,
                        payload: vec![index as u8; bytes].into(),
                    }),
                    origin,
                    floor: Seq(seq.saturating_sub(50).max(1)),
                }
            }
        };
        entries.push(std::sync::Arc::new(Entry {
            term: Term(1 + index / 20),
            index: Index(index),
            channel,
            change,
        }));
    }
    entries
}

pub(super) fn append(entries: Vec<std::sync::Arc<Entry>>) -> Message {
    Message::Append {
        term: Term(9),
        lineage: lineage((3, u32::MAX)),
        previous: Place::default(),
        entries,
        committed: Index(4),
    }
}

#[test]
fn every_short_message_comes_back() {
    let term = Term(u64::MAX);
    let at = place((7, 2));
    for message in [
        append(Vec::new()),
        Message::Appended {
            term,
            through: Index(8),
        },
        Message::Behind { term, last: Index(0) },
        Message::Taken {
            term,
            at,
            next: u32::MAX,
        },
        Message::Fenced { term },
        Message::Probe { term, number: 4 },
        Message::Probed { term, number: 4 },
    ] {
        comes_back(&message);
    }
}

#[test]
fn entries_come_back_with_their_payloads_beside_them() {
    for seed in 0..50 {
        let message = append(entries(seed, 60));
        comes_back(&message);
        let outgoing = encode(SLOT, &message, now()).expect("it fits");
        assert!(outgoing[0].header.len() < 8_000, "no payload went through the header");
    }
    let others = [
        Change::Truncate { floor: Seq(3) },
        Change::ExpireKeys { through: Seq(9) },
        Change::ForgetHead,
        Change::ExpirePublishers {
            authors: (0..=255)
                .map(|number| Author {
                    subject: Subject::new(&"s".repeat(128)),
                    publisher: PublisherId([number; 16]),
                })
                .collect(),
        },
    ];
    for change in others {
        let entry = Entry {
            term: Term(1),
            index: Index(1),
            channel: ChannelName::parse(&format!("t:{}", "x".repeat(250))).expect("a name"),
            change,
        };
        let bytes = entry.header_bytes();
        let message = append(vec![std::sync::Arc::new(entry)]);
        comes_back(&message);
        let outgoing = encode(SLOT, &message, now()).expect("it fits");
        assert!(
            outgoing[0].header.len() <= bytes + 64,
            "core counts no less than it takes"
        );
    }
}

/// A part of what a slot holds after some hundred entries.
fn snapshot(seed: u64) -> Part {
    let settings = channel::Config {
        window: Window {
            messages: 1_000,
            bytes: u64::MAX,
            age: Duration::from_secs(3_600),
        },
        ..channel::Config::default()
    };
    let mut dice = rand::rngs::StdRng::seed_from_u64(seed);
    let mut slot = Slot::copy(
        starling_core::slot::Config::default(),
        std::sync::Arc::new(settings),
        &mut dice,
    );
    slot.accept(Place::default(), &entries(seed, 900)).expect("they follow");
    slot.learn(Index(900), now().instant);
    Part {
        term: Term(4),
        lineage: slot.lineage(),
        at: slot.snapshot().at,
        number: 2,
        is_last: true,
        channels: slot.snapshot().channels.into_iter().collect(),
    }
}

#[test]
fn a_part_of_a_snapshot_comes_back_in_frames_that_fit() {
    for seed in 0..10 {
        let part = snapshot(seed);
        assert!(
            part.channels.iter().all(|(_, state)| state.view().head() > Seq(100)),
            "seed {seed}"
        );
        let message = Message::Snapshot(part);
        let outgoing = encode(SLOT, &message, now()).expect("it fits");
        assert!(outgoing.len() > 5, "it takes several");
        assert!(outgoing.iter().all(|one| one.bytes() <= crate::link::FRAME_BYTES_MAX));
        comes_back(&message);
    }
}

#[test]
fn a_part_that_was_cut_off_is_forgotten_when_the_next_begins() {
    let message = Message::Snapshot(snapshot(1));
    let outgoing = encode(SLOT, &message, now()).expect("it fits");
    let mut decoder = Decoder::default();
    assert!(read(&mut decoder, &outgoing[..3]).expect("so far it is one").is_empty());
    assert_eq!(read(&mut decoder, &outgoing).expect("it is one"), [message]);
    assert!(
        matches!(read(&mut decoder, &outgoing[1..2]), Err(WireError::Snapshot)),
        "nothing was begun"
    );
    assert!(matches!(
        read(&mut decoder, &outgoing[outgoing.len() - 1..]),
        Err(WireError::Snapshot)
    ));
    // A hole in the messages is no state.
    let mut holed = outgoing;
    let at = holed
        .iter()
        .position(|one| !one.payloads.is_empty())
        .expect("some carry messages");
    holed.remove(at);
    assert!(matches!(read(&mut decoder, &holed), Err(WireError::Snapshot)));
}

#[test]
fn garbage_is_told_and_takes_no_more_than_there_is() {
    let messages = [append(entries(3, 30)), Message::Snapshot(snapshot(2))];
    let outgoing: Vec<_> = messages
        .iter()
        .flat_map(|message| encode(SLOT, message, now()).expect("it fits"))
        .collect();
    for seed in 0..20_000 {
        let mut dice = SmallRng::seed_from_u64(seed);
        let mut one = outgoing[dice.random_range(0..outgoing.len())].clone();
        let mut header = BytesMut::from(&one.header[..]);
        for _ in 0..dice.random_range(1..4) {
            let at = dice.random_range(0..header.len());
            header[at] = dice.random();
        }
        header.truncate(dice.random_range(0..=header.len()));
        one.header = header.freeze();
        if dice.random_range(0..5) == 0 {
            one.payloads.pop();
        }
        let _ = read(&mut Decoder::default(), &[one]); // an error, or another message
    }
}
