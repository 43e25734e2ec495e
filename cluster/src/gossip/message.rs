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
pub(super) mod tests;
