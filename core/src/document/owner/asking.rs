//! What editors and programs ask of a document in memory.

use std::time::Instant;

use bytes::Bytes;

use super::turn::{Effect, Writer};
use super::{Body, Owner};
use crate::document::engine::{Cold as _, DocumentEngine, Insert, News};
use crate::document::guard::GuardError;
use crate::document::log;
use crate::document::message::{Answer, EditorId, Join, Question, Refusal, ToGateway, ToOwner};
use crate::id::NodeId;

impl<E: DocumentEngine> Owner<E> {
    /// Answers what needs the document, which is in memory.
    pub(super) fn answer(&mut self, from: NodeId, join: Join, message: ToOwner, now: Instant, out: &mut Vec<Effect>) {
        match message {
            ToOwner::Step1 { editor, state_vector } => self.step(&from, join, editor, &state_vector, out),
            ToOwner::Edit {
                editor,
                edit,
                update,
                may_write,
            } => {
                let writer = Writer::Editor(from, join, editor);
                self.edit(writer, edit, update, may_write, now, out);
            }
            ToOwner::Ask { number, question } => {
                let writer = Writer::Program(from, join, number);
                self.ask(writer, question, now, out);
            }
            ToOwner::Join { .. }
            | ToOwner::Leave
            | ToOwner::Left { .. }
            | ToOwner::Stateless { .. }
            | ToOwner::Missing { .. }
            | ToOwner::Awareness { .. }
            | ToOwner::QueryAwareness { .. } => {} // these do not need it
        }
    }

    /// Sends an editor what it lacks.
    fn step(&mut self, from: &NodeId, join: Join, editor: EditorId, state_vector: &Bytes, out: &mut Vec<Effect>) {
        let told = match self.diff(state_vector) {
            Ok(update) => ToGateway::Step2 { editor, update },
            // It is told of a number that it has not given: that of an edit it may send next is not used up.
            Err(GuardError::Refused(error)) => ToGateway::Refused {
                editor,
                edit: 0,
                refusal: Refusal::BadUpdate(error.to_string()),
            },
            Err(GuardError::Dropped(failure)) => return self.dropped(failure.to_string(), out),
        };
        self.members.answer(from, join, told, out);
    }

    fn diff(&mut self, state_vector: &[u8]) -> Result<Bytes, GuardError> {
        let Body::Hot(hot) = &mut self.body else {
            return Ok(Bytes::from_static(E::Cold::EMPTY));
        };
        if !E::Cold::is_empty_state_vector(state_vector) {
            return hot.guard.with(|engine| engine.diff(state_vector)).map(Bytes::from);
        }
        if let Some(whole) = &hot.whole {
            return Ok(whole.clone());
        }
        let whole = Bytes::from(hot.guard.with(|engine| engine.encode())?);
        hot.whole = Some(whole.clone());
        Ok(whole)
    }

    fn ask(&mut self, writer: Writer, question: Question, now: Instant, out: &mut Vec<Effect>) {
        let Body::Hot(hot) = &mut self.body else {
            return;
        };
        let answer = match question {
            Question::Apply(update) => return self.edit(writer, 0, update, true, now, out),
            Question::Restore { update, restores } => return self.restore(writer, update, restores, now, out),
            Question::Insert { part, inserts } => return self.insert(writer, &part, &inserts, now, out),
            Question::Whole => hot.restores().and_then(|restores| {
                let update = self.diff(E::Cold::NOTHING)?;
                Ok(Answer::Whole { update, restores })
            }),
            Question::Diff(state_vector) => self.diff(&state_vector).map(Answer::Update),
            Question::Stats => {
                let unsaved_bytes = hot.log.unsaved_bytes() as u64;
                let size = hot.guard.with(|engine| Ok(engine.size()));
                size.map(|size| Answer::Stats { size, unsaved_bytes })
            }
            Question::Parts => hot.guard.with(|engine| engine.parts()).map(Answer::Parts),
            Question::Read { part, shape } => {
                let part = hot.guard.with(|engine| engine.read(&part, shape));
                part.map(Answer::Part)
            }
        };
        let answer = match answer {
            Ok(answer) => Ok(answer),
            Err(GuardError::Refused(error)) => Err(Refusal::BadUpdate(error.to_string())),
            Err(GuardError::Dropped(failure)) => return self.dropped(failure.to_string(), out),
        };
        if let Writer::Program(gateway, join, number) = writer {
            let answered = ToGateway::Answered { number, answer };
            self.members.answer(&gateway, join, answered, out);
        }
    }

    fn restore(&mut self, writer: Writer, update: Bytes, restores: u64, now: Instant, out: &mut Vec<Effect>) {
        let Body::Hot(hot) = &mut self.body else {
            return;
        };
        match hot.restores() {
            Ok(now_at) if now_at != restores => self.refuse(&writer, 0, Refusal::Busy, out),
            Ok(_) => {
                hot.restored += 1;
                self.edit(writer, 0, update, true, now, out);
            }
            Err(error) => self.failed(&writer, 0, &update, error, out),
        }
    }

    fn insert(&mut self, writer: Writer, part: &str, inserts: &[Insert], now: Instant, out: &mut Vec<Effect>) {
        let Body::Hot(hot) = &mut self.body else {
            return;
        };
        // More than it can be: once it is in the document it has to be written.
        let bytes = inserts.iter().map(|insert| insert.bytes_max(part)).sum();
        if let Some(refusal) = hot.log.refuses(bytes) {
            return self.refuse(&writer, 0, Refusal::Log(refusal), out);
        }
        let written = hot
            .guard
            .with(|engine| match inserts.iter().all(|insert| insert.text.is_empty()) {
                true => Ok(Vec::new()),
                false => engine.insert_text(part, inserts),
            });
        match written {
            Ok(update) if update.is_empty() => self.log(log::Input::Known { from: writer, edit: 0 }, now, out),
            Ok(update) => {
                let update = Bytes::from(update);
                self.relay(&update, News::Whole, None, out);
                self.log(
                    log::Input::Edit {
                        from: writer,
                        edit: 0,
                        update,
                    },
                    now,
                    out,
                );
            }
            Err(GuardError::Refused(error)) => {
                self.refuse(&writer, 0, Refusal::BadUpdate(error.to_string()), out);
            }
            Err(GuardError::Dropped(failure)) => self.dropped(failure.to_string(), out),
        }
    }

    /// The library failed, and what was in memory is gone.
    pub(super) fn dropped(&mut self, reason: String, out: &mut Vec<Effect>) {
        out.push(Effect::Failed { reason });
        self.reset(out);
    }
}
