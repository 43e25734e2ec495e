//! chitchat's messages, as far as they are taken: read strictly from what whoever has the key sent, and written anew.
//!
//! chitchat asserts on what it reads, and unpacks without a bound. So what it is given is made here: a digest, and for each
//! process at most one statement, whole and with its number.
//!
//! ```text
//! magic 2 │ version 1 │ kind 1 │ digest (but Ack) │ Syn: length 2, cluster │ SynAck, Ack: blocks of operations, 0
//! digest:  count 2, of each: process, heartbeat 8, forgotten 8, newest 8
//! process: length 2, name │ generation 8 │ 4 or 6, address, port 2
//! block:   1 packed or 2 bare │ length 2 │ bytes
//! operation: 0, process, forgotten 8, since 8 │ 1, key, value, version 8, deletion 1 │ 2, newest 8
//! ```

use std::net::{IpAddr, SocketAddr};

use starling_core::id::{Generation, NodeId, NodeName};

use super::statement::{KEY, Process};

const MAGIC: u16 = 45_139;
const VERSION: u8 = 0;

/// What a block holds, unpacked, as chitchat makes them.
const BLOCK_BYTES_MAX: usize = 16_384;

/// Blocks that are unpacked: chitchat fills a datagram with what it packed, and statements do not become a sixteenth.
const BLOCKS_MAX: usize = 64;

/// See the module.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: Kind,
    pub(super) digest: Vec<Heard>,
    pub(super) told: Vec<Told>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Syn = 0,
    SynAck = 1,
    Ack = 2,
}

/// What the sender has heard of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) process: Process,
    pub(super) heartbeat: u64,
    /// The number of its newest statement.
    pub(super) newest: u64,
}

/// What the sender passes on of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) process: Process,
    /// None if it is no statement.
    pub(super) statement: Option<(u64, String)>,
}

impl Message {
    /// Reads one. A process whose name cannot be one is passed over.
    pub(super) fn parse(mut bytes: &[u8], cluster: &str) -> Option<Self> {
        let bytes = &mut bytes;
        if u16::from_le_bytes(take(bytes)?) != MAGIC || take(bytes)? != [VERSION] {
            return None;
        }
        let [kind] = take(bytes)?;
        let kind = [Kind::Syn, Kind::SynAck, Kind::Ack]
            .into_iter()
            .find(|one| *one as u8 == kind)?;
        let digest = match kind {
            Kind::Syn | Kind::SynAck => digest(bytes)?,
            Kind::Ack => Vec::new(),
        };
        let told = match kind {
            Kind::Syn => (text(bytes)? == cluster).then(Vec::new)?,
            Kind::SynAck | Kind::Ack => told(&unpack(bytes)?)?,
        };
        bytes.is_empty().then_some(Self { kind, digest, told })
    }

    /// Writes it as chitchat reads it. A statement replaces all that was known of its process.
    pub(super) fn write(&self, cluster: &str) -> Vec<u8> {
        let mut out = MAGIC.to_le_bytes().to_vec();
        out.extend([VERSION, self.kind as u8]);
        if self.kind != Kind::Ack {
            out.extend(short(self.digest.len()));
            for heard in &self.digest {
                write_process(&mut out, &heard.process);
                for number in [heard.heartbeat, 0, heard.newest] {
                    out.extend(number.to_le_bytes());
                }
            }
        }
        if self.kind == Kind::Syn {
            write_text(&mut out, cluster);
            return out;
        }
        let mut operations = Vec::new();
        for told in &self.told {
            let Some((number, statement)) = &told.statement else {
                continue;
            };
            operations.push(0);
            write_process(&mut operations, &told.process);
            operations.extend([0; 16]);
            operations.push(1);
            write_text(&mut operations, KEY);
            write_text(&mut operations, statement);
            operations.extend(number.to_le_bytes());
            operations.push(0);
        }
        for block in operations.chunks(BLOCK_BYTES_MAX) {
            out.push(2);
            out.extend(short(block.len()));
            out.extend(block);
        }
        out.push(0);
        out
    }
}

fn digest(bytes: &mut &[u8]) -> Option<Vec<Heard>> {
    let count = u16::from_le_bytes(take(bytes)?);
    let mut digest = Vec::new();
    for _ in 0..count {
        let process = process(bytes)?;
        let heartbeat = u64::from_le_bytes(take(bytes)?);
        let _forgotten: [u8; 8] = take(bytes)?;
        let newest = u64::from_le_bytes(take(bytes)?);
        digest.extend(process.map(|process| Heard {
            process,
            heartbeat,
            newest,
        }));
    }
    Some(digest)
}

/// A process, if its name can be one, and each thing that is said of it, if it is a statement.
type Said = (Option<Process>, Vec<Option<(u64, String)>>);

/// The operations of a delta, unpacked.
fn unpack(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let mut operations = Vec::new();
    for _ in 0..=BLOCKS_MAX {
        let [kind] = take(bytes)?;
        if kind == 0 {
            return Some(operations);
        }
        let length = usize::from(u16::from_le_bytes(take(bytes)?));
        let (block, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        match kind {
            1 => operations.extend(zstd::bulk::decompress(block, BLOCK_BYTES_MAX).ok()?),
            2 if length <= BLOCK_BYTES_MAX => operations.extend(block),
            _ => return None,
        }
    }
    None
}

fn told(mut operations: &[u8]) -> Option<Vec<Told>> {
    let bytes = &mut operations;
    let mut all = Vec::new();
    let mut current: Option<Said> = None;
    while !bytes.is_empty() {
        match take(bytes)? {
            [0] => {
                all.extend(current.take());
                let process = process(bytes)?;
                let _: [u8; 16] = take(bytes)?;
                current = Some((process, Vec::new()));
            }
            [1] => {
                let (key, value) = (text(bytes)?, text(bytes)?);
                let number = u64::from_le_bytes(take(bytes)?);
                let is_said = take(bytes)? == [0] && key == KEY && number > 0;
                let statement = is_said.then(|| (number, value.to_owned()));
                current.as_mut()?.1.push(statement);
            }
            // Says that there is nothing.
            [2] => drop(take::<8>(bytes)?),
            _ => return None,
        }
    }
    all.extend(current);
    let of = |(process, mut said): Said| {
        let last = said.pop()?;
        Some(Told {
            process: process?,
            statement: last.filter(|_| said.is_empty()),
        })
    };
    Some(all.into_iter().filter_map(of).collect())
}

/// A process; none within if it cannot be one.
fn process(bytes: &mut &[u8]) -> Option<Option<Process>> {
    let name = NodeName::parse(text(bytes)?).ok();
    let generation = Generation(u64::from_le_bytes(take(bytes)?));
    let ip = match take(bytes)? {
        [4] => IpAddr::from(take::<4>(bytes)?),
        [6] => IpAddr::from(take::<16>(bytes)?),
        _ => return None,
    };
    let gossip = SocketAddr::new(ip, u16::from_le_bytes(take(bytes)?));
    Some(name.map(|name| Process {
        node: NodeId { name, generation },
        gossip,
    }))
}

fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::from(u16::from_le_bytes(take(bytes)?));
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

fn take<const LENGTH: usize>(bytes: &mut &[u8]) -> Option<[u8; LENGTH]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

fn write_process(out: &mut Vec<u8>, process: &Process) {
    write_text(out, process.node.name.as_str());
    out.extend(process.node.generation.0.to_le_bytes());
    match process.gossip.ip() {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend(ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend(ip.octets());
        }
    }
    out.extend(process.gossip.port().to_le_bytes());
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend(short(text.len()));
    out.extend(text.as_bytes());
}

/// Of what was read, or is shorter than what can be: it always fits.
fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("it came out of a datagram").to_le_bytes()
}

#[cfg(test)]
mod tests {
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

    fn message(kind: Kind) -> Message {
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
}
