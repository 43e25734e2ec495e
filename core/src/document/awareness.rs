//! Who is in a document, and where: the states that its clients show each other.
//!
//! A state is JSON that nobody here reads, under the id of a Yjs client and with a clock that the client counts up; the newer
//! clock wins, as in y-protocols. States are never stored. What y-protocols leaves open is decided so:
//!
//! * A client id belongs to the connection that introduced it, for as long as that lives. Clients of y-websocket echo the
//!   states of others, so what a connection says of an id that is not its own is passed over, not punished.
//! * It goes with its connection, or with the gateway of it (rule D12): all others are told `null` at the next clock.
//! * The clocks of those who went are remembered for a while. An echo that comes late would otherwise bring a ghost back,
//!   owned by whoever echoed. A client that returns itself still counts from before; it is told that it went, and by
//!   the rules of y-protocols counts on from there at once.
//!
//! Everything that is told is encoded once and shared by all who are told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::lib0::{put_text, put_uint};
use super::scan::{self, Entry, Flaw, Limit, Limits};
use crate::id::NodeId;

/// Client ids of one connection: a browser has one, an agent that acts for several people some.
pub const CLIENTS_OF_A_CONNECTION_MAX: usize = 16;

/// Clients that went and whose clock is remembered. An echo comes within seconds; when there are more the oldest is
/// forgotten.
const GONE_MAX: usize = 1_024;

/// A connection at a gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// Which process.
    pub gateway: NodeId,
    /// Which of its connections, or which session of one.
    pub connection: u64,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A connection sent an awareness message.
    Said {
        /// Which.
        by: Holder,
        /// The message, without its frame.
        states: Bytes,
    },
    /// A connection wants to know of everybody.
    Asked {
        /// Which.
        by: Holder,
    },
    /// A connection ended, or has done with the document.
    Left(Holder),
    /// A gateway is gone, with all its connections.
    GatewayGone(NodeId),
    /// Clients that were shown before and that nobody has announced since this became the place where that is done, and
    /// their clocks.
    Missing(Vec<(u64, u64)>),
    /// A gateway has these connections and no others.
    GatewayHas {
        /// Which.
        gateway: NodeId,
        /// Its connections.
        connections: BTreeSet<u64>,
    },
}

/// What the shell must do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Tell all connections, the one it came from too: its client takes silence for a dead connection.
    Tell(Bytes),
    /// Tell one connection.
    Answer {
        /// Which.
        to: Holder,
        /// An awareness message.
        states: Bytes,
    },
    /// A message was not taken, none of it: whoever sent it is told, or cut off.
    Refuse {
        /// Who that is.
        whom: Holder,
        /// Why.
        flaw: Flaw,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Awareness {
    limits: Limits,
    clients: BTreeMap<u64, State>,
    /// The clock under which a client went.
    gone: BTreeMap<u64, u64>,
    /// Those in the order they went.
    gone_order: VecDeque<u64>,
    /// All states encoded, until one changes.
    encoded: Option<Bytes>,
}

#[derive(Debug)]
struct State {
    clock: u64,
    /// JSON; `None` after the client itself took its state away.
    json: Option<Box<str>>,
    holder: Holder,
}

impl Awareness {
    /// Of a document where nobody is.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            clients: BTreeMap::new(),
            gone: BTreeMap::new(),
            gone_order: VecDeque::new(),
            encoded: None,
        }
    }

    /// The one entrance. Nothing here depends on time.
    pub fn handle(&mut self, input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::Said { by, states } => match self.said(&by, &states, out) {
                Ok(()) => {}
                Err(flaw) => out.push(Effect::Refuse { whom: by, flaw }),
            },
            Input::Asked { by } => {
                let states = self.all();
                out.push(Effect::Answer { to: by, states });
            }
            Input::Left(holder) => self.remove(|of| *of == holder, out),
            Input::GatewayGone(gateway) => self.remove(|of| of.gateway == gateway, out),
            Input::Missing(clients) => self.missing(clients, out),
            Input::GatewayHas { gateway, connections } => {
                let is_gone = |of: &Holder| of.gateway == gateway && !connections.contains(&of.connection);
                self.remove(is_gone, out);
            }
        }
    }

    /// How many clients have a state.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clients.values().filter(|state| state.json.is_some()).count()
    }

    /// Whether no client has a state.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn said(&mut self, by: &Holder, states: &Bytes, out: &mut Vec<Effect>) -> Result<(), Flaw> {
        let entries = scan::awareness(states, &self.limits)?;
        self.check_room(by, &entries)?;
        let mut taken = Vec::new();
        let mut returned = Vec::new();
        let owns_any = self.clients.values().any(|state| state.holder == *by);
        for entry in &entries {
            match (self.clients.get(&entry.client), self.gone.get(&entry.client)) {
                (Some(known), _) if known.holder != *by || !is_newer(known, entry) => {}
                (None, _) if is_null(entry) => {}
                (None, Some(went)) if entry.clock <= *went => {
                    if !owns_any {
                        returned.push((entry.client, *went, "null"));
                    }
                }
                _ => taken.push(*entry),
            }
        }
        if !returned.is_empty() {
            out.push(Effect::Answer {
                to: by.clone(),
                states: encode(&returned),
            });
        }
        if taken.is_empty() {
            return Ok(());
        }
        for entry in &taken {
            let json = (!is_null(entry)).then(|| entry.state.into());
            let (clock, holder) = (entry.clock, by.clone());
            self.clients.insert(entry.client, State { clock, json, holder });
            self.remember(entry.client, None);
        }
        self.encoded = None;
        out.push(Effect::Tell(match taken.len() == entries.len() {
            true => states.clone(),
            false => encode(
                &taken
                    .iter()
                    .map(|entry| (entry.client, entry.clock, entry.state))
                    .collect::<Vec<_>>(),
            ),
        }));
        Ok(())
    }

    /// Whether a message brings no more new clients than there is room for.
    fn check_room(&self, by: &Holder, entries: &[Entry<'_>]) -> Result<(), Flaw> {
        let new = entries
            .iter()
            .filter(|entry| {
                let is_late = self.gone.get(&entry.client).is_some_and(|went| entry.clock <= *went);
                !is_null(entry) && !is_late && !self.clients.contains_key(&entry.client)
            })
            .count();
        let own = self.clients.values().filter(|state| state.holder == *by).count();
        let limit = Limit::AwarenessClients;
        for (count, max) in [
            (self.clients.len() + new, self.limits.awareness_clients),
            (own + new, CLIENTS_OF_A_CONNECTION_MAX),
        ] {
            if new > 0 && count > max {
                return Err(Flaw::Limit { limit, max });
            }
        }
        Ok(())
    }

    fn remove(&mut self, goes: impl Fn(&Holder) -> bool, out: &mut Vec<Effect>) {
        let mut told = Vec::new();
        for (client, state) in self.clients.extract_if(.., |_, state| goes(&state.holder)) {
            let clock = state.clock.saturating_add(1).min(u64::from(u32::MAX));
            told.push((client, clock, state.json.is_some()));
        }
        for (client, clock, _) in &told {
            self.remember(*client, Some(*clock));
        }
        let shown: Vec<_> = told
            .iter()
            .filter(|(_, _, was_shown)| *was_shown)
            .map(|(client, clock, _)| (*client, *clock, "null"))
            .collect();
        if !shown.is_empty() {
            self.encoded = None;
            out.push(Effect::Tell(encode(&shown)));
        }
    }

    /// Those who are not known here are gone. One that comes late is told so, and counts on from there.
    fn missing(&mut self, clients: Vec<(u64, u64)>, out: &mut Vec<Effect>) {
        let mut told = Vec::new();
        for (client, clock) in clients {
            let clock = clock.saturating_add(1).min(u64::from(u32::MAX));
            let is_known =
                self.clients.contains_key(&client) || self.gone.get(&client).is_some_and(|went| *went >= clock);
            if !is_known {
                self.remember(client, Some(clock));
                told.push((client, clock, "null"));
            }
        }
        if !told.is_empty() {
            out.push(Effect::Tell(encode(&told)));
        }
    }

    /// Remembers under which clock a client went, or that it is here.
    fn remember(&mut self, client: u64, went: Option<u64>) {
        let before = match went {
            Some(clock) => self.gone.insert(client, clock),
            None => self.gone.remove(&client),
        };
        match (before, went) {
            (None, Some(_)) => self.gone_order.push_back(client),
            (Some(_), None) => self.gone_order.retain(|other| *other != client),
            (Some(_), Some(_)) | (None, None) => {}
        }
        if self.gone_order.len() > GONE_MAX
            && let Some(oldest) = self.gone_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }

    /// The states of all clients, encoded once until one changes.
    pub(super) fn all(&mut self) -> Bytes {
        let clients = &self.clients;
        let encode_all = || {
            let shown = clients
                .iter()
                .filter_map(|(client, state)| Some((*client, state.clock, state.json.as_deref()?)));
            encode(&shown.collect::<Vec<_>>())
        };
        self.encoded.get_or_insert_with(encode_all).clone()
    }
}

/// Whether an entry takes the place of what is known of its client: by a newer clock, or by going under the same.
const fn is_newer(known: &State, entry: &Entry<'_>) -> bool {
    entry.clock > known.clock || entry.clock == known.clock && is_null(entry) && known.json.is_some()
}

const fn is_null(entry: &Entry<'_>) -> bool {
    matches!(entry.state.as_bytes(), b"null")
}

/// An awareness message of these clients, their clocks and states.
pub(super) fn encode(entries: &[(u64, u64, &str)]) -> Bytes {
    let mut out = Vec::new();
    put_uint(&mut out, entries.len() as u64);
    for (client, clock, state) in entries {
        put_uint(&mut out, *client);
        put_uint(&mut out, *clock);
        put_text(&mut out, state);
    }
    out.into()
}

#[cfg(test)]
mod tests;
