//! `[[namespaces]]`: what the channels of one namespace promise.
//!
//! A key that an entry leaves out has a default, and two of these defaults follow from `durability`: channels that
//! keep no copy keep no history, and without history a slow reader loses the oldest messages instead of pulling them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::unit::{self, Size};

/// The settings of one namespace: of every channel named `name:…`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Entry")]
pub struct Namespace {
    /// The namespace, whole: what stands before the first colon of a channel's name.
    #[serde(rename = "match")]
    pub name: String,
    /// What an acknowledgement promises.
    pub durability: Durability,
    /// How far back messages are kept.
    pub history: History,
    /// What happens to a reader that is too slow and has not chosen for itself.
    pub policy: Policy,
    /// Whether messages carry keys, and a reader gets the newest value of each.
    pub keyed: bool,
    /// Keys one channel may hold.
    pub keys_max: u32,
    /// Bytes that all values of one channel may take.
    pub values_max: Size,
    /// How long a removed key is remembered, so that a reader that was away learns of it.
    #[serde(with = "unit::duration")]
    pub tombstone_age: Duration,
    /// Longest payload of one message.
    pub payload_max: Size,
    /// Publishes a second that one session may send; 0 for no limit.
    pub publish_rate: u32,
    /// Bytes of payload a second that one session may publish; 0 for no limit.
    pub publish_bytes: Size,
    /// Publishers one channel remembers, so that what they send again is taken once.
    pub publishers_max: u32,
    /// Who is seen in its channels.
    pub presence: Presence,
}

/// Who is seen in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Presence {
    /// The most that those who watch may see.
    pub mode: PresenceMode,
    /// How long a client whose connection was lost may take to return before it has left.
    #[serde(with = "unit::duration")]
    pub grace: Duration,
    /// The same of a client that closed its connection without a goodbye, as a page does that is closed or loaded again.
    #[serde(with = "unit::duration")]
    pub reload_grace: Duration,
    /// Clients of a channel up to which they are named.
    pub roster_max: u32,
    /// Longest state of a client.
    pub state_max: Size,
}

/// What those who watch a channel may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PresenceMode {
    /// Who is there.
    #[default]
    Roster,
    /// How many are there.
    Count,
}

/// The defaults, with their reasons in `config/default.toml`.
impl Default for Presence {
    fn default() -> Self {
        Self {
            mode: PresenceMode::default(),
            grace: Duration::from_secs(5),
            reload_grace: Duration::from_secs(1),
            roster_max: 20_000,
            state_max: Size::new(1 << 10),
        }
    }
}

impl Namespace {
    /// A namespace of this name with every other key at its default.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Entry {
            name: name.to_owned(),
            ..Entry::default()
        }
        .into()
    }
}

/// What an acknowledgement promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The owner took it. No history, no copies.
    Ephemeral,
    /// Every in-sync copy holds it in memory: one on a node that stands alone.
    #[default]
    Replicated,
    /// It is committed to the store.
    Persisted,
}

/// What happens to a reader that is too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// It is told, and pulls from its position.
    Recover,
    /// The newest value of each key replaces the queued one.
    Latest,
    /// The oldest messages are dropped, with a count that it sees.
    Drop,
    /// Its session is closed with a code that says to return.
    Disconnect,
}

/// How far back messages are kept. The bound that is reached first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct History {
    /// Messages.
    pub messages: u32,
    /// Bytes of payload.
    pub bytes: Size,
    /// Age.
    #[serde(with = "unit::duration")]
    pub age: Duration,
}

impl History {
    /// Nothing is kept.
    pub const NONE: Self = Self {
        messages: 0,
        bytes: Size::new(0),
        age: Duration::ZERO,
    };

    /// What is kept unless the namespace says otherwise: two minutes cover a reload, a roaming phone and a rolling
    /// restart; 10,000 messages and 8 MiB bound what one busy channel may cost.
    pub const DEFAULT: Self = Self {
        messages: 10_000,
        bytes: Size::new(8 << 20),
        age: Duration::from_secs(120),
    };

    /// Whether nothing is kept.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.messages == 0
    }
}

/// A namespace as it is written: what is left out is not there yet.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(rename = "match")]
    name: String,
    durability: Option<Durability>,
    #[serde(default)]
    history: Bounds,
    policy: Option<Policy>,
    keyed: Option<bool>,
    keys_max: Option<u32>,
    values_max: Option<Size>,
    tombstone_age: Option<Age>,
    payload_max: Option<Size>,
    publish_rate: Option<u32>,
    publish_bytes: Option<Size>,
    publishers_max: Option<u32>,
    #[serde(default)]
    presence: Presence,
}

/// A history as it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    messages: Option<u32>,
    bytes: Option<Size>,
    age: Option<Age>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Age(#[serde(with = "unit::duration")] Duration);

/// The defaults, with their reasons in `config/default.toml`; a test keeps the two equal.
impl From<Entry> for Namespace {
    fn from(entry: Entry) -> Self {
        let durability = entry.durability.unwrap_or_default();
        let kept = if durability == Durability::Ephemeral {
            History::NONE
        } else {
            History::DEFAULT
        };
        let history = History {
            messages: entry.history.messages.unwrap_or(kept.messages),
            bytes: entry.history.bytes.unwrap_or(kept.bytes),
            age: entry.history.age.map_or(kept.age, |Age(age)| age),
        };
        let policy = if history.is_none() {
            Policy::Drop
        } else {
            Policy::Recover
        };
        Self {
            name: entry.name,
            durability,
            history,
            policy: entry.policy.unwrap_or(policy),
            keyed: entry.keyed.unwrap_or(false),
            keys_max: entry.keys_max.unwrap_or(10_000),
            values_max: entry.values_max.unwrap_or(Size::new(8 << 20)),
            tombstone_age: entry.tombstone_age.map_or(Duration::from_secs(600), |Age(age)| age),
            payload_max: entry.payload_max.unwrap_or(Size::new(64 << 10)),
            publish_rate: entry.publish_rate.unwrap_or(1_000),
            publish_bytes: entry.publish_bytes.unwrap_or(Size::new(8 << 20)),
            publishers_max: entry.publishers_max.unwrap_or(10_000),
            presence: entry.presence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Namespace {
        toml::from_str(text).expect(text)
    }

    #[test]
    fn what_an_entry_leaves_out_has_a_default() {
        let namespace = read("match = \"chat\"");
        assert_eq!(namespace, Namespace::new("chat"));
        assert_eq!(
            (namespace.durability, namespace.history, namespace.policy),
            (Durability::Replicated, History::DEFAULT, Policy::Recover)
        );
        let namespace = read("match = \"chat\"\nhistory = { age = \"10m\" }");
        assert_eq!(
            namespace.history,
            History {
                age: Duration::from_secs(600),
                ..History::DEFAULT
            }
        );
    }

    #[test]
    fn without_history_a_slow_reader_loses_the_oldest() {
        let namespace = read("match = \"live\"\ndurability = \"ephemeral\"");
        assert_eq!((namespace.history, namespace.policy), (History::NONE, Policy::Drop));
        let namespace = read("match = \"live\"\nhistory = { messages = 0 }");
        assert_eq!(namespace.policy, Policy::Drop);
    }

    #[test]
    fn a_namespace_written_whole_reads_back() {
        for text in [
            "match = \"a\"",
            "match = \"a\"\ndurability = \"ephemeral\"",
            "match = \"a\"\nkeyed = true\npolicy = \"latest\"",
            "match = \"a\"\npresence = { mode = \"count\", grace = \"0s\" }",
        ] {
            let namespace = read(text);
            assert_eq!(
                read(&toml::to_string(&namespace).expect("strings and numbers")),
                namespace
            );
        }
    }
}
