//! What goes out comes back, and garbage is told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use starling_core::id::{ChannelName, Generation, NodeId, NodeName, SlotId, Subject, Term};
use starling_core::presence::digest::{Place, Set, Sums, Tally};
use starling_core::presence::message::{
    Copied, Count, Delta, Doubts, Ephemeral, HeadList, Heads, Kind, Present, Scope, Stamp, Step, ToGateway, ToOwner,
    ToReplica, ToWatch,
};
use starling_core::presence::{
    Change, Client, ClientId, ConnectionId, Entry, Key, Mode, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX, Row,
};

use super::*;
use crate::link::FRAME_BYTES_MAX;

fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).expect("a name")
}

fn node(text: &str) -> NodeId {
    NodeId {
        name: NodeName::parse(text).expect("a name"),
        generation: Generation(7),
    }
}

fn client(number: u8) -> Client {
    Client {
        subject: Subject::new("anna"),
        id: ClientId([number; 16]),
    }
}

fn entry(connection: u64, state: &'static [u8]) -> Entry {
    Entry {
        key: Key {
            channel: name("chat:lobby"),
            client: client(3),
            connection: ConnectionId(connection),
        },
        counter: 41,
        is_lost: connection % 2 == 1,
        state: Bytes::from_static(state),
    }
}

fn present(number: u8) -> Present {
    Present {
        row: Row {
            client: client(number),
            gateway: node("b"),
            connection: ConnectionId(9),
            state: Bytes::from_static(b"{}"),
        },
        is_away: number == 2,
    }
}

fn doubts() -> Doubts {
    Doubts {
        unsettled: BTreeSet::from([node("a")]),
        is_holding: true,
        uncertain: BTreeSet::from([node("a"), node("b")]),
    }
}

fn tally() -> Tally {
    let mut tally = Tally::default();
    (0..100).for_each(|n: u64| tally.add(Place(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)), n));
    tally
}

/// One of each message, and of each shape of its parts.
pub(in crate::wire) fn all() -> Vec<Message> {
    let slots = BTreeSet::from([SlotId(0), SlotId(8), SlotId(1_023)]);
    let stamp = Stamp {
        term: Term(5),
        version: 77,
    };
    let channel = name("chat:lobby");
    let dropped = Change::Drop {
        key: entry(4, b"").key,
        counter: 42,
        is_left: true,
    };
    let heads = || Heads {
        tally: tally(),
        is_sure: true,
    };
    let list = || HeadList {
        groups: Set(0b101),
        heads: vec![
            (Scope::Slot(SlotId(8)), stamp),
            (Scope::Channel(SlotId(16), name("chat:lobby")), stamp),
        ],
    };
    let asked = [
        ToOwner::Changes {
            slot: SlotId(8),
            changes: vec![Change::Put(entry(1, b"state")), dropped.clone()],
        },
        ToOwner::Digest {
            slots: slots.clone(),
            tally: tally(),
        },
        ToOwner::Cells {
            slots: slots.clone(),
            groups: vec![(63, tally().groups), (0, Sums::default())],
        },
        ToOwner::Listing {
            slots,
            range: Place(0)..=Place(u64::MAX),
            counter: 99,
            entries: vec![(SlotId(8), entry(2, b""))],
        },
        ToOwner::Follow {
            scope: Scope::Channel(SlotId(8), name("chat:lobby")),
            mode: Mode::Count,
        },
        ToOwner::Follow {
            scope: Scope::Slot(SlotId(8)),
            mode: Mode::Roster,
        },
        ToOwner::Unfollow(Scope::Slot(SlotId(8))),
        ToOwner::AskHeads {
            of: Kind::Channels,
            groups: Set(u64::MAX),
        },
        ToOwner::Ephemeral {
            slot: SlotId(8),
            key: entry(2, b"").key,
            ephemeral: Ephemeral {
                number: 3,
                state: Bytes::from_static(b"[1,2]"),
            },
        },
    ];
    let to_gateway = [
        ToGateway::Compare,
        ToGateway::Differ(Set(1)),
        ToGateway::List(vec![Place(1)..=Place(2), Place(9)..=Place(u64::MAX)]),
    ];
    let to_watch = [
        ToWatch::Roster {
            channel: channel.clone(),
            stamp,
            part: 3,
            is_last: true,
            rows: vec![present(1), present(2)],
            doubts: doubts(),
        },
        ToWatch::Delta(Arc::new(Delta {
            channel: channel.clone(),
            stamp,
            after: 76,
            changes: vec![(client(1), Some(present(1))), (client(2), None)],
            doubts: Doubts::default(),
        })),
        ToWatch::Count {
            channel: channel.clone(),
            stamp,
            count: Count { members: 3, clients: 4 },
            is_settled: false,
        },
        ToWatch::Heads(heads()),
        ToWatch::HeadList(list()),
        ToWatch::Ephemeral {
            channel,
            client: client(1),
            of: (node("c"), ConnectionId(5)),
            ephemeral: Ephemeral {
                number: u64::MAX,
                state: Bytes::new(),
            },
        },
    ];
    let to_replica = [
        ToReplica::Copy {
            slot: SlotId(8),
            stamp,
            part: 0,
            is_last: false,
            entries: vec![Copied {
                gateway: node("a"),
                entry: entry(1, b"x"),
                is_replaced: true,
            }],
            seen: vec![(node("a"), 12)],
        },
        ToReplica::Log {
            slot: SlotId(8),
            stamp,
            after: 1,
            steps: vec![
                Step::Change {
                    gateway: node("a"),
                    change: dropped,
                },
                Step::Purge {
                    gateway: node("b"),
                    after: Duration::from_secs(5),
                },
            ]
            .into(),
        },
        ToReplica::Heads(heads()),
        ToReplica::HeadList(list()),
    ];
    let owner = asked.into_iter().map(Message::Owner);
    let gateway = to_gateway.into_iter().map(Message::Gateway);
    let watch = to_watch.into_iter().map(Message::Watch);
    let replica = to_replica.into_iter().map(Message::Replica);
    owner.chain(gateway).chain(watch).chain(replica).collect()
}

#[test]
fn what_goes_out_comes_back() {
    for message in all() {
        let sent = encode_presence(7, &message).expect("it fits");
        assert_eq!(sent.lane, Lane::Slot(7));
        assert!(matches!(codec::decode(&sent.header), Ok(Header::Presence)));
        assert_eq!(decode(&sent.payloads).expect("it is one"), message);
    }
}

#[test]
fn a_digest_costs_the_same_however_much_it_covers() {
    let digest = |slots: std::ops::Range<u16>| {
        let digest = ToOwner::Digest {
            slots: slots.map(|n| SlotId(8 * n)).collect(),
            tally: tally(),
        };
        encode_presence(0, &Message::Owner(digest)).expect("it fits").bytes()
    };
    assert!(digest(0..128) < 720, "{}", digest(0..128));
    assert!(digest(0..128) - digest(0..1) <= 130);
}

#[test]
fn the_longest_page_fits_a_frame() {
    let long = "chat:".to_owned() + &"x".repeat(250);
    let entries = (0..PAGE_ENTRIES_MAX as u64).map(|n| Copied {
        gateway: node(&"n".repeat(63)),
        entry: Entry {
            key: Key {
                channel: name(&long),
                client: Client {
                    subject: Subject::new(&"s".repeat(128)),
                    id: ClientId([9; 16]),
                },
                connection: ConnectionId(u64::MAX - n),
            },
            counter: u64::MAX - n,
            is_lost: false,
            state: vec![7; PAGE_BYTES_MAX / PAGE_ENTRIES_MAX].into(),
        },
        is_replaced: false,
    });
    let copy = ToReplica::Copy {
        slot: SlotId(0),
        stamp: Stamp::default(),
        part: 0,
        is_last: true,
        entries: entries.collect(),
        seen: vec![(node("a"), 1); 100],
    };
    let sent = encode_presence(0, &Message::Replica(copy)).expect("it fits");
    assert!(sent.bytes() < FRAME_BYTES_MAX, "{}", sent.bytes());
}

#[test]
fn garbage_is_told_and_takes_no_memory() {
    let messages = all();
    for seed in 0..20_000 {
        let mut dice = SmallRng::seed_from_u64(seed);
        let message = &messages[dice.random_range(0..messages.len())];
        let mut body = encode_presence(0, message).expect("it fits").payloads[0].to_vec();
        for _ in 0..dice.random_range(1..4) {
            let at = dice.random_range(0..body.len());
            body[at] = dice.random();
        }
        if dice.random_range(0..4) == 0 {
            body.truncate(dice.random_range(0..body.len()));
        }
        let _ = decode(&[body.into()]); // it says what it makes of it, and does not end
        let mut noise = vec![0; dice.random_range(0..300)];
        dice.fill_bytes(&mut noise);
        let _ = decode(&[noise.into()]);
    }
    assert!(decode(&[]).is_err());
    let two = [Bytes::new(), Bytes::new()];
    assert!(decode(&two).is_err());
}
