//! What either side may send about documents.

use super::{Checked, Subject};
use crate::frame::{DecodeError, Fault};
use crate::limits;
use crate::v1::{
    CloseDocument, DocumentOpened, DocumentPart, DocumentPiece, DocumentRefused, DocumentSaved, OpenDocument,
};

pub(super) fn open(frame: &OpenDocument) -> Checked {
    let subject = Subject::request("open_document", frame.request)?;
    subject.text("document", &frame.document, limits::CHANNEL_BYTES_MAX)
}

pub(super) fn close(frame: &CloseDocument) -> Checked {
    of_document("close_document", frame.document_id).map(drop)
}

/// From a client. What is saved is named by its number, so that every edit has one.
pub(super) fn sent(frame: &DocumentPart) -> Checked {
    let subject = part(frame)?;
    match frame.piece() {
        DocumentPiece::Update | DocumentPiece::Missing => subject.present("edit", frame.edit != 0),
        DocumentPiece::StateVector | DocumentPiece::Awareness | DocumentPiece::Unspecified => {
            subject.agrees("edit", "piece", frame.edit == 0)
        }
    }
}

/// From a server.
pub(super) fn told(frame: &DocumentPart) -> Checked {
    part(frame).map(drop)
}

pub(super) fn saved(frame: &DocumentSaved) -> Checked {
    of_document("document_saved", frame.document_id)?.present("up_to", frame.up_to != 0)
}

pub(super) fn opened(frame: &DocumentOpened) -> Checked {
    of_document("document_opened", frame.document_id).map(drop)
}

/// Codes and pieces are judged leniently: a newer server may have more of them.
pub(super) fn refused(frame: &DocumentRefused) -> Checked {
    let subject = of_document("document_refused", frame.document_id)?;
    subject.present("code", frame.code != 0)?;
    subject.at_most("message", &frame.message, limits::TEXT_BYTES_MAX)
}

fn part(frame: &DocumentPart) -> Result<Subject, DecodeError> {
    let subject = of_document("document_part", frame.document_id)?;
    subject.present("piece", frame.piece != 0)?;
    if DocumentPiece::try_from(frame.piece).is_err() {
        subject.refuse("piece", Fault::UnknownValue { value: frame.piece })?;
    }
    Ok(subject)
}

fn of_document(frame: &'static str, document_id: u32) -> Result<Subject, DecodeError> {
    let subject = Subject::of(frame);
    subject.present("document_id", document_id != 0)?;
    Ok(subject)
}
