//! Which process has a name, as the node of that name has signed it itself.

use std::cmp::Ordering;
use std::collections::HashMap;

use starling_core::id::NodeName;

use super::key::SenderId;
use super::open::Refused;
use super::statement::Process;

/// Names that are remembered. An authority has vouched for each, so this is ten times the largest cluster. Beyond it the one
/// that was silent for longest is forgotten, and has to prove itself again.
pub(super) const NAMES_MAX: usize = 1_024;

/// The newest process of a name, and the last that it said.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) process: Process,
    pub(super) sender: SenderId,
    pub(super) number: u64,
    pub(super) statement: String,
    heard_ms: u64,
}

/// How what is said of a process stands to what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was said before, to the letter.
    Known,
    /// It is older: whoever passes it on is behind.
    Past,
    /// It says more than is known, or something else.
    Open,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Proven {
    names: HashMap<NodeName, Known>,
}

impl Proven {
    /// Whether a datagram of this sender may be a node's of this name and generation. One that is newer than what is proven may:
    /// whether it is, what it says will show.
    pub(super) fn admit(&self, name: &NodeName, generation: u64, sender: &SenderId) -> Result<(), Refused> {
        let Some(known) = self.names.get(name) else {
            return Ok(());
        };
        match generation.cmp(&known.process.node.generation.0) {
            Ordering::Less => Err(Refused::OldGeneration),
            Ordering::Equal if known.sender != *sender => Err(Refused::DuplicateName),
            Ordering::Equal | Ordering::Greater => Ok(()),
        }
    }

    /// Whether this is the process that has its name.
    pub(super) fn is_current(&self, process: &Process) -> bool {
        self.of(process).is_some()
    }

    /// The process is heard of.
    pub(super) fn hear(&mut self, process: &Process, now_ms: u64) {
        let known = self.names.get_mut(&process.node.name);
        if let Some(known) = known.filter(|known| known.process == *process) {
            known.heard_ms = now_ms;
        }
    }

    /// Holds what is said of a process against what is known.
    pub(super) fn place(&self, process: &Process, number: u64, statement: &str) -> Standing {
        let Some(known) = self.names.get(&process.node.name) else {
            return Standing::Open;
        };
        match process.node.generation.cmp(&known.process.node.generation) {
            Ordering::Less => return Standing::Past,
            Ordering::Greater => return Standing::Open,
            Ordering::Equal if known.process != *process => return Standing::Open,
            Ordering::Equal => {}
        }
        match number.cmp(&known.number) {
            Ordering::Less => Standing::Past,
            Ordering::Equal if known.statement == statement => Standing::Known,
            Ordering::Equal | Ordering::Greater => Standing::Open,
        }
    }

    /// Takes what a process has proven to have said, which was found [`Standing::Open`]. Whether it is a new process.
    pub(super) fn take(
        &mut self,
        process: &Process,
        sender: SenderId,
        number: u64,
        statement: &str,
        now_ms: u64,
    ) -> Result<bool, Refused> {
        let known = self.names.get(&process.node.name);
        let known = known.filter(|known| known.process.node == process.node);
        let is_new = known.is_none();
        // It has a certificate of the name, and is another process of the same generation; or says two things at once.
        if known.is_some_and(|known| known.process != *process || known.sender != sender || known.number >= number) {
            return Err(Refused::DuplicateName);
        }
        if self.names.len() >= NAMES_MAX && !self.names.contains_key(&process.node.name) {
            let silent = self.names.iter().min_by_key(|(_, known)| known.heard_ms);
            if let Some(name) = silent.map(|(name, _)| name.clone()) {
                self.names.remove(&name);
            }
        }
        let known = Known {
            process: process.clone(),
            sender,
            number,
            statement: statement.to_owned(),
            heard_ms: now_ms,
        };
        self.names.insert(process.node.name.clone(), known);
        Ok(is_new)
    }

    /// The newest process of a name.
    pub(super) fn named(&self, name: &NodeName) -> Option<&Known> {
        self.names.get(name)
    }

    /// Everybody.
    pub(super) fn all(&self) -> impl Iterator<Item = &Known> {
        self.names.values()
    }

    fn of(&self, process: &Process) -> Option<&Known> {
        let known = self.names.get(&process.node.name);
        known.filter(|known| known.process == *process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use starling_core::id::{Generation, NodeId};

    fn process(name: &str, generation: u64, port: u16) -> Process {
        Process {
            node: NodeId {
                name: NodeName::parse(name).expect("a name"),
                generation: Generation(generation),
            },
            gossip: ([10, 0, 0, 1], port).into(),
        }
    }

    #[test]
    fn who_has_proven_itself_is_heard_and_nobody_older_or_beside_it() {
        let (mut proven, name) = (Proven::default(), NodeName::parse("a").expect("a name"));
        for sender in 0..100 {
            assert_eq!(
                proven.admit(&name, sender.into(), &[sender; 16]),
                Ok(()),
                "nothing is proven"
            );
        }
        assert_eq!(proven.take(&process("a", 5, 1), [1; 16], 1, "x", 0), Ok(true));
        for (generation, sender, admitted) in [
            (5, 1, Ok(())),
            (4, 1, Err(Refused::OldGeneration)),
            (4, 2, Err(Refused::OldGeneration)),
            (5, 2, Err(Refused::DuplicateName)),
            (6, 2, Ok(())),
            (u64::MAX, 3, Ok(())),
        ] {
            assert_eq!(proven.admit(&name, generation, &[sender; 16]), admitted);
        }
        assert_eq!(proven.take(&process("a", 6, 1), [2; 16], 1, "y", 0), Ok(true));
        assert_eq!(proven.admit(&name, 5, &[1; 16]), Err(Refused::OldGeneration));
        assert!(proven.is_current(&process("a", 6, 1)) && !proven.is_current(&process("a", 5, 1)));
    }

    #[test]
    fn a_process_is_held_to_its_newest_word() {
        let mut proven = Proven::default();
        let a = process("a", 5, 1);
        assert_eq!(proven.place(&a, 1, "x"), Standing::Open);
        assert_eq!(proven.take(&a, [1; 16], 3, "x", 0), Ok(true));
        for (process, number, statement, standing) in [
            (&a, 3, "x", Standing::Known),
            (&a, 3, "y", Standing::Open),
            (&a, 2, "x", Standing::Past),
            (&a, 4, "x", Standing::Open),
            (&process("a", 4, 1), 9, "x", Standing::Past),
            (&process("a", 6, 1), 1, "x", Standing::Open),
            (&process("a", 5, 2), 1, "x", Standing::Open),
        ] {
            assert_eq!(
                proven.place(process, number, statement),
                standing,
                "{process:?} {number}"
            );
        }
        assert_eq!(proven.take(&a, [1; 16], 4, "y", 0), Ok(false));
        for (process, sender, number) in [(&a, 1, 4), (&a, 2, 5), (&process("a", 5, 2), 1, 5)] {
            let refused = proven.take(process, [sender; 16], number, "z", 0);
            assert_eq!(refused, Err(Refused::DuplicateName));
        }
    }

    #[test]
    fn so_many_names_are_remembered_and_the_silent_make_room() {
        let mut proven = Proven::default();
        let named = |at: usize| process(&format!("n{at}"), 1, 1);
        for at in 0..NAMES_MAX + 10 {
            assert_eq!(proven.take(&named(at), [1; 16], 1, "x", at as u64), Ok(true));
            proven.hear(&named(0), at as u64);
        }
        assert_eq!(proven.all().count(), NAMES_MAX);
        let known = |at| proven.is_current(&named(at));
        assert!(known(0) && !known(1) && !known(10) && known(11) && known(NAMES_MAX + 9));
    }
}
