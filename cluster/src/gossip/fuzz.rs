//! What fuzz targets do with bytes of gossip: as whoever has its key, and seals what they like.

use std::sync::{Arc, OnceLock};

use chitchat::{ChitchatMessage, Deserializable as _};
use rustls::pki_types::UnixTime;
use starling_core::id::{Generation, NodeId, NodeName};

use super::NodeFacts;
use super::message::Message;
use super::open::Inner;
use super::statement::{self, Process, Statement};
use crate::ca::{AUTHORITY_TIME, Authority, NODE_TIME};
use crate::link::Credentials;
use crate::proof::Proof;

const CLUSTER: &str = "prod";

/// What was sealed in a datagram: chitchat can read what is made of it, and nothing else was in it.
pub fn datagram(bytes: &[u8]) {
    let Some(mut read) = Inner::parse(bytes).and_then(|inner| Message::parse(inner.message, CLUSTER)) else {
        return;
    };
    read.told.retain(|told| told.statement.is_some());
    let written = read.write(CLUSTER);
    assert_eq!(Message::parse(&written, CLUSTER).as_ref(), Some(&read));
    ChitchatMessage::deserialize(&mut &*written).expect("chitchat reads what was written for it");
    for told in &read.told {
        if let Some((number, said)) = &told.statement {
            look(said, *number);
        }
    }
}

/// What a node says of itself.
pub fn statement(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        look(text, 3);
    }
}

fn look(text: &str, number: u64) {
    if let Some(statement) = Statement::parse(text) {
        let (me, now) = (process(), UnixTime::now());
        let _ = statement.check(proof(), CLUSTER, &me, number, now);
    }
    if let Ok(facts) = NodeFacts::from_keys(statement::facts(text)) {
        let keys = facts.to_keys().expect("what was read can be said");
        let pairs = keys.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        assert_eq!(NodeFacts::from_keys(pairs), Ok(facts));
    }
}

fn process() -> Process {
    let name = NodeName::parse("a").expect("a name");
    let generation = Generation(5);
    Process {
        node: NodeId { name, generation },
        gossip: ([10, 0, 0, 1], 1).into(),
    }
}

/// A node of an authority that nobody else knows: seeds are signed by another.
fn proof() -> &'static Proof {
    static PROOF: OnceLock<Arc<Proof>> = OnceLock::new();
    PROOF.get_or_init(|| {
        let (authority, _) = Authority::create(AUTHORITY_TIME).expect("made");
        let name = process().node.name;
        let pair = authority.issue(&name, &[], NODE_TIME).expect("issued");
        let parts = [authority.certificate(), &pair.certificate, &pair.key].map(str::as_bytes);
        Credentials::from_pem(&name, parts[0], parts[1], parts[2])
            .expect("a pair")
            .proof
    })
}

#[cfg(test)]
mod tests {
    use super::super::facts::tests::facts;
    use super::super::message::tests::message;
    use super::super::message::{Kind, Told};
    use super::*;
    use crate::fuzz::replay::replay;

    fn said() -> String {
        let keys = facts().to_keys().expect("they hold");
        statement::say(proof(), CLUSTER, &process(), 3, &[7; 16], &keys).expect("signed")
    }

    /// What is sealed around a message.
    fn inner(message: &[u8]) -> Vec<u8> {
        let times = [1_700_000_000_000u64.to_le_bytes(), 5u64.to_le_bytes()].concat();
        [&times[..], b"\x01a", message].concat()
    }

    #[test]
    fn what_is_sealed_is_read_as_chitchat_may_have_it() {
        let short = |kind| Message {
            told: vec![Told {
                process: process(),
                statement: Some((3, "zone a\n".to_owned())),
            }],
            ..message(kind)
        };
        let mut packed = short(Kind::Ack).write(CLUSTER);
        let operations = packed.split_off(4)[3..].to_vec();
        let block = zstd::bulk::compress(&operations[..operations.len() - 1], 0).expect("packed");
        packed.push(1);
        packed.extend((block.len() as u16).to_le_bytes());
        packed.extend(block);
        packed.push(0);
        let zero = [&packed[..4], &[1, 0, 0, 0]].concat();
        let signed = Message {
            told: vec![Told {
                process: process(),
                statement: Some((3, said())),
            }],
            ..message(Kind::Ack)
        };
        let seeds = [
            ("syn", message(Kind::Syn).write(CLUSTER)),
            ("syn ack", short(Kind::SynAck).write(CLUSTER)),
            ("ack", short(Kind::Ack).write(CLUSTER)),
            ("packed", packed),
            ("a block of nothing", zero),
            ("signed", signed.write(CLUSTER)),
        ];
        let seeds = seeds.map(|(name, seed)| (name.to_owned(), inner(&seed)));
        replay("gossip_datagram", datagram, seeds);
    }

    #[test]
    fn what_a_node_says_of_itself_is_read_or_refused() {
        let whole = said();
        let (facts, proof) = whole.split_at(whole.find("sender").expect("it has one"));
        let seeds = [
            ("whole", whole.as_str()),
            ("facts", facts),
            ("proof", proof),
            ("unsigned", "signature 0403 AAAA\n"),
        ];
        let seeds = seeds.map(|(name, seed)| (name.to_owned(), seed.into()));
        replay("gossip_statement", statement, seeds);
    }
}
