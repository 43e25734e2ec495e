//! What is read is what chitchat would have written, and no more.

use chitchat::{ChitchatMessage, Deserializable as _};
use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

use super::*;

fn process(name: &str) -> Process {
    Process {
        node: NodeId {
            name: NodeName::parse(name).expect("a name"),
            generation: Generation(7),
        },
        gossip: ([10, 0, 0, 1], 4_436).into(),
    }
}

fn told(name: &str, number: u64, statement: &str) -> Told {
    Told {
        process: process(name),
        statement: Some((number, statement.to_owned())),
    }
}

pub(in crate::gossip) fn message(kind: Kind) -> Message {
    let v6 = Process {
        gossip: "[fd00::1]:1".parse().expect("an address"),
        ..process("b")
    };
    let heard = |process| Heard {
        process,
        heartbeat: 3,
        newest: 2,
    };
    Message {
        kind,
        digest: match kind {
            Kind::Ack => Vec::new(),
            Kind::Syn | Kind::SynAck => vec![heard(process("a")), heard(v6)],
        },
        told: match kind {
            Kind::Syn => Vec::new(),
            Kind::SynAck | Kind::Ack => vec![told("a", 2, "this"), told("b", 1, &"that ".repeat(6_000))],
        },
    }
}

/// A message with these operations, in a block that is not packed.
fn ack(operations: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_le_bytes().to_vec();
    bytes.extend([VERSION, Kind::Ack as u8, 2]);
    bytes.extend(short(operations.len()));
    bytes.extend(operations);
    bytes.push(0);
    bytes
}

fn node(name: &str) -> Vec<u8> {
    let mut out = vec![0];
    write_process(&mut out, &process(name));
    out.extend([0; 16]);
    out
}

fn says(key: &str, value: &str, number: u64, deletion: u8) -> Vec<u8> {
    let mut out = vec![1];
    write_text(&mut out, key);
    write_text(&mut out, value);
    out.extend(number.to_le_bytes());
    out.push(deletion);
    out
}

fn newest(number: u64) -> Vec<u8> {
    [&[2][..], &number.to_le_bytes()].concat()
}

#[test]
fn what_is_written_is_read_and_chitchat_reads_it_too() {
    for kind in [Kind::Syn, Kind::SynAck, Kind::Ack] {
        let bytes = message(kind).write("prod");
        assert_eq!(Message::parse(&bytes, "prod"), Some(message(kind)));
        assert_eq!(Message::parse(&bytes, "staging").is_none(), kind == Kind::Syn);
        let read = ChitchatMessage::deserialize(&mut &*bytes).expect("as chitchat writes it");
        let is_same = match read {
            ChitchatMessage::Syn { cluster_id, .. } => kind == Kind::Syn && cluster_id == "prod",
            ChitchatMessage::SynAck { .. } => kind == Kind::SynAck,
            ChitchatMessage::Ack { .. } => kind == Kind::Ack,
            ChitchatMessage::BadCluster => false,
        };
        assert!(is_same, "{kind:?}");
    }
}

#[test]
fn packed_blocks_are_unpacked_within_their_bound() {
    let operations = [node("a"), says(KEY, &"x".repeat(10_000), 1, 0)].concat();
    let packed = |operations: &[u8], blocks: usize| {
        let block = zstd::bulk::compress(operations, 0).expect("packed");
        let mut bytes = MAGIC.to_le_bytes().to_vec();
        bytes.extend([VERSION, Kind::Ack as u8]);
        for _ in 0..blocks {
            bytes.push(1);
            bytes.extend(short(block.len()));
            bytes.extend(&block);
        }
        bytes.push(0);
        bytes
    };
    let read = |bytes: &[u8]| Message::parse(bytes, "prod").map(|read| read.told.len());
    assert_eq!(read(&packed(&operations, 1)), Some(1));
    assert_eq!(read(&packed(&operations, BLOCKS_MAX)), Some(BLOCKS_MAX));
    assert_eq!(read(&packed(&operations, BLOCKS_MAX + 1)), None);
    assert_eq!(read(&packed(&vec![0; BLOCK_BYTES_MAX + 1], 1)), None, "a bomb");
    assert_eq!(read(&packed(&[], 1)), Some(0));
}

#[test]
fn what_no_node_of_ours_would_send_is_no_statement() {
    let said = |operations: &[Vec<u8>]| {
        let read = Message::parse(&ack(&operations.concat()), "prod");
        read.map(|read| read.told.into_iter().map(|told| told.statement).collect::<Vec<_>>())
    };
    assert_eq!(
        said(&[node("a"), says(KEY, "x", 1, 0)]),
        Some(vec![Some((1, "x".to_owned()))])
    );
    for bad in [
        vec![node("a"), says("phase", "left", 1, 0)],
        vec![node("a"), says(KEY, "x", 1, 1)],
        vec![node("a"), says(KEY, "x", 1, 2)],
        vec![node("a"), says(KEY, "x", 1, 0), says(KEY, "y", 2, 0)],
        vec![node("a"), says(KEY, "x", 9, 0), newest(1), says("b", "y", 9, 0)],
    ] {
        assert_eq!(said(&bad), Some(vec![None]), "{bad:?}");
    }
    // What makes a bare chitchat panic, at once or when it passes it on, is a statement as good as any, or none.
    assert_eq!(
        said(&[node("a"), says(KEY, "x", 9, 0), newest(1)]),
        Some(vec![Some((9, "x".to_owned()))])
    );
    assert_eq!(said(&[node("a"), newest(u64::MAX)]), Some(vec![]));
    assert_eq!(said(&[says(KEY, "x", 1, 0)]), None);
    assert_eq!(said(&[vec![3]]), None);
    let mut unnamed = node("a");
    unnamed[3] = b'/';
    assert_eq!(said(&[unnamed, says(KEY, "x", 1, 0)]), Some(vec![]));
}

#[test]
fn garbage_is_no_message() {
    let whole = [
        message(Kind::Syn).write("prod"),
        ack(&[node("a"), says(KEY, "x", 1, 0)].concat()),
    ];
    for whole in &whole {
        for length in 0..whole.len() {
            assert_eq!(Message::parse(&whole[..length], "prod"), None, "{length} bytes");
        }
        assert_eq!(Message::parse(&[&whole[..], &[0]].concat(), "prod"), None);
    }
    for seed in 0..4_000 {
        let mut dice = SmallRng::seed_from_u64(seed);
        let mut bytes = whole[usize::try_from(seed % 2).expect("small")].clone();
        for _ in 0..dice.random_range(1..8) {
            let at = dice.random_range(4..bytes.len());
            bytes[at] = dice.random_range(0..=255);
        }
        if seed % 3 == 0 {
            bytes.truncate(4);
            let mut rest = vec![0; dice.random_range(0..2_000)];
            dice.fill_bytes(&mut rest);
            bytes.extend(rest);
        }
        // Whatever is read of it can be written.
        if let Some(read) = Message::parse(&bytes, "prod") {
            assert!(
                ChitchatMessage::deserialize(&mut &*read.write("prod")).is_ok() || read.told.len() > 1,
                "{seed}"
            );
        }
    }
}
