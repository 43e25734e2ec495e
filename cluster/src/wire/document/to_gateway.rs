//! From the owner to a gateway.

use bincode::{Decode, Encode};
use bytes::Bytes;
use starling_core::document::engine::Size;
use starling_core::document::log;
use starling_core::document::message::{Answer, Closed, EditorId, Refusal, ToGateway};

use crate::link::{CodecError, codec};
use crate::wire::WireError;

/// A message without its bytes.
#[derive(Debug, Encode, Decode)]
pub(super) enum GatewayHead {
    Joined {
        has_missing: bool,
    },
    Step2 {
        editor: u64,
    },
    Update {
        but: Option<u64>,
    },
    Mark,
    Step1 {
        editor: u64,
    },
    Saved {
        editor: u64,
        up_to: u64,
    },
    Refused {
        editor: u64,
        edit: u64,
        refusal: RefusalHead,
    },
    Awareness {
        to: Option<u64>,
    },
    AwarenessRefused {
        editor: u64,
        reason: String,
    },
    Stateless {
        but: Option<u64>,
    },
    Behind,
    Moved,
    Closed(ClosedHead),
    Answered {
        number: u64,
        answer: Result<AnswerHead, RefusalHead>,
    },
}

#[derive(Debug, Encode, Decode)]
pub(super) enum AnswerHead {
    Update,
    Whole {
        restores: u64,
    },
    Parts,
    Part {
        is_there: bool,
    },
    Saved,
    Stats {
        clients: u64,
        applied_bytes: u64,
        pending: u64,
        let_go: u64,
        unsaved_bytes: u64,
    },
}

#[derive(Debug, Encode, Decode)]
pub(super) enum RefusalHead {
    UnsavedFull,
    Quarantined,
    BadUpdate(String),
    ReadOnly,
    Moving,
    Unknown,
    Busy,
    Closed(ClosedHead),
}

#[derive(Debug, Clone, Copy, Encode, Decode)]
pub(super) enum ClosedHead {
    Quarantined,
    StoreNotShared,
}

impl GatewayHead {
    pub(super) fn of(message: &ToGateway) -> Result<(Self, Vec<Bytes>), CodecError> {
        let id = |editor: &EditorId| editor.0;
        Ok(match message {
            ToGateway::Joined {
                state_vector,
                missing,
                awareness,
            } => {
                let has_missing = missing.is_some();
                let payloads = [state_vector.clone(), awareness.clone()];
                let payloads = payloads.into_iter().chain(missing.clone()).collect();
                (Self::Joined { has_missing }, payloads)
            }
            ToGateway::Step2 { editor, update } => (Self::Step2 { editor: id(editor) }, vec![update.clone()]),
            ToGateway::Update { update, but } => (
                Self::Update {
                    but: but.as_ref().map(id),
                },
                vec![update.clone()],
            ),
            ToGateway::Mark { state_vector } => (Self::Mark, vec![state_vector.clone()]),
            ToGateway::Step1 { editor, state_vector } => {
                (Self::Step1 { editor: id(editor) }, vec![state_vector.clone()])
            }
            ToGateway::Saved { editor, up_to } => {
                let (editor, up_to) = (id(editor), *up_to);
                (Self::Saved { editor, up_to }, vec![])
            }
            ToGateway::Refused { editor, edit, refusal } => {
                let head = Self::Refused {
                    editor: id(editor),
                    edit: *edit,
                    refusal: RefusalHead::of(refusal),
                };
                (head, vec![])
            }
            ToGateway::Awareness { states, to } => (
                Self::Awareness {
                    to: to.as_ref().map(id),
                },
                vec![states.clone()],
            ),
            ToGateway::AwarenessRefused { editor, reason } => {
                let (editor, reason) = (id(editor), reason.clone());
                (Self::AwarenessRefused { editor, reason }, vec![])
            }
            ToGateway::Stateless { payload, but } => (
                Self::Stateless {
                    but: but.as_ref().map(id),
                },
                vec![payload.clone()],
            ),
            ToGateway::Behind => (Self::Behind, vec![]),
            ToGateway::Moved => (Self::Moved, vec![]),
            ToGateway::Closed(closed) => (Self::Closed(ClosedHead::of(*closed)), vec![]),
            ToGateway::Answered { number, answer } => {
                let number = *number;
                let (answer, payloads) = match answer {
                    Ok(answer) => {
                        let (head, payloads) = AnswerHead::of(answer)?;
                        (Ok(head), payloads)
                    }
                    Err(refusal) => (Err(RefusalHead::of(refusal)), vec![]),
                };
                (Self::Answered { number, answer }, payloads)
            }
        })
    }

    pub(super) fn back(self, payloads: &[Bytes]) -> Result<ToGateway, WireError> {
        let id = EditorId;
        Ok(match (self, payloads) {
            (Self::Joined { has_missing: false }, [state_vector, awareness]) => ToGateway::Joined {
                state_vector: state_vector.clone(),
                missing: None,
                awareness: awareness.clone(),
            },
            (Self::Joined { has_missing: true }, [state_vector, awareness, missing]) => ToGateway::Joined {
                state_vector: state_vector.clone(),
                missing: Some(missing.clone()),
                awareness: awareness.clone(),
            },
            (Self::Step2 { editor }, [update]) => ToGateway::Step2 {
                editor: id(editor),
                update: update.clone(),
            },
            (Self::Update { but }, [update]) => ToGateway::Update {
                update: update.clone(),
                but: but.map(id),
            },
            (Self::Mark, [state_vector]) => ToGateway::Mark {
                state_vector: state_vector.clone(),
            },
            (Self::Step1 { editor }, [state_vector]) => ToGateway::Step1 {
                editor: id(editor),
                state_vector: state_vector.clone(),
            },
            (Self::Saved { editor, up_to }, []) => ToGateway::Saved {
                editor: id(editor),
                up_to,
            },
            (Self::Refused { editor, edit, refusal }, []) => ToGateway::Refused {
                editor: id(editor),
                edit,
                refusal: refusal.back(),
            },
            (Self::Awareness { to }, [states]) => ToGateway::Awareness {
                states: states.clone(),
                to: to.map(id),
            },
            (Self::AwarenessRefused { editor, reason }, []) => ToGateway::AwarenessRefused {
                editor: id(editor),
                reason,
            },
            (Self::Stateless { but }, [payload]) => ToGateway::Stateless {
                payload: payload.clone(),
                but: but.map(id),
            },
            (Self::Behind, []) => ToGateway::Behind,
            (Self::Moved, []) => ToGateway::Moved,
            (Self::Closed(closed), []) => ToGateway::Closed(closed.back()),
            (Self::Answered { number, answer }, payloads) => ToGateway::Answered {
                number,
                answer: match (answer, payloads) {
                    (Ok(answer), payloads) => Ok(answer.back(payloads)?),
                    (Err(refusal), []) => Err(refusal.back()),
                    (Err(_), _) => return Err(WireError::Payloads),
                },
            },
            _ => return Err(WireError::Payloads),
        })
    }
}

impl AnswerHead {
    fn of(answer: &Answer) -> Result<(Self, Vec<Bytes>), CodecError> {
        Ok(match answer {
            Answer::Update(update) => (Self::Update, vec![update.clone()]),
            Answer::Whole { update, restores } => {
                let restores = *restores;
                (Self::Whole { restores }, vec![update.clone()])
            }
            Answer::Parts(parts) => (Self::Parts, vec![codec::encode_payload(parts)?.into()]),
            Answer::Part(part) => {
                let is_there = part.is_some();
                let part = part.as_ref().map(|part| Bytes::copy_from_slice(part.as_bytes()));
                (Self::Part { is_there }, part.into_iter().collect())
            }
            Answer::Saved => (Self::Saved, vec![]),
            Answer::Stats { size, unsaved_bytes } => {
                let head = Self::Stats {
                    clients: size.clients as u64,
                    applied_bytes: size.applied_bytes,
                    pending: size.pending as u64,
                    let_go: size.let_go,
                    unsaved_bytes: *unsaved_bytes,
                };
                (head, vec![])
            }
        })
    }

    fn back(self, payloads: &[Bytes]) -> Result<Answer, WireError> {
        Ok(match (self, payloads) {
            (Self::Update, [update]) => Answer::Update(update.clone()),
            (Self::Whole { restores }, [update]) => Answer::Whole {
                update: update.clone(),
                restores,
            },
            (Self::Parts, [parts]) => Answer::Parts(codec::decode_payload(parts)?),
            (Self::Part { is_there: false }, []) => Answer::Part(None),
            (Self::Part { is_there: true }, [part]) => Answer::Part(Some(super::text(part)?)),
            (Self::Saved, []) => Answer::Saved,
            (
                Self::Stats {
                    clients,
                    applied_bytes,
                    pending,
                    let_go,
                    unsaved_bytes,
                },
                [],
            ) => Answer::Stats {
                size: Size {
                    clients: count(clients)?,
                    applied_bytes,
                    pending: count(pending)?,
                    let_go,
                },
                unsaved_bytes,
            },
            _ => return Err(WireError::Payloads),
        })
    }
}

impl RefusalHead {
    fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Log(log::Refusal::UnsavedFull) => Self::UnsavedFull,
            Refusal::Log(log::Refusal::Quarantined) => Self::Quarantined,
            Refusal::BadUpdate(reason) => Self::BadUpdate(reason.clone()),
            Refusal::ReadOnly => Self::ReadOnly,
            Refusal::Moving => Self::Moving,
            Refusal::Unknown => Self::Unknown,
            Refusal::Busy => Self::Busy,
            Refusal::Closed(closed) => Self::Closed(ClosedHead::of(*closed)),
        }
    }

    fn back(self) -> Refusal {
        match self {
            Self::UnsavedFull => Refusal::Log(log::Refusal::UnsavedFull),
            Self::Quarantined => Refusal::Log(log::Refusal::Quarantined),
            Self::BadUpdate(reason) => Refusal::BadUpdate(reason),
            Self::ReadOnly => Refusal::ReadOnly,
            Self::Moving => Refusal::Moving,
            Self::Unknown => Refusal::Unknown,
            Self::Busy => Refusal::Busy,
            Self::Closed(closed) => Refusal::Closed(closed.back()),
        }
    }
}

impl ClosedHead {
    const fn of(closed: Closed) -> Self {
        match closed {
            Closed::Quarantined => Self::Quarantined,
            Closed::StoreNotShared => Self::StoreNotShared,
        }
    }

    const fn back(self) -> Closed {
        match self {
            Self::Quarantined => Closed::Quarantined,
            Self::StoreNotShared => Closed::StoreNotShared,
        }
    }
}

fn count(number: u64) -> Result<usize, WireError> {
    usize::try_from(number).map_err(|_| WireError::Payloads)
}
