//! What is said of documents, in frames.

use bytes::Bytes;
use starling_core::channel::Refusal;
use starling_core::document::gateway::Event;
use starling_core::document::log;
use starling_core::document::message::{self, Closed};
use starling_core::id::ChannelName;
use starling_core::session::DocumentId;
use starling_core::session::answer::NotTaken;
use starling_core::session::request::{DocumentPart, Piece};
use starling_protocol::v1::{self, DocumentPiece, ErrorCode, server_frame};
use starling_protocol::{frame, limits};

use super::answer::{clipped, millis};
use crate::fanout::Frame;

/// Bytes of a piece in one frame.
const PART_BYTES_MAX: usize = limits::SERVER_FRAME_BYTES_MAX - limits::FRAME_HEADER_BYTES;

/// A part of a piece, as a client sends it. Its shape was checked.
pub(super) fn part(part: &v1::DocumentPart) -> Option<DocumentPart> {
    let piece = match part.piece() {
        DocumentPiece::Update => Piece::Update(part.edit),
        DocumentPiece::StateVector => Piece::StateVector,
        DocumentPiece::Missing => Piece::Missing(part.edit),
        DocumentPiece::Awareness => Piece::Awareness,
        DocumentPiece::Unspecified => return None,
    };
    Some(DocumentPart {
        document_id: DocumentId(part.document_id),
        piece,
        // A slice of what was read would keep the whole read buffer for as long as the edit is kept.
        data: Bytes::copy_from_slice(&part.data),
        more: part.more,
    })
}

/// What all who have a document open are told in the same words; nothing for what each is told by itself.
#[must_use]
pub fn told(document_id: DocumentId, event: &Event) -> Vec<Frame> {
    match event {
        Event::Step1(state_vector) => parts(document_id, DocumentPiece::StateVector, state_vector),
        Event::Step2(update) => parts(document_id, DocumentPiece::Missing, update),
        Event::Update(update) => parts(document_id, DocumentPiece::Update, update),
        Event::Awareness(states) => parts(document_id, DocumentPiece::Awareness, states),
        // Applications have channels for what Hocuspocus calls stateless.
        Event::Stateless(_)
        | Event::Opened
        | Event::Saved { .. }
        | Event::Refused { .. }
        | Event::AwarenessRefused { .. }
        | Event::Closed(_) => Vec::new(),
    }
}

/// Edits up to this one are in the store.
#[must_use]
pub fn saved(document_id: DocumentId, up_to: u64) -> Frame {
    encoded(v1::DocumentSaved {
        document_id: document_id.0,
        up_to,
    })
}

/// An edit was not taken; 0 stands for a state vector.
#[must_use]
pub fn edit_refused(document_id: DocumentId, edit: u64, why: &NotTaken) -> Frame {
    let piece = match edit {
        0 => DocumentPiece::StateVector,
        _ => DocumentPiece::Update,
    };
    encoded(refused(document_id, piece, edit, why))
}

/// A message of awareness was not taken.
#[must_use]
pub fn awareness_refused(document_id: DocumentId, why: &NotTaken) -> Frame {
    encoded(refused(document_id, DocumentPiece::Awareness, 0, why))
}

/// The session has opened a document, or may do something else there.
pub(super) fn opened(request: u64, document_id: DocumentId, may_write: bool, may_show: bool) -> server_frame::Body {
    let document_id = document_id.0;
    let opened = v1::DocumentOpened {
        request,
        document_id,
        may_write,
        may_show,
    };
    opened.into()
}

/// A piece was not taken.
pub(super) fn piece_refused(document_id: DocumentId, piece: Piece, why: &NotTaken) -> server_frame::Body {
    let (piece, edit) = match piece {
        Piece::Update(edit) => (DocumentPiece::Update, edit),
        Piece::Missing(edit) => (DocumentPiece::Missing, edit),
        Piece::StateVector => (DocumentPiece::StateVector, 0),
        Piece::Awareness => (DocumentPiece::Awareness, 0),
    };
    refused(document_id, piece, edit, why).into()
}

/// A document is closed.
pub(super) fn closed(document_id: DocumentId, why: &NotTaken) -> server_frame::Body {
    refused(document_id, DocumentPiece::Unspecified, 0, why).into()
}

fn refused(document_id: DocumentId, piece: DocumentPiece, edit: u64, why: &NotTaken) -> v1::DocumentRefused {
    let closed = piece == DocumentPiece::Unspecified;
    v1::DocumentRefused {
        document_id: document_id.0,
        piece: piece.into(),
        edit,
        code: code(why).into(),
        message: clipped(&why.to_string()),
        retry_after_ms: if closed { retry_after_ms(why) } else { 0 },
    }
}

const fn code(why: &NotTaken) -> ErrorCode {
    match why {
        NotTaken::BadPiece(_) | NotTaken::BadAwareness(_) => ErrorCode::BadUpdate,
        NotTaken::NoReading | NotTaken::NoAwareness => ErrorCode::Forbidden,
        NotTaken::Behind => ErrorCode::Busy,
        NotTaken::Failed => ErrorCode::Internal,
        NotTaken::Document(refusal) => match refusal {
            message::Refusal::BadUpdate(_) => ErrorCode::BadUpdate,
            message::Refusal::ReadOnly => ErrorCode::Forbidden,
            message::Refusal::Moving => ErrorCode::Unavailable,
            message::Refusal::Unknown => ErrorCode::OutcomeUnknown,
            message::Refusal::Busy | message::Refusal::Log(log::Refusal::UnsavedFull) => ErrorCode::Busy,
            message::Refusal::Log(log::Refusal::Quarantined) | message::Refusal::Closed(Closed::Quarantined) => {
                ErrorCode::Quarantined
            }
            message::Refusal::Closed(Closed::StoreNotShared) => ErrorCode::StoreNotShared,
        },
    }
}

/// When a document that was closed may be opened again.
fn retry_after_ms(why: &NotTaken) -> u32 {
    let like = match code(why) {
        ErrorCode::Busy => Refusal::Busy,
        ErrorCode::Unavailable => Refusal::Unavailable,
        ErrorCode::Internal => Refusal::Internal,
        ErrorCode::Quarantined => Refusal::Quarantined,
        _ => return 0,
    };
    like.retry_after().map_or(0, millis)
}

/// A piece, in as many frames as it needs.
fn parts(document_id: DocumentId, piece: DocumentPiece, data: &Bytes) -> Vec<Frame> {
    let count = data.len().div_ceil(PART_BYTES_MAX).max(1);
    let part = |number: usize| {
        let from = number * PART_BYTES_MAX;
        let to = data.len().min(from + PART_BYTES_MAX);
        encoded(v1::DocumentPart {
            document_id: document_id.0,
            piece: piece.into(),
            edit: 0,
            data: data.slice(from..to),
            more: number + 1 < count,
        })
    };
    (0..count).map(part).collect()
}

fn encoded(body: impl Into<server_frame::Body>) -> Frame {
    frame::encode_server(body).into()
}

/// The document that a client names; its namespace may be left out.
pub(super) fn name(text: &str, namespace: &str) -> Result<ChannelName, String> {
    crate::editor::name::document(text, namespace).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_travels_in_parts_that_fit_frames() {
        let whole: Bytes = (0..PART_BYTES_MAX * 2 + 1)
            .map(|at| at as u8)
            .collect::<Vec<_>>()
            .into();
        for (bytes, count) in [
            (0, 1),
            (1, 1),
            (PART_BYTES_MAX, 1),
            (PART_BYTES_MAX + 1, 2),
            (whole.len(), 3),
        ] {
            let data = whole.slice(..bytes);
            let frames = told(DocumentId(6), &Event::Step2(data.clone()));
            assert_eq!(frames.len(), count, "{bytes}");
            let mut together = Vec::new();
            for (at, one) in frames.iter().enumerate() {
                assert!(one.body_bytes() <= limits::SERVER_FRAME_BYTES_MAX);
                let body = one.stream().slice(one.stream().len() - one.body_bytes()..);
                let Ok(server_frame::Body::DocumentPart(part)) = frame::decode_server(body) else {
                    panic!("not a part")
                };
                assert_eq!(part.more, at + 1 < count);
                assert_eq!(part.piece(), DocumentPiece::Missing);
                together.extend_from_slice(&part.data);
            }
            assert_eq!(together, data);
        }
    }

    #[test]
    fn only_a_document_that_is_closed_says_when_to_come_back() {
        let why = NotTaken::Behind;
        let body = closed(DocumentId(1), &why);
        assert!(matches!(&body, server_frame::Body::DocumentRefused(one) if one.retry_after_ms > 0 && one.piece == 0));
        let body = closed(DocumentId(1), &NotTaken::NoReading);
        assert!(matches!(&body, server_frame::Body::DocumentRefused(one) if one.retry_after_ms == 0));
        let body = piece_refused(DocumentId(1), Piece::Update(3), &why);
        assert!(matches!(&body, server_frame::Body::DocumentRefused(one) if one.retry_after_ms == 0 && one.edit == 3));
    }
}
