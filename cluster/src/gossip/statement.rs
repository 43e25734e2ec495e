//! What a process says about itself, as it travels: a text, signed with the key of its node's certificate.
//!
//! ```text
//! urls https://a.example:4433
//! ..                                  the facts, a line each
//! sender 0f1e..                       what its datagrams are sealed under
//! chain MIIB.. MIIC..                 its certificate, and those between it and the authority
//! signature 0403 MEUC..               the scheme of TLS, and the bytes
//! ```
//!
//! The signature is over what stands above it, after the cluster, the process, where it gossips, and a number that rises
//! with each statement of a process. chitchat carries it under one key, whose version is that number: so nobody plays an
//! older one over a newer, or makes a version up.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use rustls::pki_types::{CertificateDer, UnixTime};
use starling_core::id::NodeId;

use super::facts::FACTS_BYTES_MAX;
use super::key::SenderId;
use crate::proof::{CHAIN_BYTES_MAX, CHAIN_MAX, Doubt, Proof, SIGNATURE_BYTES_MAX, Signature};

/// The key of chitchat that it is said with.
pub(super) const KEY: &str = "says";

/// Longest statement: facts, a chain and a signature in Base64, and the words between them.
pub(super) const STATEMENT_BYTES_MAX: usize =
    FACTS_BYTES_MAX + (CHAIN_BYTES_MAX + SIGNATURE_BYTES_MAX).div_ceil(3) * 4 + 256;

/// Nothing else that is signed with a node's key begins so: TLS begins with 64 spaces.
const CONTEXT: &[u8] = b"starling gossip statement 1\0";

const SENDER: &str = "sender";
const CHAIN: &str = "chain";
const SIGNATURE: &str = "signature";

/// A process, and where it gossips: what chitchat tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) node: NodeId,
    pub(super) gossip: SocketAddr,
}

/// A statement that was read, and not believed yet.
pub(super) struct Statement<'a> {
    signed: &'a str,
    chain: Vec<CertificateDer<'static>>,
    signature: Signature,
    pub(super) sender: SenderId,
}

/// Says these facts, as the `number`th statement of a process.
pub(super) fn say(
    proof: &Proof,
    cluster: &str,
    process: &Process,
    number: u64,
    sender: &SenderId,
    facts: &[(String, String)],
) -> Result<String, rustls::Error> {
    let mut text: String = facts.iter().map(|(key, value)| format!("{key} {value}\n")).collect();
    let chain: Vec<_> = proof.chain().iter().map(|one| BASE64.encode(one)).collect();
    text += &format!("{SENDER} {:032x}\n", u128::from_be_bytes(*sender));
    text += &format!("{CHAIN} {}\n", chain.join(" "));
    let Signature { scheme, bytes } = proof.sign(&covered(cluster, process, number, &text))?;
    text += &format!("{SIGNATURE} {scheme:04x} {}\n", BASE64.encode(bytes));
    Ok(text)
}

/// The facts in a statement that is believed.
pub(super) fn facts(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.filter(|(key, _)| ![SENDER, CHAIN, SIGNATURE].contains(key))
}

impl<'a> Statement<'a> {
    /// Reads one.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.len() > STATEMENT_BYTES_MAX {
            return None;
        }
        let end = text.strip_suffix('\n')?.rfind('\n')? + 1;
        let (signed, last) = text.split_at(end);
        let (scheme, bytes) = value(last, SIGNATURE)?.split_once(' ')?;
        let sender = value(signed, SENDER)?;
        let chain = value(signed, CHAIN)?.split(' ').take(CHAIN_MAX + 1);
        let chain: Vec<_> = chain.map(|one| BASE64.decode(one).ok()).collect::<Option<_>>()?;
        let fits = chain.len() <= CHAIN_MAX && sender.len() == 2 * size_of::<SenderId>();
        fits.then_some(Self {
            signed,
            chain: chain.into_iter().map(CertificateDer::from).collect(),
            signature: Signature {
                scheme: u16::from_str_radix(scheme, 16).ok()?,
                bytes: BASE64.decode(bytes).ok()?,
            },
            sender: u128::from_str_radix(sender, 16).ok()?.to_be_bytes(),
        })
    }

    /// Whether this process said it.
    pub(super) fn check(
        &self,
        proof: &Proof,
        cluster: &str,
        process: &Process,
        number: u64,
        now: UnixTime,
    ) -> Result<(), Doubt> {
        let covered = covered(cluster, process, number, self.signed);
        proof.check(&process.node.name, &self.chain, &covered, &self.signature, now)
    }
}

/// What the only line of this key says.
fn value<'a>(lines: &'a str, key: &str) -> Option<&'a str> {
    let mut values = lines.lines().filter_map(|line| line.split_once(' '));
    let mut values = values.by_ref().filter(|(one, _)| *one == key);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

/// The bytes that are signed. What has no fixed length says how long it is, so that no two readings are the same bytes.
fn covered(cluster: &str, process: &Process, number: u64, text: &str) -> Vec<u8> {
    let mut bytes = CONTEXT.to_vec();
    let gossip = process.gossip.to_string();
    for part in [cluster, process.node.name.as_str(), &gossip] {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes.extend_from_slice(&process.node.generation.0.to_le_bytes());
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gossip::facts::tests::facts as some;
    use crate::gossip::{FactsError, NodeFacts};
    use crate::proof::tests::{authority, credentials, name, now};
    use starling_core::id::Generation;

    const SENDER_ID: SenderId = [7; 16];

    fn process(node: &str, generation: u64, port: u16) -> Process {
        Process {
            node: NodeId {
                name: name(node),
                generation: Generation(generation),
            },
            gossip: ([10, 0, 0, 1], port).into(),
        }
    }

    #[test]
    fn what_is_said_is_read_and_good_for_nothing_else() {
        let ours = authority();
        let proof = credentials(&ours, &[&ours], "a").proof;
        let keys = some().to_keys().expect("they hold");
        let a = process("a", 5, 1);
        let text = say(&proof, "prod", &a, 3, &SENDER_ID, &keys).expect("signed");
        let read = Statement::parse(&text).expect("a statement");
        assert_eq!(NodeFacts::from_keys(facts(&text)), Ok(some()));
        assert_eq!(read.sender, SENDER_ID);
        let check = |cluster: &str, process: &Process, number| read.check(&proof, cluster, process, number, now());
        assert_eq!(check("prod", &a, 3), Ok(()));
        for (cluster, process, number) in [
            ("staging", a.clone(), 3),
            ("prod", process("a", 6, 1), 3),
            ("prod", process("a", 5, 2), 3),
            ("prod", a, 4),
        ] {
            assert_eq!(check(cluster, &process, number), Err(Doubt::Signature));
        }
        assert_eq!(check("prod", &process("b", 5, 1), 3), Err(Doubt::Certificate));
    }

    #[test]
    fn a_change_anywhere_is_seen() {
        let ours = authority();
        let proof = credentials(&ours, &[&ours], "a").proof;
        let a = process("a", 5, 1);
        let keys = some().to_keys().expect("they hold");
        let text = say(&proof, "prod", &a, 3, &SENDER_ID, &keys).expect("signed");
        let holds = |text: &str| {
            let read = Statement::parse(text);
            read.is_some_and(|read| read.check(&proof, "prod", &a, 3, now()).is_ok())
        };
        assert!(holds(&text));
        for (is, becomes) in [
            ("phase draining", "phase left"),
            ("link 10.0.0.1", "link 10.0.0.9"),
            ("load 17", "load 18"),
            ("0707", "0708"),
            ("chain ", "chain  "),
            ("urls ", "more x\nurls "),
            ("signature 0403", "signature 0503"),
        ] {
            assert!(text.contains(is), "{is}");
            assert!(!holds(&text.replacen(is, becomes, 1)), "{becomes}");
        }
        for at in (0..text.len()).step_by(7) {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert!(!holds(&String::from_utf8(bytes).expect("ASCII")), "byte {at}");
        }
        for bad in [
            "",
            "\n",
            "signature 0403 AAAA\n",
            &text[..text.len() - 1],
            &text.repeat(2),
        ] {
            assert!(!holds(bad), "{bad}");
        }
        assert!(Statement::parse(&"x y\n".repeat(STATEMENT_BYTES_MAX)).is_none());
    }

    #[test]
    fn the_longest_statement_fits() {
        let keys = [("zone".to_owned(), "z".repeat(FACTS_BYTES_MAX - 4))];
        let pairs = || keys.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        assert!(!matches!(NodeFacts::from_keys(pairs()), Err(FactsError::TooLong(_))));
        let chain = BASE64.encode([0; CHAIN_BYTES_MAX]).len() + 2 * CHAIN_MAX;
        let words = [SENDER, CHAIN, SIGNATURE].concat().len() + 32 + 4 + 12 + 20;
        let signature = BASE64.encode([0; SIGNATURE_BYTES_MAX]).len();
        assert!(FACTS_BYTES_MAX + chain + words + signature <= STATEMENT_BYTES_MAX);
    }
}
