//! Clients, and what they have entered.

use std::fmt;

use bytes::Bytes;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::digest::Place;
use crate::id::{ChannelName, NodeId, Subject};

/// Which of a subject's clients: a tab of a browser, that is, over its reloads and reconnects. It is shown to everybody
/// who sees the roster, so it must not be what the client proves itself by: the shell makes it of the client's secret by
/// a hash that cannot be turned round.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ClientId(pub [u8; 16]);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A client. The subject is its token's and no word of its own, so nobody takes the place of another's client. Cheap to
/// clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client {
    /// Whom its token names.
    pub subject: Subject,
    /// Which of the subject's clients.
    pub id: ClientId,
}

impl Client {
    /// Whom a roster lists it under.
    #[must_use]
    pub fn member(&self) -> Member {
        match self.subject.is_anonymous() {
            true => Member::Anonymous(self.id),
            false => Member::Named(self.subject.clone()),
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.subject, self.id)
    }
}

/// Who is present: a person with all their tabs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Member {
    /// Everybody who is here as this subject.
    Named(Subject),
    /// A client whose token names nobody: each is somebody else.
    Anonymous(ClientId),
}

/// A connection of its gateway's, by the number of its session there; never used twice by one start of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Which entry, among those of one gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Where.
    pub channel: ChannelName,
    /// Who.
    pub client: Client,
    /// By which connection. A copied tab is the same client once more, and either of the two may leave first.
    pub connection: ConnectionId,
}

impl Key {
    /// Where it lies among all entries, for comparing them.
    #[must_use]
    pub fn place(&self) -> Place {
        let channel = xxh3_64(self.channel.as_str().as_bytes());
        let subject = xxh3_64_with_seed(self.client.subject.as_str().as_bytes(), channel);
        let id = xxh3_64_with_seed(&self.client.id.0, subject);
        Place(xxh3_64_with_seed(&self.connection.0.to_le_bytes(), id))
    }
}

/// What one connection has entered into one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which.
    pub key: Key,
    /// Its gateway's counter when it last changed: with the gateway, its dot.
    pub counter: u64,
    /// The connection ended without a goodbye. The client may return within its grace.
    pub is_lost: bool,
    /// What the application says of itself.
    pub state: Bytes,
}

/// What a gateway did to one of its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is like this.
    Put(Entry),
    /// It is gone.
    Drop {
        /// Which.
        key: Key,
        /// The gateway's counter then.
        counter: u64,
        /// Its client has left, by this connection. Of one that is gone otherwise it is not known: it did not return, or
        /// how it went was missed.
        is_left: bool,
    },
}

impl Change {
    /// Which entry.
    #[must_use]
    pub const fn key(&self) -> &Key {
        match self {
            Self::Put(entry) => &entry.key,
            Self::Drop { key, .. } => key,
        }
    }

    /// The gateway's counter.
    #[must_use]
    pub const fn counter(&self) -> u64 {
        match self {
            Self::Put(entry) => entry.counter,
            Self::Drop { counter, .. } => *counter,
        }
    }
}

/// A client as watchers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Who.
    pub client: Client,
    /// The node it is attached to.
    pub gateway: NodeId,
    /// By which connection.
    pub connection: ConnectionId,
    /// What it says of itself.
    pub state: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(subject: &str, id: u8) -> Client {
        Client {
            subject: Subject::new(subject),
            id: ClientId([id; 16]),
        }
    }

    #[test]
    fn tabs_of_a_subject_are_one_member_and_anonymous_clients_are_not() {
        assert_eq!(client("anna", 1).member(), client("anna", 2).member());
        assert_ne!(client("", 1).member(), client("", 2).member());
        assert_ne!(client("anna", 1).member(), client("bert", 1).member());
    }

    #[test]
    fn the_place_of_a_key_never_changes() {
        // Golden: nodes of another version compare theirs with ours.
        let key = |connection| Key {
            channel: ChannelName::parse("chat:lobby").unwrap(),
            client: client("anna", 7),
            connection: ConnectionId(connection),
        };
        assert_eq!(key(1).place(), Place(GOLDEN));
        assert_ne!(key(1).place(), key(2).place());
    }

    const GOLDEN: u64 = 11_587_046_002_758_840_152;
}
