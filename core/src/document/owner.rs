//! One document at the node that owns its slot: the only one in memory, as long as the slot table is in agreement.
//!
//! ```text
//!   gateways ──ToOwner──▶ owner ──▶ guard ──▶ engine        applied, and relayed to the other editors at once
//!      ▲                    │
//!      └────ToGateway───────┼──▶ log ──▶ store              then told to its own editor: saved
//!                           └──▶ awareness
//! ```
//!
//! The document is loaded when the first gateway joins, off the turn; what comes meanwhile waits, or its gateway is told to
//! join again. When nobody has edited or asked for a while it leaves memory, and editors stay. Whatever is uncertain
//! (the library failed, the store lost something, too much waited) ends the same way: everybody joins again, and editors
//! send what this owner lacks (rule D10). So nothing that an editor has is lost, and nothing is told as saved that is not.
//!
//! * [`turn`]: inputs and effects; `editing`: edits, until they are saved; `asking`: questions;
//! * `members`: gateways; `body`: the document, in memory or not; `suspects`: updates that made the library fail.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::awareness::{self, Awareness, Holder};
use super::engine::DocumentEngine;
use super::guard::{GuardError, Loaded};
use super::log::{self, Log};
use super::message::{Closed, EditorId, Join, ToGateway, ToOwner};
use super::scan::Limits;
use crate::id::NodeId;

mod asking;
mod body;
mod editing;
mod members;
mod suspects;
#[cfg(test)]
mod tests;
pub mod turn;

pub use turn::{Effect, Found, Input, Writer};

use body::{Body, Hot};
use members::Members;
use suspects::Suspects;

/// When a document leaves memory that nobody edits or asks. Loading it again takes 7 ms for 200 kB.
pub const COOL_AFTER: Duration = Duration::from_secs(60);

/// When a store that could not be read is asked again.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long after loading the store is asked whether the owner before has still written something. It has learnt of its
/// loss by then.
pub const LOOK_AFTER: Duration = Duration::from_secs(3);

/// How often it is asked after that: a process that was stopped for minutes writes what it had in hand when it goes on.
pub const LOOK_EVERY: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug)]
pub struct Owner<E> {
    /// Other nodes may own it by mistake, and write what this one has not read.
    is_shared: bool,
    members: Members,
    awareness: Awareness,
    body: Body<E>,
    /// How often it was brought into memory: what the store answers to an earlier time is void.
    activation: u64,
    suspects: Suspects,
    wake: Option<Instant>,
}

impl<E: DocumentEngine> Owner<E> {
    /// A document that nobody has asked for yet. `is_shared` says that other nodes have the same store.
    #[must_use]
    pub fn new(is_shared: bool) -> Self {
        Self {
            is_shared,
            members: Members::default(),
            awareness: Awareness::new(Limits::CLIENT),
            body: Body::Cold,
            activation: 0,
            suspects: Suspects::default(),
            wake: None,
        }
    }

    /// The one entrance.
    pub fn handle(&mut self, input: Input<E>, now: Instant, out: &mut Vec<Effect>) {
        match input {
            Input::Said { from, join, message } => self.said(from, join, message, now, out),
            Input::Unsent(gateway) => self.members.fall_behind(&gateway, now),
            Input::Gone(gateway) => self.leave(&gateway, now, out),
            Input::Loaded { activation, found } if activation == self.activation => self.loaded(*found, now, out),
            Input::LoadFailed { activation } if activation == self.activation => {
                self.body.load_again(now + RETRY_AFTER)
            }
            Input::Store { activation, input } if activation == self.activation => self.log(input, now, out),
            Input::Lost { activation } if activation == self.activation => self.reset(out),
            Input::Loaded { .. } | Input::LoadFailed { .. } | Input::Store { .. } | Input::Lost { .. } => {}
            Input::Given => self.give(out),
            Input::Wake => {
                self.wake = None;
                self.woken(now, out);
            }
        }
        self.members.repeat(now, out);
        self.set_alarm(out);
    }

    /// Whether nobody would miss it: it has no editors, and the store has everything.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let is_done = match &self.body {
            Body::Cold | Body::SetAside => true,
            Body::Loading(_) => false,
            Body::Hot(hot) => hot.log.is_idle() && hot.draft.is_none(),
        };
        is_done && self.members.is_empty()
    }

    /// Whether the store has every edit that was taken.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        self.hot().is_none_or(Log::is_saved)
    }

    /// The document, if it is in memory.
    pub fn hot(&self) -> Option<&Log<Writer>> {
        match &self.body {
            Body::Hot(hot) => Some(&hot.log),
            Body::Cold | Body::Loading(_) | Body::SetAside => None,
        }
    }

    fn said(&mut self, from: NodeId, join: Join, message: ToOwner, now: Instant, out: &mut Vec<Effect>) {
        let message = match message {
            ToOwner::Join { since, editors } => return self.join(from, join, since, editors, now, out),
            message if !self.members.is_current(&from, join) => return self.members.stray(&from, join, &message, out),
            ToOwner::Leave => return self.leave(&from, now, out),
            ToOwner::Awareness { editor, states } => {
                let by = holder(&from, editor);
                return self.aware(awareness::Input::Said { by, states }, out);
            }
            ToOwner::QueryAwareness { editor } => {
                let by = holder(&from, editor);
                return self.aware(awareness::Input::Asked { by }, out);
            }
            ToOwner::Stateless { editor, payload } => return self.members.pass(&from, editor, &payload, out),
            ToOwner::Missing { clients } => return self.aware(awareness::Input::Missing(clients), out),
            ToOwner::Left { editor } => return self.aware(awareness::Input::Left(holder(&from, editor)), out),
            message @ (ToOwner::Step1 { .. } | ToOwner::Edit { .. } | ToOwner::Ask { .. }) => message,
        };
        match &mut self.body {
            Body::Hot(hot) => {
                hot.used = now;
                self.answer(from, join, message, now, out);
            }
            Body::SetAside => {
                let closed = ToGateway::Closed(Closed::Quarantined);
                self.members.send(&from, closed, out);
            }
            Body::Cold => {
                self.load(out);
                self.body.wait((from, join, message));
            }
            Body::Loading(_) => {
                if !self.body.wait((from.clone(), join, message)) {
                    self.members.fall_behind(&from, now);
                }
            }
        }
    }

    fn join(
        &mut self,
        from: NodeId,
        join: Join,
        since: Option<Bytes>,
        editors: Vec<EditorId>,
        now: Instant,
        out: &mut Vec<Effect>,
    ) {
        if !self.members.join(from.clone(), join, since) {
            return;
        }
        let connections = editors.into_iter().map(|editor| editor.0).collect();
        let gateway = from.clone();
        self.aware(awareness::Input::GatewayHas { gateway, connections }, out);
        match self.body {
            Body::Hot(_) => {
                self.log(log::Input::Opened, now, out);
                self.welcome(&from, out);
            }
            Body::Cold => self.load(out),
            Body::Loading(_) => {}
            Body::SetAside => {
                let closed = ToGateway::Closed(Closed::Quarantined);
                self.members.send(&from, closed, out);
                self.members.leave(&from);
            }
        }
    }

    /// Tells a gateway that it has joined.
    fn welcome(&mut self, gateway: &NodeId, out: &mut Vec<Effect>) {
        let Body::Hot(hot) = &mut self.body else {
            return;
        };
        let Some(since) = self.members.since(gateway) else {
            return;
        };
        let told = hot.guard.with(|engine| {
            let missing = since.map(|since| engine.diff(&since)).transpose()?;
            Ok((engine.state_vector()?, missing))
        });
        match told {
            Ok((state_vector, missing)) => {
                let joined = ToGateway::Joined {
                    state_vector: state_vector.into(),
                    missing: missing.map(Bytes::from),
                    awareness: self.awareness.all(),
                };
                self.members.welcome(gateway, joined, out);
            }
            // A mark that was ours cannot be refused; one that is not read all the same is as good as none.
            Err(GuardError::Refused(_)) => {
                self.members.forget_since(gateway);
                self.welcome(gateway, out);
            }
            Err(GuardError::Dropped(_)) => self.reset(out),
        }
    }

    fn leave(&mut self, gateway: &NodeId, now: Instant, out: &mut Vec<Effect>) {
        self.members.leave(gateway);
        self.aware(awareness::Input::GatewayGone(gateway.clone()), out);
        if self.members.is_empty() {
            self.log(log::Input::Left, now, out);
        }
    }

    fn aware(&mut self, input: awareness::Input, out: &mut Vec<Effect>) {
        let mut effects = Vec::new();
        self.awareness.handle(input, &mut effects);
        for effect in effects {
            match effect {
                awareness::Effect::Tell(states) => {
                    let told = ToGateway::Awareness { states, to: None };
                    self.members.tell(&told, out);
                }
                awareness::Effect::Answer { to, states } => {
                    let editor = EditorId(to.connection);
                    let told = ToGateway::Awareness {
                        states,
                        to: Some(editor),
                    };
                    self.members.send(&to.gateway, told, out);
                }
                awareness::Effect::Refuse { whom, flaw } => {
                    let editor = EditorId(whom.connection);
                    let reason = flaw.to_string();
                    let told = ToGateway::AwarenessRefused { editor, reason };
                    self.members.send(&whom.gateway, told, out);
                }
            }
        }
    }

    fn load(&mut self, out: &mut Vec<Effect>) {
        self.activation += 1;
        self.body = Body::loading();
        let activation = self.activation;
        out.push(Effect::Load { activation });
    }

    fn loaded(&mut self, found: Found<E>, now: Instant, out: &mut Vec<Effect>) {
        let Found {
            document,
            snapshot,
            tail,
        } = found;
        let guard = match document {
            Loaded::NotFound(guard) | Loaded::Found(guard) => guard,
            Loaded::Damaged(why) => return self.set_aside(why.to_string(), out),
        };
        let (through, stored) = snapshot.unzip();
        let log = match Log::open(through.unwrap_or_default(), tail) {
            Ok(log) => log,
            Err(hole) => return self.set_aside(hole.to_string(), out),
        };
        let look_at = self.is_shared.then(|| now + LOOK_AFTER);
        let waiting = self.body.heat(Hot::new(guard, log, stored, now, look_at));
        if self.members.is_empty() {
            self.log(log::Input::Left, now, out);
        }
        for gateway in self.members.unwelcomed() {
            self.welcome(&gateway, out);
        }
        for (from, join, message) in waiting {
            self.said(from, join, message, now, out);
        }
    }

    /// What is in memory is not to be used any more: everybody joins again, and it is loaded anew.
    fn reset(&mut self, out: &mut Vec<Effect>) {
        self.members.expel(&ToGateway::Behind, out);
        self.load(out);
    }

    /// Nothing of the document is shown or written, until the node is asked for it anew.
    fn set_aside(&mut self, reason: String, out: &mut Vec<Effect>) {
        self.activation += 1;
        self.body = Body::SetAside;
        self.members.expel(&ToGateway::Closed(Closed::Quarantined), out);
        out.push(Effect::SetAside { reason });
    }

    /// Another node owns the document: its gateways go there, and what is on its way to the store is still written.
    fn give(&mut self, out: &mut Vec<Effect>) {
        self.members.expel(&ToGateway::Moved, out);
    }

    fn woken(&mut self, now: Instant, out: &mut Vec<Effect>) {
        match &mut self.body {
            Body::Loading(loading) if loading.retry_at.is_some_and(|at| at <= now) => {
                loading.retry_at = None;
                self.activation += 1;
                let activation = self.activation;
                out.push(Effect::Load { activation });
            }
            Body::Hot(hot) => {
                if hot.look_at.is_some_and(|at| at <= now) {
                    hot.look_at = Some(now + LOOK_EVERY);
                    self.log(log::Input::Look, now, out);
                } else {
                    self.log(log::Input::Wake, now, out);
                }
                self.body.cool(now);
            }
            Body::Loading(_) | Body::Cold | Body::SetAside => {}
        }
    }

    fn set_alarm(&mut self, out: &mut Vec<Effect>) {
        let wanted = [self.body.wake_at(), self.members.wake_at()]
            .into_iter()
            .flatten()
            .min();
        if let Some(at) = wanted
            && self.wake.is_none_or(|set| at < set)
        {
            self.wake = Some(at);
            out.push(Effect::Wake { at });
        }
    }
}

fn holder(gateway: &NodeId, editor: EditorId) -> Holder {
    Holder {
        gateway: gateway.clone(),
        connection: editor.0,
    }
}
