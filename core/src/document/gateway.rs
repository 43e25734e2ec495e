//! One document at a node where it is edited, whoever owns it.
//!
//! ```text
//!   editors ──▶ gateway ──ToOwner──▶ owner
//!      ▲           │                   │
//!      └───────────┴◀────ToGateway─────┘    each update once, whatever the number of editors
//! ```
//!
//! The gateway holds no document. It knows who edits here, what was told of by the owner (a *mark*: a state vector), and which
//! edits are not known to be saved. When the owner changes, or anything between the two is lost, it joins anew: it names
//! its mark and is sent what came since; each editor is asked for what the new owner lacks, and awareness is
//! announced again (rule D10). An edit that was on its way then is *in doubt*: it counts as saved only once the answer to
//! that question is, because that has it.
//!
//! * [`turn`]: inputs and effects; `editor`: one of those who edit here; `shown`: whose awareness editors were shown.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::message::{Closed, EditorId, Join, Question, Refusal, ToGateway, ToOwner};
use super::scan::{self, Limits};
use crate::id::NodeId;

mod editor;
mod shown;
#[cfg(test)]
mod tests;
pub mod turn;

pub use turn::{Effect, Event, Input};

use editor::Editor;
use shown::Shown;

/// When an owner that could not answer is asked again: it gives the slot away, or has just taken it.
pub const RETRY_AFTER: Duration = Duration::from_millis(50);

/// How long an owner may take to let the gateway in before it is asked anew. Loading the largest document takes less.
pub const JOIN_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// How long a program's question may wait for an owner. A slot that lost its owner has another within three seconds.
pub const PATIENCE: Duration = Duration::from_secs(8);

/// How long after a change of owner the clients that nobody has announced again are gone. Gateways that live have joined by
/// then.
pub const AWARENESS_SETTLES: Duration = Duration::from_secs(5);

/// Questions of programs that wait for an answer. Beyond it they are refused.
pub const QUESTIONS_MAX: usize = 1_024;

/// See the module.
#[derive(Debug)]
pub struct Gateway {
    limits: Limits,
    owner: Option<NodeId>,
    join: Join,
    standing: Standing,
    /// The owner was told that nobody here needs the document any more. That may be lost on its way.
    has_left: bool,
    /// All that was told so far makes at least this much; `None` before the first time.
    mark: Option<Bytes>,
    editors: BTreeMap<EditorId, Editor>,
    shown: Shown,
    questions: BTreeMap<u64, Waiting>,
    wake: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nobody needs the document here.
    Out,
    /// It joins then, or when another owner is known.
    Waiting(Instant),
    /// It has asked to join, and asks again then.
    Joining(Instant),
    Joined,
}

#[derive(Debug)]
struct Waiting {
    question: Question,
    is_sent: bool,
    until: Instant,
}

impl Waiting {
    /// Whether an owner may have done what cannot be done twice.
    const fn is_in_doubt(&self) -> bool {
        self.is_sent && matches!(self.question, Question::Insert { .. })
    }
}

impl Gateway {
    /// A document that nobody here has opened. `joined` is higher than the number of any join of this process to this
    /// document so far.
    #[must_use]
    pub fn new(limits: Limits, owner: Option<NodeId>, joined: Join) -> Self {
        Self {
            limits,
            owner,
            join: joined,
            standing: Standing::Out,
            has_left: false,
            mark: None,
            editors: BTreeMap::new(),
            shown: Shown::default(),
            questions: BTreeMap::new(),
            wake: None,
        }
    }

    /// The one entrance.
    pub fn handle(&mut self, input: Input, now: Instant, out: &mut Vec<Effect>) {
        match input {
            Input::Open {
                editor,
                may_write,
                wants_echo,
            } => self.open(editor, Editor::new(may_write, wants_echo), now, out),
            Input::Permit { editor, may_write } => {
                if let Some(editor) = self.editors.get_mut(&editor) {
                    editor.may_write = may_write;
                }
            }
            Input::Step1 { editor, state_vector } => self.step(editor, state_vector, out),
            Input::Edit {
                editor,
                edit,
                update,
                is_step2,
            } => self.edit(editor, edit, update, is_step2, out),
            Input::Awareness { editor, states } => self.awareness(editor, states, out),
            Input::Stateless { editor, payload } => {
                if self.editors.contains_key(&editor) {
                    self.send(ToOwner::Stateless { editor, payload }, out);
                }
            }
            Input::QueryAwareness(editor) => {
                if self.editors.contains_key(&editor) {
                    self.send(ToOwner::QueryAwareness { editor }, out);
                }
            }
            Input::Close(editor) => self.close(editor, out),
            Input::Ask { number, question } => self.ask(number, question, now, out),
            Input::Route(owner) => {
                if owner != self.owner {
                    self.owner = owner;
                    // One that is new knows of nobody here.
                    match self.is_unused() {
                        true => self.rest(),
                        false => self.join_at(now),
                    }
                }
            }
            Input::Told { from, join, message } => {
                let is_owner = self.owner.as_ref() == Some(&from);
                if join == self.join && is_owner && self.standing != Standing::Out {
                    self.told(message, now, out);
                } else if (self.is_unused() || !is_owner) && message.is_to_a_member() {
                    // One that takes this gateway for a member which it is not, and its editors for present: it has been the
                    // owner all the time, by its own knowledge.
                    let message = ToOwner::Leave;
                    out.push(Effect::Send {
                        to: from,
                        join,
                        message,
                    });
                }
            }
            Input::Reset(node) => {
                if self.owner.as_ref() == Some(&node) && (self.standing != Standing::Out || self.has_left) {
                    self.standing = Standing::Waiting(now);
                }
            }
            Input::Unsent => self.standing = Standing::Waiting(now + RETRY_AFTER),
            Input::Wake => self.wake = None,
        }
        self.go_on(now, out);
    }

    /// Whether nobody needs the document here, and its owner has been told so.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.is_unused() && self.standing == Standing::Out
    }

    fn is_unused(&self) -> bool {
        self.editors.is_empty() && self.questions.is_empty()
    }

    /// How many editors have it open here.
    #[must_use]
    pub fn editors(&self) -> usize {
        self.editors.len()
    }

    /// The number of the last join.
    #[must_use]
    pub const fn joined(&self) -> Join {
        self.join
    }

    fn is_joined(&self) -> bool {
        self.standing == Standing::Joined
    }

    fn open(&mut self, id: EditorId, mut editor: Editor, now: Instant, out: &mut Vec<Effect>) {
        let event = Event::Opened;
        out.push(Effect::Tell { to: id, event });
        if self.is_joined()
            && let Some(mark) = &self.mark
        {
            editor.ask(mark.clone(), id, out);
        }
        self.editors.insert(id, editor);
        self.send(ToOwner::QueryAwareness { editor: id }, out);
        self.need(now);
    }

    fn step(&mut self, id: EditorId, state_vector: Bytes, out: &mut Vec<Effect>) {
        let Some(editor) = self.editors.get_mut(&id) else {
            return;
        };
        editor.wants = Some(state_vector.clone());
        let editor = id;
        self.send(ToOwner::Step1 { editor, state_vector }, out);
    }

    fn edit(&mut self, id: EditorId, edit: u64, update: Bytes, is_step2: bool, out: &mut Vec<Effect>) {
        let is_joined = self.is_joined();
        let Some(editor) = self.editors.get_mut(&id) else {
            return;
        };
        editor.sends(edit, &update, is_step2, is_joined);
        let may_write = editor.may_write;
        self.send(
            ToOwner::Edit {
                editor: id,
                edit,
                update,
                may_write,
            },
            out,
        );
    }

    fn awareness(&mut self, id: EditorId, states: Bytes, out: &mut Vec<Effect>) {
        let Some(editor) = self.editors.get_mut(&id) else {
            return;
        };
        match scan::awareness(&states, &self.limits) {
            Ok(entries) => {
                editor.announces(&entries, &self.shown);
                self.send(ToOwner::Awareness { editor: id, states }, out);
            }
            Err(flaw) => {
                let reason = flaw.to_string();
                let event = Event::AwarenessRefused { reason };
                out.push(Effect::Tell { to: id, event });
            }
        }
    }

    fn close(&mut self, editor: EditorId, out: &mut Vec<Effect>) {
        if self.editors.remove(&editor).is_some() {
            // A join that is not answered yet has named it as one of those who are there.
            if let (Standing::Joining(_) | Standing::Joined, Some(owner)) = (self.standing, &self.owner) {
                let (to, join, message) = (owner.clone(), self.join, ToOwner::Left { editor });
                out.push(Effect::Send { to, join, message });
            }
            self.leave_if_unused(out);
        }
    }

    fn ask(&mut self, number: u64, question: Question, now: Instant, out: &mut Vec<Effect>) {
        if self.questions.len() >= QUESTIONS_MAX {
            let answer = Err(Refusal::Busy);
            return out.push(Effect::Answer { number, answer });
        }
        let is_sent = self.is_joined();
        let waiting = Waiting {
            question: question.clone(),
            is_sent,
            until: now + PATIENCE,
        };
        self.questions.insert(number, waiting);
        self.send(ToOwner::Ask { number, question }, out);
        self.need(now);
    }

    fn told(&mut self, message: ToGateway, now: Instant, out: &mut Vec<Effect>) {
        match message {
            ToGateway::Joined {
                state_vector,
                missing,
                awareness,
            } => self.welcomed(state_vector, missing, awareness, now, out),
            ToGateway::Step2 { editor, update } => {
                if let Some(known) = self.editors.get_mut(&editor) {
                    known.wants = None;
                    let event = Event::Step2(update);
                    out.push(Effect::Tell { to: editor, event });
                }
            }
            ToGateway::Update { update, but } => {
                let event = Event::Update(update);
                out.push(Effect::TellAll { but, event });
            }
            ToGateway::Mark { state_vector } => self.mark = Some(state_vector),
            ToGateway::Step1 { editor, state_vector } => {
                if let Some(known) = self.editors.get_mut(&editor) {
                    known.ask(state_vector, editor, out);
                }
            }
            ToGateway::Saved { editor, up_to } => {
                if let Some(known) = self.editors.get_mut(&editor) {
                    known.saved(up_to, editor, out);
                }
            }
            ToGateway::Refused { editor, edit, refusal } => {
                if let Some(known) = self.editors.get_mut(&editor) {
                    known.refused(edit, refusal, editor, out);
                }
            }
            ToGateway::Awareness { states, to } => self.show(states, to, out),
            ToGateway::AwarenessRefused { editor, reason } => {
                let event = Event::AwarenessRefused { reason };
                out.push(Effect::Tell { to: editor, event });
            }
            ToGateway::Stateless { payload, but } => {
                let event = Event::Stateless(payload);
                out.push(Effect::TellAll { but, event });
            }
            ToGateway::Behind => self.join_at(now),
            ToGateway::Moved => self.join_at(now + RETRY_AFTER),
            ToGateway::Closed(closed) => self.closed(closed, out),
            ToGateway::Answered { number, answer } => {
                if self.questions.remove(&number).is_some() {
                    out.push(Effect::Answer { number, answer });
                    self.leave_if_unused(out);
                }
            }
        }
    }

    fn welcomed(
        &mut self,
        state_vector: Bytes,
        missing: Option<Bytes>,
        awareness: Bytes,
        now: Instant,
        out: &mut Vec<Effect>,
    ) {
        self.standing = Standing::Joined;
        self.mark = Some(state_vector.clone());
        if let Some(missing) = missing {
            // Not as an update: it may be just what an editor has sent, and clients take that for saved.
            let event = Event::Step2(missing);
            out.push(Effect::TellAll { but: None, event });
        }
        self.shown.begin_anew(now + AWARENESS_SETTLES);
        self.show(awareness, None, out);
        let mut said = Vec::new();
        for (id, editor) in &mut self.editors {
            editor.doubt();
            editor.ask(state_vector.clone(), *id, out);
            if let Some(state_vector) = editor.wants.clone() {
                let editor = *id;
                said.push(ToOwner::Step1 { editor, state_vector });
            }
            if let Some(states) = editor.announcement() {
                let editor = *id;
                said.push(ToOwner::Awareness { editor, states });
            }
        }
        // A text that an owner was given may be in the document, and inserted again would be there twice.
        for (number, _) in self.questions.extract_if(.., |_, waiting| waiting.is_in_doubt()) {
            let answer = Err(Refusal::Unknown);
            out.push(Effect::Answer { number, answer });
        }
        for (number, waiting) in &mut self.questions {
            waiting.is_sent = true;
            let (number, question) = (*number, waiting.question.clone());
            said.push(ToOwner::Ask { number, question });
        }
        for message in said {
            self.send(message, out);
        }
        self.leave_if_unused(out);
    }

    /// Shows editors who is in the document.
    fn show(&mut self, states: Bytes, to: Option<EditorId>, out: &mut Vec<Effect>) {
        if let Ok(entries) = scan::awareness(&states, &Limits::CLIENT) {
            self.shown.show(&entries);
            if entries.is_empty() {
                return;
            }
        }
        let event = Event::Awareness(states);
        out.push(match to {
            Some(to) => Effect::Tell { to, event },
            None => Effect::TellAll { but: None, event },
        });
    }

    fn closed(&mut self, closed: Closed, out: &mut Vec<Effect>) {
        self.rest();
        self.editors.clear();
        let event = Event::Closed(closed);
        out.push(Effect::TellAll { but: None, event });
        for (number, _) in std::mem::take(&mut self.questions) {
            let answer = Err(Refusal::Closed(closed));
            out.push(Effect::Answer { number, answer });
        }
    }

    /// The owner has to be joined, if it is not.
    fn need(&mut self, now: Instant) {
        if self.standing == Standing::Out {
            self.standing = Standing::Waiting(now);
        }
    }

    /// What was said under the last join is void.
    fn join_at(&mut self, at: Instant) {
        if self.standing != Standing::Out {
            self.standing = Standing::Waiting(at);
        }
    }

    /// Tells the owner that nobody here needs the document. One that cannot be told now may still take an editor for present
    /// that is gone: it is joined first.
    fn leave_if_unused(&mut self, out: &mut Vec<Effect>) {
        if self.is_unused() && self.is_joined() {
            self.send(ToOwner::Leave, out);
            self.rest();
            self.has_left = true;
        }
    }

    /// Nobody here has anything any more.
    fn rest(&mut self) {
        self.standing = Standing::Out;
        self.has_left = false;
        self.mark = None;
        self.shown = Shown::default();
    }

    fn go_on(&mut self, now: Instant, out: &mut Vec<Effect>) {
        self.lose_patience(now, out);
        if let (Standing::Waiting(at) | Standing::Joining(at), Some(owner)) = (self.standing, &self.owner)
            && at <= now
        {
            self.join.0 += 1;
            self.standing = Standing::Joining(now + JOIN_AGAIN_AFTER);
            let message = ToOwner::Join {
                since: self.mark.clone(),
                editors: self.editors.keys().copied().collect(),
            };
            let (to, join) = (owner.clone(), self.join);
            out.push(Effect::Send { to, join, message });
        }
        if self.is_joined() {
            let clients = self.shown.settle(now);
            if !clients.is_empty() {
                self.send(ToOwner::Missing { clients }, out);
            }
        }
        self.set_alarm(now, out);
    }

    fn lose_patience(&mut self, now: Instant, out: &mut Vec<Effect>) {
        for (number, waiting) in self.questions.extract_if(.., |_, waiting| waiting.until <= now) {
            let answer = Err(match waiting.is_in_doubt() {
                true => Refusal::Unknown,
                false => Refusal::Moving,
            });
            out.push(Effect::Answer { number, answer });
        }
        self.leave_if_unused(out);
    }

    fn send(&self, message: ToOwner, out: &mut Vec<Effect>) {
        if let (Standing::Joined, Some(owner)) = (self.standing, &self.owner) {
            let (to, join) = (owner.clone(), self.join);
            out.push(Effect::Send { to, join, message });
        }
    }

    fn set_alarm(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let joins = match self.standing {
            Standing::Waiting(at) | Standing::Joining(at) if self.owner.is_some() => Some(at),
            _ => None,
        };
        let patience = self.questions.values().map(|waiting| waiting.until).min();
        let settles = self.shown.settles_at().filter(|_| self.is_joined());
        let wanted = [joins, patience, settles].into_iter().flatten().min();
        if let Some(at) = wanted.map(|at| at.max(now))
            && self.wake.is_none_or(|set| at < set)
        {
            self.wake = Some(at);
            out.push(Effect::Wake { at });
        }
    }
}
