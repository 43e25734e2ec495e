//! From a gateway to the owner.

use bincode::{Decode, Encode};
use bytes::Bytes;
use starling_core::document::engine::{Insert, Shape};
use starling_core::document::message::{EditorId, Question, ToOwner};

use crate::link::{CodecError, codec};
use crate::wire::WireError;

/// A message without its bytes.
#[derive(Debug, Encode, Decode)]
pub(super) enum OwnerHead {
    Join { has_since: bool },
    Step1 { editor: u64 },
    Edit { editor: u64, edit: u64, may_write: bool },
    Awareness { editor: u64 },
    QueryAwareness { editor: u64 },
    Stateless { editor: u64 },
    Missing,
    Left { editor: u64 },
    Leave,
    Ask { number: u64, question: QuestionHead },
}

#[derive(Debug, Encode, Decode)]
pub(super) enum QuestionHead {
    Diff,
    Parts,
    Read { part: String, shape: ShapeHead },
    Whole,
    Apply,
    Restore { restores: u64 },
    Insert { part: String, places: Vec<Place> },
    Stats,
}

#[derive(Debug, Clone, Copy, Encode, Decode)]
pub(super) enum ShapeHead {
    Text,
    Xml,
    Array,
    Map,
}

/// Where a text goes, and its bytes among those of all.
#[derive(Debug, Encode, Decode)]
pub(super) struct Place {
    index: Option<u32>,
    bytes: u32,
}

impl OwnerHead {
    pub(super) fn of(message: &ToOwner) -> Result<(Self, Vec<Bytes>), CodecError> {
        let id = |editor: &EditorId| editor.0;
        Ok(match message {
            ToOwner::Join { since, editors } => {
                let editors: Vec<u64> = editors.iter().map(id).collect();
                let editors = Bytes::from(codec::encode_payload(&editors)?);
                let has_since = since.is_some();
                let payloads = std::iter::once(editors).chain(since.clone()).collect();
                (Self::Join { has_since }, payloads)
            }
            ToOwner::Step1 { editor, state_vector } => (Self::Step1 { editor: id(editor) }, vec![state_vector.clone()]),
            ToOwner::Edit {
                editor,
                edit,
                update,
                may_write,
            } => {
                let head = Self::Edit {
                    editor: id(editor),
                    edit: *edit,
                    may_write: *may_write,
                };
                (head, vec![update.clone()])
            }
            ToOwner::Awareness { editor, states } => (Self::Awareness { editor: id(editor) }, vec![states.clone()]),
            ToOwner::QueryAwareness { editor } => (Self::QueryAwareness { editor: id(editor) }, vec![]),
            ToOwner::Stateless { editor, payload } => (Self::Stateless { editor: id(editor) }, vec![payload.clone()]),
            ToOwner::Missing { clients } => {
                let clients = Bytes::from(codec::encode_payload(clients)?);
                (Self::Missing, vec![clients])
            }
            ToOwner::Left { editor } => (Self::Left { editor: id(editor) }, vec![]),
            ToOwner::Leave => (Self::Leave, vec![]),
            ToOwner::Ask { number, question } => {
                let (question, payloads) = QuestionHead::of(question);
                let number = *number;
                (Self::Ask { number, question }, payloads)
            }
        })
    }

    pub(super) fn back(self, payloads: &[Bytes]) -> Result<ToOwner, WireError> {
        let id = EditorId;
        Ok(match (self, payloads) {
            (Self::Join { has_since: false }, [editors]) => ToOwner::Join {
                since: None,
                editors: editors_of(editors)?,
            },
            (Self::Join { has_since: true }, [editors, since]) => ToOwner::Join {
                since: Some(since.clone()),
                editors: editors_of(editors)?,
            },
            (Self::Step1 { editor }, [state_vector]) => ToOwner::Step1 {
                editor: id(editor),
                state_vector: state_vector.clone(),
            },
            (
                Self::Edit {
                    editor,
                    edit,
                    may_write,
                },
                [update],
            ) => ToOwner::Edit {
                editor: id(editor),
                edit,
                update: update.clone(),
                may_write,
            },
            (Self::Awareness { editor }, [states]) => ToOwner::Awareness {
                editor: id(editor),
                states: states.clone(),
            },
            (Self::QueryAwareness { editor }, []) => ToOwner::QueryAwareness { editor: id(editor) },
            (Self::Stateless { editor }, [payload]) => ToOwner::Stateless {
                editor: id(editor),
                payload: payload.clone(),
            },
            (Self::Missing, [clients]) => ToOwner::Missing {
                clients: codec::decode_payload(clients)?,
            },
            (Self::Left { editor }, []) => ToOwner::Left { editor: id(editor) },
            (Self::Leave, []) => ToOwner::Leave,
            (Self::Ask { number, question }, payloads) => ToOwner::Ask {
                number,
                question: question.back(payloads)?,
            },
            _ => return Err(WireError::Payloads),
        })
    }
}

fn editors_of(payload: &[u8]) -> Result<Vec<EditorId>, WireError> {
    let editors: Vec<u64> = codec::decode_payload(payload)?;
    Ok(editors.into_iter().map(EditorId).collect())
}

impl QuestionHead {
    fn of(question: &Question) -> (Self, Vec<Bytes>) {
        match question {
            Question::Diff(state_vector) => (Self::Diff, vec![state_vector.clone()]),
            Question::Parts => (Self::Parts, vec![]),
            Question::Read { part, shape } => {
                let shape = match shape {
                    Shape::Text => ShapeHead::Text,
                    Shape::Xml => ShapeHead::Xml,
                    Shape::Array => ShapeHead::Array,
                    Shape::Map => ShapeHead::Map,
                };
                let part = part.clone();
                (Self::Read { part, shape }, vec![])
            }
            Question::Whole => (Self::Whole, vec![]),
            Question::Apply(update) => (Self::Apply, vec![update.clone()]),
            Question::Restore { update, restores } => {
                let restores = *restores;
                (Self::Restore { restores }, vec![update.clone()])
            }
            Question::Insert { part, inserts } => {
                let place = |insert: &Insert| Place {
                    index: insert.index,
                    bytes: u32::try_from(insert.text.len()).unwrap_or(u32::MAX),
                };
                let (part, places) = (part.clone(), inserts.iter().map(place).collect());
                let texts: String = inserts.iter().map(|insert| &*insert.text).collect();
                (Self::Insert { part, places }, vec![texts.into()])
            }
            Question::Stats => (Self::Stats, vec![]),
        }
    }

    fn back(self, payloads: &[Bytes]) -> Result<Question, WireError> {
        Ok(match (self, payloads) {
            (Self::Diff, [state_vector]) => Question::Diff(state_vector.clone()),
            (Self::Parts, []) => Question::Parts,
            (Self::Read { part, shape }, []) => Question::Read {
                part,
                shape: match shape {
                    ShapeHead::Text => Shape::Text,
                    ShapeHead::Xml => Shape::Xml,
                    ShapeHead::Array => Shape::Array,
                    ShapeHead::Map => Shape::Map,
                },
            },
            (Self::Whole, []) => Question::Whole,
            (Self::Apply, [update]) => Question::Apply(update.clone()),
            (Self::Restore { restores }, [update]) => Question::Restore {
                update: update.clone(),
                restores,
            },
            (Self::Insert { part, places }, [texts]) => Question::Insert {
                part,
                inserts: inserts_of(&places, texts)?,
            },
            (Self::Stats, []) => Question::Stats,
            _ => return Err(WireError::Payloads),
        })
    }
}

/// The texts, which stand one behind the other.
fn inserts_of(places: &[Place], texts: &[u8]) -> Result<Vec<Insert>, WireError> {
    let mut rest = texts;
    let mut inserts = Vec::with_capacity(places.len());
    for Place { index, bytes } in places {
        let (text, behind) = rest.split_at_checked(*bytes as usize).ok_or(WireError::Payloads)?;
        rest = behind;
        inserts.push(Insert {
            index: *index,
            text: super::text(text)?,
        });
    }
    match rest.is_empty() {
        true => Ok(inserts),
        false => Err(WireError::Payloads),
    }
}
