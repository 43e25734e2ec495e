//! One of those who edit a document at this node.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::shown::Shown;
use super::turn::{Effect, Event};
use crate::document::awareness::{CLIENTS_OF_A_CONNECTION_MAX, encode};
use crate::document::message::{EditorId, Refusal};
use crate::document::scan::Entry;

/// Bytes of edits that are kept to be given back. Beyond it they are saved all the same, and not given back.
const ECHO_BYTES_MAX: usize = 256 * 1024;

/// Settled by nothing yet.
const IN_DOUBT: u64 = u64::MAX;

/// See the module.
#[derive(Debug)]
pub(super) struct Editor {
    pub(super) may_write: bool,
    wants_echo: bool,
    /// The state vector of a question that was not answered.
    pub(super) wants: Option<Bytes>,
    /// Edits that are not known to be saved, in order.
    edits: VecDeque<Edit>,
    echo_bytes: usize,
    /// The highest edit that is saved.
    saved: u64,
    /// How often it was asked for what it has, and has answered.
    asked: u64,
    answered: u64,
    /// The states that it announced of its own clients: their clocks, and JSON.
    clients: BTreeMap<u64, (u64, Box<str>)>,
}

#[derive(Debug)]
struct Edit {
    number: u64,
    /// The edit that has to be saved for this one to be: itself, or one in doubt a later one that has it.
    by: u64,
    echo: Option<Bytes>,
}

impl Editor {
    pub(super) const fn new(may_write: bool, wants_echo: bool) -> Self {
        Self {
            may_write,
            wants_echo,
            wants: None,
            edits: VecDeque::new(),
            echo_bytes: 0,
            saved: 0,
            asked: 0,
            answered: 0,
            clients: BTreeMap::new(),
        }
    }

    /// Asks the editor for what the document lacks.
    pub(super) fn ask(&mut self, state_vector: Bytes, me: EditorId, out: &mut Vec<Effect>) {
        self.asked += 1;
        let event = Event::Step1(state_vector);
        out.push(Effect::Tell { to: me, event });
    }

    /// Takes note of an edit on its way.
    pub(super) fn sends(&mut self, number: u64, update: &Bytes, is_step2: bool, is_joined: bool) {
        if is_step2 {
            self.answered = self.asked.min(self.answered + 1);
        }
        // An editor's answer to the last question has all that it has sent before.
        if is_step2 && is_joined && self.answered == self.asked {
            for edit in self.edits.iter_mut().filter(|edit| edit.by == IN_DOUBT) {
                edit.by = number;
            }
        }
        let echoes = self.wants_echo && self.echo_bytes + update.len() <= ECHO_BYTES_MAX;
        let echo = echoes.then(|| update.clone());
        self.echo_bytes += echo.as_ref().map_or(0, Bytes::len);
        let by = if is_joined { number } else { IN_DOUBT };
        self.edits.push_back(Edit { number, by, echo });
    }

    /// The owner that had them is gone, and nobody knows which of them it has saved.
    pub(super) fn doubt(&mut self) {
        for edit in &mut self.edits {
            edit.by = IN_DOUBT;
        }
    }

    pub(super) fn saved(&mut self, up_to: u64, me: EditorId, out: &mut Vec<Effect>) {
        self.saved = self.saved.max(up_to);
        self.settle(me, out);
    }

    pub(super) fn refused(&mut self, number: u64, refusal: Refusal, me: EditorId, out: &mut Vec<Effect>) {
        if let Some(at) = self.edits.iter().position(|edit| edit.number == number)
            && let Some(edit) = self.edits.remove(at)
        {
            self.echo_bytes -= edit.echo.map_or(0, |echo| echo.len());
            // What was in doubt was in this one, and is no more saved than it is.
            for earlier in self.edits.iter_mut().filter(|earlier| earlier.by == number) {
                earlier.by = IN_DOUBT;
            }
        }
        let event = Event::Refused { edit: number, refusal };
        out.push(Effect::Tell { to: me, event });
        self.settle(me, out);
    }

    /// Tells the editor what is saved: nothing before what came first.
    fn settle(&mut self, me: EditorId, out: &mut Vec<Effect>) {
        let (mut edits, mut up_to) = (0, 0);
        let mut echo = Vec::new();
        while let Some(edit) = self.edits.pop_front_if(|edit| edit.by <= self.saved) {
            (edits, up_to) = (edits + 1, edit.number);
            self.echo_bytes -= edit.echo.as_ref().map_or(0, Bytes::len);
            echo.extend(edit.echo);
        }
        if edits > 0 {
            let event = Event::Saved { up_to, edits, echo };
            out.push(Effect::Tell { to: me, event });
        }
    }

    /// Takes note of what it says of its own clients. Editors repeat what they know of others.
    pub(super) fn announces(&mut self, entries: &[Entry<'_>], shown: &Shown) {
        for entry in entries {
            let is_own = self.clients.contains_key(&entry.client);
            match (is_own, entry.state == "null") {
                (true, true) => {
                    self.clients.remove(&entry.client);
                }
                (true, false) => {
                    self.clients.insert(entry.client, (entry.clock, entry.state.into()));
                }
                (false, false) if !shown.has(entry.client) && self.clients.len() < CLIENTS_OF_A_CONNECTION_MAX => {
                    self.clients.insert(entry.client, (entry.clock, entry.state.into()));
                }
                (false, _) => {}
            }
        }
    }

    /// The states of its clients, to be announced to an owner that does not know them.
    pub(super) fn announcement(&self) -> Option<Bytes> {
        let states = self.clients.iter();
        let states: Vec<_> = states
            .map(|(client, (clock, json))| (*client, *clock, &**json))
            .collect();
        (!states.is_empty()).then(|| encode(&states))
    }
}
