//! Documents, as one session has to do with them: which it has open, what it may do there, and the pieces that it sends in parts.
//!
//! What becomes of an edit is decided by [`crate::document`]; here it is decided whether it is taken to a document at all.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::answer::{Answer, NotTaken};
use super::request::{DocumentPart, Piece, RequestId};
use super::turn::{Effect, Said};
use super::{Beside, DocumentId, Session};
use crate::access::Operation;
use crate::channel::Refusal;
use crate::document::message::EditorId;
use crate::document::scan::Limits;
use crate::id::ChannelName;
use crate::rate::Rate;

/// What a session needs that has documents open.
#[derive(Debug, Default)]
pub(super) struct Editing {
    /// Of the parts that it sends.
    rate: Rate,
    /// Asked for and not open yet.
    opening: Vec<(RequestId, Open)>,
    open: BTreeMap<DocumentId, Open>,
    piece: Option<Unfinished>,
}

#[derive(Debug)]
struct Open {
    document: ChannelName,
    editor: EditorId,
    rights: Rights,
    /// The number of the last edit that was sent.
    last: u64,
}

/// What a session may do with a document that it may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rights {
    may_write: bool,
    may_show: bool,
}

/// A piece of which more parts follow. There is one at a time, so that a session holds no more than one.
#[derive(Debug)]
struct Unfinished {
    document_id: DocumentId,
    piece: Piece,
    /// `None` when it was refused: the rest is passed over.
    data: Option<BytesMut>,
}

impl Session {
    pub(super) fn open_document(&mut self, request: RequestId, document: ChannelName, out: &mut Vec<Effect>) {
        let refusal = match self.may_open(&document) {
            Ok(may_write) => {
                return out.push(Effect::OpenDocument {
                    request,
                    document,
                    may_write,
                });
            }
            Err(refusal) => refusal,
        };
        out.push(Effect::Send(Answer::Refused { request, refusal }));
    }

    /// Whether it may write there, too.
    fn may_open(&mut self, document: &ChannelName) -> Result<bool, Refusal> {
        let max = self.settings.documents_max;
        let Some(rights) = self.rights(document) else {
            return Err(no_reading(document.clone()));
        };
        if max == 0 {
            return Err(Refusal::DocumentsOff);
        }
        let editing = &mut self.beside.get_or_insert_default().editing;
        let opening = editing.opening.iter().map(|(_, open)| open);
        if opening
            .chain(editing.open.values())
            .any(|open| open.document == *document)
        {
            return Err(Refusal::BadRequest("the session has this document open already"));
        }
        if editing.opening.len() + editing.open.len() >= max {
            return Err(Refusal::TooManyDocuments { max });
        }
        Ok(rights.may_write)
    }

    /// A document is about to be open: the session is one of its editors, or was refused.
    pub(super) fn document_opening(
        &mut self,
        request: RequestId,
        document: ChannelName,
        editor: Result<EditorId, Refusal>,
        out: &mut Vec<Effect>,
    ) {
        match (editor, self.rights(&document)) {
            (Ok(editor), Some(rights)) => {
                let open = Open {
                    document,
                    editor,
                    rights,
                    last: 0,
                };
                let editing = &mut self.beside.get_or_insert_default().editing;
                editing.opening.push((request, open));
            }
            (Ok(_), None) => out.push(Effect::Send(Answer::Refused {
                request,
                refusal: no_reading(document),
            })),
            (Err(refusal), _) => out.push(Effect::Send(Answer::Refused { request, refusal })),
        }
    }

    /// A document is open, under its number on this node.
    pub(super) fn document_opened(&mut self, editor: EditorId, document_id: DocumentId, out: &mut Vec<Effect>) {
        let Some(Beside { editing, .. }) = self.beside.as_deref_mut() else {
            return;
        };
        let Some(at) = editing.opening.iter().position(|(_, open)| open.editor == editor) else {
            return;
        };
        let (request, open) = editing.opening.swap_remove(at);
        out.push(Effect::Send(opened(request, document_id, open.rights)));
        editing.open.insert(document_id, open);
    }

    pub(super) fn close_document(&mut self, document_id: DocumentId, out: &mut Vec<Effect>) {
        let Some(Beside { editing, .. }) = self.beside.as_deref_mut() else {
            return;
        };
        // One that the server has closed at the same moment is none.
        if let Some(open) = editing.open.remove(&document_id) {
            out.push(Effect::CloseDocument { editor: open.editor });
        }
    }

    /// A document is closed by the server.
    pub(super) fn document_closed(&mut self, editor: EditorId, why: &NotTaken, out: &mut Vec<Effect>) {
        let Some(Beside { editing, .. }) = self.beside.as_deref_mut() else {
            return;
        };
        let id = editing.open.iter().find(|(_, open)| open.editor == editor);
        if let Some(document_id) = id.map(|(id, _)| *id) {
            editing.open.remove(&document_id);
            out.push(Effect::CloseDocument { editor });
            let why = why.clone();
            out.push(Effect::Send(Answer::DocumentClosed { document_id, why }));
        }
    }

    /// All documents are closed by the server: the session has missed something that they told.
    pub(super) fn documents_closed(&mut self, why: &NotTaken, out: &mut Vec<Effect>) {
        let Some(Beside { editing, .. }) = self.beside.as_deref_mut() else {
            return;
        };
        for (request, open) in std::mem::take(&mut editing.opening) {
            out.push(Effect::CloseDocument { editor: open.editor });
            let refusal = Refusal::Busy;
            out.push(Effect::Send(Answer::Refused { request, refusal }));
        }
        for (document_id, open) in std::mem::take(&mut editing.open) {
            out.push(Effect::CloseDocument { editor: open.editor });
            let why = why.clone();
            out.push(Effect::Send(Answer::DocumentClosed { document_id, why }));
        }
    }

    /// When the client is heard again: it sends parts of documents faster than it may. Most send none, and need no clock.
    #[must_use]
    pub fn heard_again_at(&self, now: impl FnOnce() -> Instant) -> Option<Instant> {
        let editing = &self.beside.as_ref()?.editing;
        let now = now();
        Some(now + editing.rate.look(now).err()?)
    }

    pub(super) fn document_part(&mut self, part: DocumentPart, now: Instant, out: &mut Vec<Effect>) {
        let interval = self.settings.document_interval;
        let Some(Beside { editing, .. }) = self.beside.as_deref_mut() else {
            return;
        };
        if let Some(interval) = interval {
            editing.rate.spend(interval, now);
        }
        let DocumentPart {
            document_id,
            piece,
            data,
            more,
        } = part;
        match editing.gather(document_id, piece, data, more) {
            Ok(None) => {}
            Ok(Some(data)) => {
                let said = editing
                    .open
                    .get_mut(&document_id)
                    .map(|open| (open.take(piece, data), open.editor));
                match said {
                    Some((Ok(said), editor)) => out.push(Effect::Say { editor, said }),
                    Some((Err(why), _)) => out.push(refused(document_id, piece, why)),
                    None => {} // it was closed meanwhile
                }
            }
            Err(why) => out.push(refused(document_id, piece, why)),
        }
    }

    /// Closes the documents that the grant does not cover any more, and says where it covers more or less.
    pub(super) fn withdraw_documents(&mut self, out: &mut Vec<Effect>) {
        let Some(beside) = &mut self.beside else {
            return;
        };
        let mut editing = std::mem::take(&mut beside.editing);
        editing
            .opening
            .retain_mut(|(request, open)| match self.rights(&open.document) {
                Some(rights) => {
                    permit(open, rights, out);
                    true
                }
                None => {
                    out.push(Effect::CloseDocument { editor: open.editor });
                    out.push(Effect::Send(Answer::Refused {
                        request: *request,
                        refusal: no_reading(open.document.clone()),
                    }));
                    false
                }
            });
        editing
            .open
            .retain(|document_id, open| match self.rights(&open.document) {
                Some(rights) => {
                    if permit(open, rights, out) {
                        let request = RequestId(0); // nobody asked
                        out.push(Effect::Send(opened(request, *document_id, rights)));
                    }
                    true
                }
                None => {
                    out.push(Effect::CloseDocument { editor: open.editor });
                    out.push(Effect::Send(Answer::DocumentClosed {
                        document_id: *document_id,
                        why: NotTaken::NoReading,
                    }));
                    false
                }
            });
        self.beside.get_or_insert_default().editing = editing;
    }

    /// `None` when the document may not be read, either.
    fn rights(&self, document: &ChannelName) -> Option<Rights> {
        self.allows(document, Operation::DocRead).then(|| Rights {
            may_write: self.allows(document, Operation::DocWrite),
            may_show: self.allows(document, Operation::Awareness),
        })
    }
}

impl Editing {
    /// Puts a piece together: all of its bytes with the last of its parts.
    fn gather(
        &mut self,
        document_id: DocumentId,
        piece: Piece,
        data: Bytes,
        more: bool,
    ) -> Result<Option<Bytes>, NotTaken> {
        let bytes_max = Limits::CLIENT.bytes;
        let Some(mut unfinished) = self.piece.take() else {
            if !more {
                return Ok(Some(data));
            }
            self.piece = Some(Unfinished {
                document_id,
                piece,
                data: Some(BytesMut::from(&data[..])),
            });
            return Ok(None);
        };
        if (unfinished.document_id, unfinished.piece) != (document_id, piece) {
            return Err(NotTaken::BadPiece(MIXED.to_owned()));
        }
        let mut is_too_long = false;
        if let Some(gathered) = &mut unfinished.data {
            is_too_long = gathered.len() + data.len() > bytes_max;
            match is_too_long {
                true => unfinished.data = None,
                false => gathered.extend_from_slice(&data),
            }
        }
        let gathered = match more {
            true => {
                self.piece = Some(unfinished);
                None
            }
            false => unfinished.data.map(BytesMut::freeze),
        };
        match is_too_long {
            true => Err(NotTaken::BadPiece(format!(
                "the piece has more than {bytes_max} bytes, the most that is taken at once; nothing was written"
            ))),
            false => Ok(gathered),
        }
    }
}

/// What is said of parts of two pieces that come mixed.
const MIXED: &str =
    "a piece of a document has begun and another was sent before its end; both are lost, send all parts of one first";

impl Open {
    /// What is said with a piece that is whole.
    fn take(&mut self, piece: Piece, data: Bytes) -> Result<Said, NotTaken> {
        match piece {
            Piece::Update(edit) | Piece::Missing(edit) if edit <= self.last => {
                let last = self.last;
                Err(NotTaken::BadPiece(format!(
                    "edit {edit} came after edit {last}; number each edit higher than those before it"
                )))
            }
            Piece::Update(edit) | Piece::Missing(edit) => {
                self.last = edit;
                Ok(Said::Edit {
                    edit,
                    update: data,
                    is_missing: matches!(piece, Piece::Missing(_)),
                })
            }
            Piece::StateVector => Ok(Said::StateVector(data)),
            Piece::Awareness if self.rights.may_show => Ok(Said::Awareness(data)),
            Piece::Awareness => Err(NotTaken::NoAwareness),
        }
    }
}

/// Whether it may do more or less than before.
fn permit(open: &mut Open, rights: Rights, out: &mut Vec<Effect>) -> bool {
    let before = std::mem::replace(&mut open.rights, rights);
    if before.may_write != rights.may_write {
        let (editor, may_write) = (open.editor, rights.may_write);
        out.push(Effect::PermitDocument { editor, may_write });
    }
    before != rights
}

const fn opened(request: RequestId, document_id: DocumentId, rights: Rights) -> Answer {
    Answer::DocumentOpened {
        request,
        document_id,
        may_write: rights.may_write,
        may_show: rights.may_show,
    }
}

const fn refused(document_id: DocumentId, piece: Piece, why: NotTaken) -> Effect {
    Effect::Send(Answer::DocumentRefused {
        document_id,
        piece,
        why,
    })
}

const fn no_reading(document: ChannelName) -> Refusal {
    Refusal::Forbidden {
        action: "read the document",
        channel: document,
    }
}
