//! How two nodes begin: each says who it is and what it assumes, and a difference is refused with a code.
//!
//! The one that dials says [`Hello`], the other answers. Both know the other's certificate by then; the name in it, the
//! name in the hello and the name that was wanted have to be one.
//!
//! **Going on.** Each end keeps, for a pair of generations, what it has sent and what it has taken, under a number that it
//! drew (`mine`). A new connection goes on where the last one ended if both ends remember each other's number; otherwise
//! both begin at the first frame.

use std::time::Duration;

use bincode::{Decode, Encode};
use quinn::{RecvStream, SendStream};
use starling_core::id::{Generation, NodeId, NodeName};
use thiserror::Error;

use super::codec::{self, CodecError};
use super::frame::LANES;

/// Longest hello or answer: names, and a number for each lane.
const HELLO_BYTES_MAX: usize = 1_024;

/// Time both have for it, TLS included. A node that is busy answers within a second.
pub(super) const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(5);

/// What every node of a cluster has to agree on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Agreement {
    /// The cluster's name.
    pub cluster: String,
    /// Number of slots.
    pub slots: u16,
    /// Seed of the hash that puts names into slots.
    pub hash_seed: u64,
    /// The least version of the wire that is spoken, and the most.
    pub wire: (u16, u16),
}

/// What the dialling node says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Hello {
    pub(super) agreement: Agreement,
    pub(super) from: (String, u64),
    pub(super) to: (String, u64),
    pub(super) going_on: GoingOn,
}

/// What an end remembers of the other.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct GoingOn {
    /// The number that this end drew.
    pub(super) mine: u64,
    /// The number that the other end drew, if they have met.
    pub(super) yours: Option<u64>,
    /// The last frame taken, of each lane.
    pub(super) taken: [u64; LANES],
}

/// What the other answers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) enum Answer {
    /// It begins.
    Welcome {
        /// The version that is spoken.
        wire: u16,
        /// Whether both go on where they were.
        goes_on: bool,
        going_on: GoingOn,
    },
    /// It does not.
    Refused(u16),
}

/// Why a node does not talk to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Another cluster.
    #[error("it is of another cluster; compare cluster.id")]
    Cluster = 1,
    /// Another number of slots.
    #[error("it has another number of slots; compare slots.count")]
    Slots = 2,
    /// Another hash.
    #[error("it puts names into slots in another way; run one version")]
    HashSeed = 3,
    /// No version of the wire in common.
    #[error("it speaks no version of the wire that this node speaks; upgrade by one version at a time")]
    Wire = 4,
    /// The certificate is of another node.
    #[error("its certificate is of another node; issue one for its name")]
    Certificate = 5,
    /// Another node was wanted.
    #[error("another node was wanted at this address; look at cluster.advertise of both")]
    WrongNode = 6,
    /// Another generation was wanted: gossip is behind.
    #[error("another generation of the node was wanted; gossip will tell")]
    WrongGeneration = 7,
    /// A newer generation of its name is known.
    #[error("a newer generation has its name; stop the older process")]
    OldGeneration = 8,
    /// The node with the smaller name dials.
    #[error("it should have waited to be dialled; run one version")]
    Direction = 9,
    /// The last connection is still being put away.
    #[error("it came again before the last connection was put away; it will try again")]
    Busy = 10,
    /// The hello could not be read.
    #[error("its hello cannot be read; run one version")]
    Malformed = 11,
}

impl Refusal {
    const ALL: [Self; 11] = [
        Self::Cluster,
        Self::Slots,
        Self::HashSeed,
        Self::Wire,
        Self::Certificate,
        Self::WrongNode,
        Self::WrongGeneration,
        Self::OldGeneration,
        Self::Direction,
        Self::Busy,
        Self::Malformed,
    ];

    /// As metrics name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Slots => "slots",
            Self::HashSeed => "hash_seed",
            Self::Wire => "wire",
            Self::Certificate => "certificate",
            Self::WrongNode => "wrong_node",
            Self::WrongGeneration => "wrong_generation",
            Self::OldGeneration => "old_generation",
            Self::Direction => "direction",
            Self::Busy => "busy",
            Self::Malformed => "malformed",
        }
    }

    /// Its number on the wire.
    pub(super) const fn code(self) -> u16 {
        self as u16
    }

    /// The refusal of this number; one that is not known is of another version.
    pub(super) fn of(code: u16) -> Self {
        Self::ALL
            .into_iter()
            .find(|one| one.code() == code)
            .unwrap_or(Self::Wire)
    }
}

impl Agreement {
    /// The version to speak with a node that says this, or why there is none.
    fn with(&self, other: &Self) -> Result<u16, Refusal> {
        if self.cluster != other.cluster {
            return Err(Refusal::Cluster);
        }
        if self.slots != other.slots {
            return Err(Refusal::Slots);
        }
        if self.hash_seed != other.hash_seed {
            return Err(Refusal::HashSeed);
        }
        let most = self.wire.1.min(other.wire.1);
        let least = self.wire.0.max(other.wire.0);
        (least <= most).then_some(most).ok_or(Refusal::Wire)
    }
}

impl Hello {
    /// Holds a hello against who is called and whose certificate came with it: who it is, and the version to speak.
    pub(super) fn check(
        &self,
        agreement: &Agreement,
        me: &NodeId,
        certificate: Option<&NodeName>,
    ) -> Result<(NodeId, u16), Refusal> {
        let wire = agreement.with(&self.agreement)?;
        let name = NodeName::parse(&self.from.0).map_err(|_| Refusal::Malformed)?;
        if certificate != Some(&name) {
            return Err(Refusal::Certificate);
        }
        if self.to.0 != me.name.as_str() {
            return Err(Refusal::WrongNode);
        }
        if self.to.1 != me.generation.0 {
            return Err(Refusal::WrongGeneration);
        }
        if !dials(&name, &me.name) {
            return Err(Refusal::Direction);
        }
        let generation = Generation(self.from.1);
        Ok((NodeId { name, generation }, wire))
    }
}

/// Whether `one` dials `other`: one of a pair does, so that there is one connection.
pub(super) fn dials(one: &NodeName, other: &NodeName) -> bool {
    one < other
}

pub(super) fn said(node: &NodeId) -> (String, u64) {
    (node.name.to_string(), node.generation.0)
}

/// Why nothing was understood.
#[derive(Debug, Error)]
pub(super) enum TalkError {
    #[error("{0}")]
    Codec(#[from] CodecError),
    #[error("{0} bytes are too long for what is said here")]
    TooLong(usize),
    #[error("the stream ended: {0}")]
    Read(#[from] quinn::ReadExactError),
    #[error("the stream ended: {0}")]
    Write(#[from] quinn::WriteError),
}

/// Writes something short: its length in two bytes, and it.
pub(super) async fn write<T: Encode>(stream: &mut SendStream, said: &T) -> Result<(), TalkError> {
    let body = codec::encode(said)?;
    let length = u16::try_from(body.len()).ok().filter(|_| body.len() <= HELLO_BYTES_MAX);
    let length = length.ok_or(TalkError::TooLong(body.len()))?;
    let bytes = [&length.to_le_bytes()[..], &body].concat();
    Ok(stream.write_all(&bytes).await?)
}

/// Reads what [`write()`] wrote.
pub(super) async fn read<T: Decode<()>>(stream: &mut RecvStream) -> Result<T, TalkError> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).await?;
    let length = usize::from(u16::from_le_bytes(length));
    if length > HELLO_BYTES_MAX {
        return Err(TalkError::TooLong(length));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(codec::decode(&body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement() -> Agreement {
        Agreement {
            cluster: "prod".to_owned(),
            slots: 1_024,
            hash_seed: 7,
            wire: (2, 3),
        }
    }

    fn node(name: &str, generation: u64) -> NodeId {
        NodeId {
            name: NodeName::parse(name).expect("a name"),
            generation: Generation(generation),
        }
    }

    fn hello() -> Hello {
        Hello {
            agreement: agreement(),
            from: ("a".to_owned(), 5),
            to: ("b".to_owned(), 6),
            going_on: GoingOn {
                mine: 1,
                yours: None,
                taken: [0; LANES],
            },
        }
    }

    fn check(hello: &Hello, certificate: &str) -> Result<(NodeId, u16), Refusal> {
        let name = NodeName::parse(certificate).expect("a name");
        hello.check(&agreement(), &node("b", 6), Some(&name))
    }

    #[test]
    fn two_nodes_of_one_mind_speak_the_newest_version_that_both_know() {
        assert_eq!(check(&hello(), "a"), Ok((node("a", 5), 3)));
        for (wire, spoken) in [
            ((1, 2), Ok(2)),
            ((3, 9), Ok(3)),
            ((0, 1), Err(Refusal::Wire)),
            ((4, 5), Err(Refusal::Wire)),
        ] {
            let mut hello = hello();
            hello.agreement.wire = wire;
            assert_eq!(check(&hello, "a").map(|(_, wire)| wire), spoken, "{wire:?}");
        }
    }

    #[test]
    fn every_difference_has_its_code() {
        type Change = fn(&mut Hello);
        let cases: [(Change, &str, Refusal); 9] = [
            (|hello| hello.agreement.cluster.push('x'), "a", Refusal::Cluster),
            (|hello| hello.agreement.slots = 512, "a", Refusal::Slots),
            (|hello| hello.agreement.hash_seed = 8, "a", Refusal::HashSeed),
            (|_| (), "other", Refusal::Certificate),
            (|hello| hello.from.0 = "A".to_owned(), "a", Refusal::Malformed),
            (|hello| hello.from.0 = "aa".to_owned(), "a", Refusal::Certificate),
            (|hello| hello.to.0 = "c".to_owned(), "a", Refusal::WrongNode),
            (|hello| hello.to.1 = 7, "a", Refusal::WrongGeneration),
            (|hello| hello.from.0 = "c".to_owned(), "c", Refusal::Direction),
        ];
        for (change, certificate, refusal) in cases {
            let mut hello = hello();
            change(&mut hello);
            assert_eq!(check(&hello, certificate), Err(refusal));
        }
        assert_eq!(
            hello().check(&agreement(), &node("b", 6), None),
            Err(Refusal::Certificate)
        );
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::of(refusal.code()), refusal);
        }
    }
}
