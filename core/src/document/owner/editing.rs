//! Edits: taken in, relayed, written, and told as saved.

use std::time::Instant;

use bytes::Bytes;

use super::turn::{Effect, Writer};
use super::{Body, Owner};
use crate::document::engine::{Applied, DocumentEngine, EngineError, News};
use crate::document::guard::{self, GuardError};
use crate::document::log;
use crate::document::message::{Answer, Refusal, ToGateway};

impl<E: DocumentEngine> Owner<E> {
    /// Takes an update of an editor or a program in.
    pub(super) fn edit(
        &mut self,
        writer: Writer,
        edit: u64,
        update: Bytes,
        may_write: bool,
        now: Instant,
        out: &mut Vec<Effect>,
    ) {
        let Body::Hot(hot) = &mut self.body else {
            return;
        };
        if self.suspects.is_guilty(&update) {
            let refusal = Refusal::BadUpdate("the update makes the library of the CRDT fail; report it".to_owned());
            return self.refuse(&writer, edit, refusal, out);
        }
        let refusal = match may_write {
            true => hot.log.refuses(update.len()).map(Refusal::Log),
            false => Some(Refusal::ReadOnly),
        };
        if let Some(refusal) = refusal {
            return match hot.guard.with(|engine| engine.has_news(&update)) {
                // It is what this editor was sent, in answer to our question.
                Ok(false) => self.log(log::Input::Known { from: writer, edit }, now, out),
                Ok(true) => self.refuse(&writer, edit, refusal, out),
                Err(error) => self.failed(&writer, edit, &update, error, out),
            };
        }
        let held = hot.pending();
        match hot.guard.apply(&update) {
            Ok(Applied { news, is_pending }) => {
                let waits = is_pending && hot.pending() > held;
                let is_new = waits || news != News::Nothing;
                self.relay(&update, news, Some(&writer), out);
                if waits {
                    self.ask_for_all(&writer, out);
                }
                // The row is the update as it came: what waits of it is nowhere else.
                self.log(
                    match is_new {
                        true => log::Input::Edit {
                            from: writer,
                            edit,
                            update,
                        },
                        false => log::Input::Known { from: writer, edit },
                    },
                    now,
                    out,
                );
            }
            Err(error) => self.failed(&writer, edit, &update, error, out),
        }
    }

    /// Tells the other editors what is new.
    pub(super) fn relay(&mut self, update: &Bytes, news: News, by: Option<&Writer>, out: &mut Vec<Effect>) {
        let parts = match news {
            News::Nothing => return,
            News::Whole => vec![update.clone()],
            News::Parts(parts) => parts.into_iter().map(Bytes::from).collect(),
        };
        let Body::Hot(hot) = &mut self.body else {
            return;
        };
        hot.whole = None;
        // Parts are more than its editor has sent: something that another has sent before may have waited for it.
        let by = match (&*parts, by) {
            ([whole], Some(Writer::Editor(gateway, _, editor))) if whole == update => Some((gateway, *editor)),
            _ => None,
        };
        for part in &parts {
            self.members.relay(part, by, || hot.state_vector(), out);
        }
    }

    /// An editor has sent something that builds on what is not here: it is asked for all that it has (rule D4).
    fn ask_for_all(&mut self, writer: &Writer, out: &mut Vec<Effect>) {
        if let (Writer::Editor(gateway, join, editor), Body::Hot(hot)) = (writer, &mut self.body)
            && let Some(state_vector) = hot.state_vector()
        {
            let editor = *editor;
            let step = ToGateway::Step1 { editor, state_vector };
            self.members.answer(gateway, *join, step, out);
        }
    }

    /// An update was not taken in, and perhaps the document is lost over it.
    pub(super) fn failed(
        &mut self,
        writer: &Writer,
        edit: u64,
        update: &[u8],
        error: GuardError,
        out: &mut Vec<Effect>,
    ) {
        match error {
            GuardError::Refused(error) => self.refuse(writer, edit, bad(&error), out),
            GuardError::Dropped(failure) => {
                self.suspects.add(update);
                self.dropped(failure.to_string(), out);
            }
        }
    }

    pub(super) fn refuse(&self, writer: &Writer, edit: u64, refusal: Refusal, out: &mut Vec<Effect>) {
        match writer {
            Writer::Editor(gateway, join, editor) => {
                let editor = *editor;
                let refused = ToGateway::Refused { editor, edit, refusal };
                self.members.answer(gateway, *join, refused, out);
            }
            Writer::Program(gateway, join, number) => {
                let (number, answer) = (*number, Err(refusal));
                self.members
                    .answer(gateway, *join, ToGateway::Answered { number, answer }, out);
            }
            Writer::Snapshot => {}
        }
    }

    /// Lets the log decide, and carries out what is not for the shell.
    pub(super) fn log(&mut self, input: log::Input<Writer>, now: Instant, out: &mut Vec<Effect>) {
        let Body::Hot(hot) = &mut self.body else {
            return;
        };
        let activation = self.activation;
        let mut effects = Vec::new();
        hot.log.handle(input, now, &mut effects);
        for effect in effects {
            if self.activation != activation {
                return; // the log that asked for it is gone
            }
            match effect {
                log::Effect::Append { rows } => out.push(Effect::Append { activation, rows }),
                log::Effect::Read { after } => out.push(Effect::Read { activation, after }),
                log::Effect::Apply(update) => self.apply_stored(&update, out),
                log::Effect::Saved { to, up_to, .. } => self.saved(&to, up_to, out),
                log::Effect::Refuse { to, edit, refusal } => self.refuse(&to, edit, Refusal::Log(refusal), out),
                log::Effect::Snapshot { through, .. } => self.draft(through, now, out),
                log::Effect::Quarantine { row } => {
                    self.set_aside(format!("row {row} is missing, or cannot be read"), out);
                }
                log::Effect::Wake { at } => out.push(Effect::Wake { at }),
            }
        }
    }

    /// Takes in what another owner has written.
    fn apply_stored(&mut self, update: &Bytes, out: &mut Vec<Effect>) {
        let Body::Hot(hot) = &mut self.body else {
            return;
        };
        match hot.guard.apply(update) {
            Ok(Applied { news, .. }) => self.relay(update, news, None, out),
            Err(GuardError::Refused(error)) => self.set_aside(error.to_string(), out),
            Err(GuardError::Dropped(failure)) => self.dropped(failure.to_string(), out),
        }
    }

    fn saved(&mut self, to: &Writer, up_to: u64, out: &mut Vec<Effect>) {
        match to {
            Writer::Editor(gateway, join, editor) => {
                let editor = *editor;
                let saved = ToGateway::Saved { editor, up_to };
                self.members.answer(gateway, *join, saved, out);
            }
            Writer::Program(gateway, join, number) => {
                let (number, answer) = (*number, Ok(Answer::Saved));
                self.members
                    .answer(gateway, *join, ToGateway::Answered { number, answer }, out);
            }
            Writer::Snapshot => {
                if let Body::Hot(hot) = &mut self.body
                    && let Some((through, snapshot)) = hot.draft.take()
                {
                    let before = hot.stored.replace(snapshot.state_vector.clone());
                    let activation = self.activation;
                    out.push(Effect::Snapshot {
                        activation,
                        through,
                        snapshot,
                        before,
                    });
                }
            }
        }
    }

    /// Makes a snapshot, which is stored once all edits in it are rows: another owner might never see one that is not.
    fn draft(&mut self, through: u64, now: Instant, out: &mut Vec<Effect>) {
        let Body::Hot(hot) = &mut self.body else {
            return;
        };
        match guard::draft(&mut hot.guard) {
            Ok(snapshot) => {
                hot.draft = Some((through, snapshot));
                let (from, edit) = (Writer::Snapshot, through);
                self.log(log::Input::Known { from, edit }, now, out);
            }
            Err(GuardError::Refused(_)) => self.log(log::Input::SnapshotFailed, now, out),
            Err(GuardError::Dropped(failure)) => self.dropped(failure.to_string(), out),
        }
    }
}

fn bad(error: &EngineError) -> Refusal {
    Refusal::BadUpdate(error.to_string())
}
