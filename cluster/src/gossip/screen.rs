//! What chitchat is told: statements that were signed by whom they are about, and signs of life of those.
//!
//! Whoever has the key of gossip can seal anything. So nothing is believed for having been sealed: a statement that is new is
//! checked, once, and whoever nothing is proven of does not exist. What is left to somebody with the key and without a certificate
//! are the heartbeats of others, and with them whether they look silent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use chitchat::{ChitchatMessage, Deserializable as _};
use rustls::pki_types::UnixTime;
use starling_core::id::{NodeId, NodeName};
use starling_core::rate::{self, Rate};
use tokio::sync::watch;

use super::message::{Heard, Kind, Message, Told};
use super::open::Refused;
use super::proven::{Proven, Standing};
use super::statement::{Process, Statement};
use crate::link::Credentials;
use crate::proof::Doubt;

/// Statements that are checked in a second. A hundred nodes whose load changes make thirty, and a node that joins them is told a
/// hundred at once; a check takes a tenth of a millisecond. What comes beyond is refused, and said again with the next round.
const CHECKS_PER_SECOND_MAX: u32 = 200;

/// The first heartbeat that is known of a process: its own are higher.
const FIRST_HEARTBEAT: u64 = 1;

/// See the module.
pub(super) struct Screen {
    cluster: String,
    me: Process,
    credentials: Arc<ArcSwap<Credentials>>,
    proven: Proven,
    checks: Rate,
    /// Told when a later start of this node's name has proven itself.
    successor: watch::Sender<Option<NodeId>>,
}

/// When something is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) instant: Instant,
    /// Milliseconds since 1970.
    pub(super) wall_ms: u64,
}

/// What becomes of a statement that is handed on.
enum Passed {
    New,
    Again,
}

impl Screen {
    pub(super) fn new(
        cluster: &str,
        me: Process,
        credentials: Arc<ArcSwap<Credentials>>,
        successor: watch::Sender<Option<NodeId>>,
    ) -> Self {
        Self {
            cluster: cluster.to_owned(),
            me,
            credentials,
            proven: Proven::default(),
            checks: Rate::default(),
            successor,
        }
    }

    /// Whose statements were believed.
    pub(super) const fn proven(&self) -> &Proven {
        &self.proven
    }

    /// What tells a process that it does not have its name any more: what its successor has signed.
    pub(super) fn of_successor(&self, name: &NodeName) -> Option<Vec<u8>> {
        let known = self.proven.named(name)?;
        let message = Message {
            kind: Kind::Ack,
            digest: Vec::new(),
            told: vec![Told {
                process: known.process.clone(),
                statement: Some((known.number, known.statement.clone())),
            }],
        };
        Some(message.write(&self.cluster))
    }

    /// Reads a message and keeps of it what may be believed; `refused` gets why a statement was not.
    pub(super) fn pass(
        &mut self,
        message: &[u8],
        now: Now,
        refused: &mut Vec<Refused>,
    ) -> Result<ChitchatMessage, Refused> {
        let message = Message::parse(message, &self.cluster).ok_or(Refused::Malformed)?;
        let kept = self.keep(message, now, refused).write(&self.cluster);
        ChitchatMessage::deserialize(&mut &*kept).map_err(|_| Refused::Malformed)
    }

    fn keep(&mut self, message: Message, now: Now, refused: &mut Vec<Refused>) -> Message {
        let Message { mut kind, digest, told } = message;
        let (mut passed, mut new) = (Vec::new(), Vec::new());
        for told in told {
            match self.judge(&told, now) {
                Ok(Some(Passed::New)) => {
                    new.push(told.process.clone());
                    passed.push(told);
                }
                Ok(Some(Passed::Again)) => passed.push(told),
                Ok(None) => {}
                Err(why) => refused.push(why),
            }
        }
        let mut digest = self.known(digest, now);
        new.retain(|process| digest.iter().all(|heard| heard.process != *process));
        if !new.is_empty() {
            // chitchat takes statements of those only that it has heard of; and in an answer to this, nothing is new to its sender.
            if kind == Kind::Ack {
                kind = Kind::SynAck;
                digest = self.everybody();
            }
            for process in new {
                digest.retain(|heard| heard.process != process);
                digest.push(heard(process, FIRST_HEARTBEAT));
            }
        }
        Message {
            kind,
            digest,
            told: passed,
        }
    }

    /// Whether a statement is handed on. None, if there is nothing in it for this node.
    fn judge(&mut self, told: &Told, now: Now) -> Result<Option<Passed>, Refused> {
        let Told { process, statement } = told;
        let (number, text) = statement.as_ref().ok_or(Refused::Statement)?;
        // What this node has said it knows, and which of its earlier starts said what is past.
        if process.node.name == self.me.node.name && process.node.generation <= self.me.node.generation {
            return Ok(None);
        }
        match self.proven.place(process, *number, text) {
            Standing::Known => return Ok(Some(Passed::Again)),
            Standing::Past => return Ok(None),
            Standing::Open => {}
        }
        let statement = Statement::parse(text).ok_or(Refused::Statement)?;
        let taken = self.checks.take(rate::interval(CHECKS_PER_SECOND_MAX), now.instant);
        taken.map_err(|_| Refused::Busy)?;
        let proof = Arc::clone(&self.credentials.load().proof);
        let wall = UnixTime::since_unix_epoch(Duration::from_millis(now.wall_ms));
        let checked = statement.check(&proof, &self.cluster, process, *number, wall);
        checked.map_err(|doubt| match doubt {
            Doubt::Certificate => Refused::Untrusted,
            Doubt::Signature => Refused::Signature,
        })?;
        let taken = self.proven.take(process, statement.sender, *number, text, now.wall_ms);
        if taken.is_ok() && process.node.name == self.me.node.name {
            // It may be one that chitchat never hears live: it does not speak to its predecessor.
            self.successor.send_replace(Some(process.node.clone()));
        }
        Ok(Some(if taken? { Passed::New } else { Passed::Again }))
    }

    /// Of a digest, what is about those who are known. It stays even if what it says is not so: it says what its sender lacks.
    fn known(&mut self, digest: Vec<Heard>, now: Now) -> Vec<Heard> {
        let is_known = |heard: &Heard| heard.process == self.me || self.proven.is_current(&heard.process);
        let known: Vec<_> = digest.into_iter().filter(is_known).collect();
        for heard in &known {
            self.proven.hear(&heard.process, now.wall_ms);
        }
        known
    }

    /// The digest of somebody who lacks nothing.
    fn everybody(&self) -> Vec<Heard> {
        let all = self.proven.all().map(|known| heard(known.process.clone(), 0));
        all.chain([heard(self.me.clone(), 0)]).collect()
    }
}

/// A line of a digest that asks for nothing.
const fn heard(process: Process, heartbeat: u64) -> Heard {
    Heard {
        process,
        heartbeat,
        newest: u64::MAX,
    }
}

#[cfg(test)]
mod tests;
