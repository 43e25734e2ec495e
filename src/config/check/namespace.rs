//! What must hold inside an entry of the namespaces, and between it and the rest.

use std::collections::BTreeSet;
use std::time::Duration;

use starling_protocol::limits::{FRAME_HEADER_BYTES, STATE_BYTES_MAX};

use crate::config::{Config, Durability, History, Namespace, Policy, Presence, Size};

use super::DAY;
use super::found::{At, Found};

impl Config {
    pub(super) fn check_namespaces(&self, found: &mut Found) {
        found.unless(
            !self.namespaces.is_empty(),
            &["namespaces"],
            "there is none, so every channel would be refused; add an entry to the configuration file: [[namespaces]] and below it match = \"demo\"",
        );
        let mut names = BTreeSet::new();
        for (index, namespace) in self.namespaces.iter().enumerate() {
            let mut at = At::new("namespaces", index, found);
            at.unless(
                is_name(&namespace.name),
                &["match"],
                &format!(
                    "\"{}\" is not a namespace; write 1 to 64 of a-z, 0-9, \"_\" and \"-\", such as \"demo\"",
                    namespace.name
                ),
            );
            at.unless(
                !namespace.name.starts_with('_'),
                &["match"],
                &format!(
                    "\"{}\" begins with \"_\", and such namespaces are the node's own; take another name",
                    namespace.name
                ),
            );
            at.unless(
                names.insert(&namespace.name),
                &["match"],
                &format!("\"{}\" has an entry already; keep one of them", namespace.name),
            );
            namespace.check(&mut at);
            self.check_sizes(namespace, &mut at);
        }
    }

    /// A message must fit everywhere it passes.
    fn check_sizes(&self, namespace: &Namespace, at: &mut At<'_>) {
        let payload = namespace.payload_max;
        let fits = |room: Size, overhead: u64| payload.bytes().saturating_add(overhead) <= room.bytes();
        let (limits, header) = (&self.limits, Size::new(FRAME_HEADER_BYTES as u64));
        at.unless_with(
            fits(limits.frame, header.bytes()),
            &["payload_max"],
            "limits.frame",
            &format!("a payload of {payload} and {header} for names and numbers do not fit a frame of {}; raise limits.frame or lower payload_max", limits.frame),
        );
        at.unless_with(
            fits(limits.http_body, 0),
            &["payload_max"],
            "limits.http_body",
            &format!(
                "a payload of {payload} does not fit an HTTP body of {}; raise limits.http_body or lower payload_max",
                limits.http_body
            ),
        );
        at.unless_with(
            fits(self.fanout.ring_bytes, 0),
            &["payload_max"],
            "fanout.ring_bytes",
            &format!(
                "a payload of {payload} does not fit the ring of {}; raise fanout.ring_bytes or lower payload_max",
                self.fanout.ring_bytes
            ),
        );
    }
}

impl Namespace {
    fn check(&self, at: &mut At<'_>) {
        let History { bytes, age, .. } = self.history;
        if self.durability == Durability::Ephemeral {
            at.unless(
                self.history == History::NONE,
                &["durability", "history"],
                "ephemeral channels keep no history; remove history, or use durability = \"replicated\"",
            );
        } else if !self.history.is_none() {
            at.unless(
                bytes >= self.payload_max,
                &["history", "payload_max"],
                "the history has no room for the largest message; raise history.bytes or lower payload_max",
            );
            let (longest, told) = match self.durability {
                Durability::Persisted => (DAY * 3_650, "must be between 1s and 3650d"),
                Durability::Replicated | Durability::Ephemeral => (
                    DAY,
                    "must be between 1s and 1d, for it is kept in memory; or use durability = \"persisted\"",
                ),
            };
            at.unless(
                (Duration::from_secs(1)..=longest).contains(&age),
                &["history.age"],
                told,
            );
        }
        at.unless(
            self.policy != Policy::Recover || !self.history.is_none(),
            &["policy", "history"],
            "a slow reader cannot pull what is not kept; use policy = \"drop\", \"latest\" or \"disconnect\", or keep a history",
        );
        at.unless(self.payload_max.bytes() >= 1, &["payload_max"], "must be at least 1B");
        at.unless(
            (1..=10_000_000).contains(&self.keys_max),
            &["keys_max"],
            "must be between 1 and 10000000",
        );
        at.unless(
            !self.keyed || self.values_max >= self.payload_max,
            &["values_max", "payload_max"],
            "the largest value does not fit; raise values_max or lower payload_max",
        );
        at.unless(
            (Duration::from_secs(1)..=DAY * 30).contains(&self.tombstone_age),
            &["tombstone_age"],
            "must be between 1s and 30d",
        );
        at.unless(
            (1..=10_000_000).contains(&self.publishers_max),
            &["publishers_max"],
            "must be between 1 and 10000000",
        );
        let Presence {
            grace,
            reload_grace,
            roster_max,
            state_max,
            ..
        } = self.presence;
        at.unless(
            grace <= Duration::from_secs(300),
            &["presence.grace"],
            "must be at most 5m: whoever was lost for longer is not there",
        );
        at.unless(
            reload_grace <= Duration::from_secs(300),
            &["presence.reload_grace"],
            "must be at most 5m, and counts up to presence.grace only",
        );
        at.unless(
            (1..=100_000).contains(&roster_max),
            &["presence.roster_max"],
            "must be between 1 and 100000; with mode = \"count\" nobody is named",
        );
        at.unless(
            state_max.bytes() <= STATE_BYTES_MAX as u64,
            &["presence.state_max"],
            "must be at most 4KiB: everybody who watches is sent it; keep larger things elsewhere, and name them in the state",
        );
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}
