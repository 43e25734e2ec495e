//! Documents in sessions: what clients of the native protocol say and are told.
//!
//! * `editing`: edits, what is missing, awareness, documents larger than a frame, editors of other protocols;
//! * `refused`: rights and limits, and clients that do not keep up.

use bytes::Bytes;
use starling_mesh::transport::Transport;
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{self, DocumentPiece, ErrorCode};

use tokio::time::Instant;

use crate::support::eventually::PATIENCE;
use crate::support::node::Node;
use crate::support::raw::Raw;

mod editing;
mod refused;

/// A client of Yjs with a document open, which has one text, "t".
struct Editor {
    raw: Raw,
    document_id: u32,
    /// Its number in the document, below 128.
    client: u8,
    /// All that it has typed.
    text: String,
    /// State vectors that are not answered.
    asked: usize,
    edits: u64,
    saved: u64,
    /// Pieces that came.
    pieces: Vec<(DocumentPiece, Bytes)>,
    unfinished: Vec<u8>,
    refused: Vec<v1::DocumentRefused>,
    opened: v1::DocumentOpened,
}

impl Editor {
    /// Opens a document in a session that is open.
    async fn of(mut raw: Raw, client: u8, document: &str) -> Self {
        raw.send(open_frame(1, document)).await;
        let Body::DocumentOpened(opened) = raw.answer(1).await else {
            panic!("it may open it");
        };
        let mut editor = Self {
            raw,
            document_id: opened.document_id,
            client,
            text: String::new(),
            asked: 0,
            edits: 0,
            saved: 0,
            pieces: Vec::new(),
            unfinished: Vec::new(),
            refused: Vec::new(),
            opened,
        };
        // What was typed before the node has asked is saved with the answer.
        editor.until(|it| !it.pieces.is_empty()).await;
        editor
    }

    /// The same in a session of its own.
    async fn open(node: &Node, transport: Transport, client: u8, document: &str) -> Self {
        Self::of(Raw::open(node, transport).await, client, document).await
    }

    /// Sends a piece, in parts of so many bytes.
    async fn send_parts(&mut self, piece: DocumentPiece, data: &[u8], bytes: usize) {
        let numbered = matches!(piece, DocumentPiece::Update | DocumentPiece::Missing);
        self.edits += u64::from(numbered);
        let parts: Vec<_> = match data.is_empty() {
            true => vec![data],
            false => data.chunks(bytes).collect(),
        };
        let count = parts.len();
        for (at, data) in parts.into_iter().enumerate() {
            let part = v1::DocumentPart {
                document_id: self.document_id,
                piece: piece.into(),
                edit: if numbered { self.edits } else { 0 },
                data: data.to_vec().into(),
                more: at + 1 < count,
            };
            self.raw.send(part).await;
        }
    }

    /// Sends a piece in one part.
    async fn send(&mut self, piece: DocumentPiece, data: &[u8]) {
        self.send_parts(piece, data, usize::MAX).await;
    }

    /// Types behind what it has typed before, and gives the update that it sent.
    async fn types(&mut self, text: &str) -> Vec<u8> {
        let update = self.typing(text);
        self.send_parts(DocumentPiece::Update, &update, 60_000).await;
        update
    }

    fn typing(&mut self, text: &str) -> Vec<u8> {
        let update = typing(self.client, self.text.len() as u64, text);
        self.text.push_str(text);
        update
    }

    /// Reads on until it is so.
    async fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            let frame = tokio::time::timeout_at(deadline, self.raw.frame()).await;
            let frame = frame
                .unwrap_or_else(|_| panic!("in vain: saved {}, {:?}, {:?}", self.saved, self.pieces, self.refused));
            self.take(frame);
            while self.asked > 0 {
                self.asked -= 1;
                let all = match self.text.as_str() {
                    "" => vec![0, 0],
                    text => typing(self.client, 0, text),
                };
                self.send_parts(DocumentPiece::Missing, &all, 60_000).await;
            }
        }
    }

    fn take(&mut self, frame: Body) {
        match frame {
            Body::DocumentPart(part) if part.document_id == self.document_id => {
                self.unfinished.extend_from_slice(&part.data);
                if !part.more {
                    let whole = std::mem::take(&mut self.unfinished);
                    self.asked += usize::from(part.piece() == DocumentPiece::StateVector);
                    self.pieces.push((part.piece(), whole.into()));
                }
            }
            Body::DocumentSaved(saved) if saved.document_id == self.document_id => self.saved = saved.up_to,
            Body::DocumentRefused(refused) if refused.document_id == self.document_id => self.refused.push(refused),
            Body::DocumentOpened(opened) if opened.document_id == self.document_id => self.opened = opened,
            Body::Refreshed(_) => {}
            other => panic!("{other:?}"),
        }
    }

    /// Waits until all edits are saved.
    async fn is_saved(&mut self) {
        self.until(|it| it.saved == it.edits).await;
    }

    /// Waits for a piece of this kind, and gives it.
    async fn hears(&mut self, piece: DocumentPiece) -> Bytes {
        self.until(|it| it.pieces.iter().any(|(one, _)| *one == piece)).await;
        let at = self.pieces.iter().position(|(one, _)| *one == piece);
        self.pieces.remove(at.expect("it came")).1
    }

    /// All that the node has, as an update.
    async fn whole(&mut self) -> Bytes {
        self.send(DocumentPiece::StateVector, &[0]).await;
        self.hears(DocumentPiece::Missing).await
    }

    /// Waits for a refusal, and gives it.
    async fn is_refused(&mut self) -> v1::DocumentRefused {
        self.until(|it| !it.refused.is_empty()).await;
        self.refused.remove(0)
    }
}

fn open_frame(request: u64, document: &str) -> v1::OpenDocument {
    v1::OpenDocument {
        request,
        document: document.to_owned(),
    }
}

/// Waits for the refusal of a request.
async fn refused(raw: &mut Raw, request: u64) -> ErrorCode {
    match raw.answer(request).await {
        Body::Error(error) => error.code(),
        other => panic!("{other:?} instead of a refusal"),
    }
}

/// An update of Yjs: a client has put text behind what it had put into the text "t" before.
fn typing(client: u8, typed: u64, text: &str) -> Vec<u8> {
    let mut update = vec![1, 1, client];
    uint(&mut update, typed);
    match typed.checked_sub(1) {
        None => update.extend_from_slice(&[4, 1, 1, b't']),
        Some(last) => {
            update.extend_from_slice(&[0x84, client]);
            uint(&mut update, last);
        }
    }
    uint(&mut update, text.len() as u64);
    update.extend_from_slice(text.as_bytes());
    update.push(0);
    update
}

/// A number as Yjs writes it.
fn uint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
