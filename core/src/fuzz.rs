//! What the fuzz targets of this crate do with bytes; `fuzz/README.md` tells how they are run.
//!
//! Whatever the bytes are, nothing panics, and no document is dropped from memory: what the guard would catch is a finding. What
//! a document has taken in once can be stored, and loaded again.

use bytes::Bytes;

use crate::access::Pattern;
use crate::document::awareness::{Awareness, Effect, Holder, Input};
use crate::document::engine::{Cold as _, DocumentEngine as _, Insert, Shape};
use crate::document::guard::{Guard, GuardError, Loaded, Stored, check, draft, load};
use crate::document::lib0::Reader;
use crate::document::scan::{self, Limits};
use crate::document::sync::hocuspocus::{self, Frame, FromClient, FromServer};
use crate::document::sync::{Message, Sync, messages};
use crate::document::yjs::{YjsBytes, YjsDocument};
use crate::id::{ChannelName, Generation, NodeId, NodeName};

/// An update of a document, which a document takes in and bytes are merged with.
pub fn update(bytes: &[u8]) {
    let mut editor = Editor::new();
    if !editor.edits(bytes) {
        return;
    }
    editor.is_kept();
    let _ = YjsBytes::merge(&[YjsBytes::EMPTY, bytes, bytes], &Limits::CLIENT);
    if let Ok(vector) = YjsBytes::state_vector(bytes, &Limits::CLIENT) {
        let _ = YjsBytes::diff(bytes, &vector, &Limits::CLIENT);
        state_vector(&vector);
    }
}

/// Many updates of one document, each with its length before it.
pub fn edits(bytes: &[u8]) {
    let mut editor = Editor::new();
    for update in buffers(bytes) {
        editor.edits(update);
    }
    editor.is_kept();
}

/// A state vector, which a document and its bytes answer.
pub fn state_vector(bytes: &[u8]) {
    let Ok(clients) = scan::state_vector(bytes, &Limits::CLIENT) else {
        return;
    };
    assert!(clients <= Limits::CLIENT.clients);
    let mut document = document();
    let insert = Insert {
        index: None,
        text: "h😀üi".into(),
    };
    let whole = document.with(|engine| engine.insert_text("t", &[insert]));
    let whole = whole.expect("it is honest");
    let _ = document.with(|engine| engine.diff(bytes)).map_err(is_refusal);
    let _ = YjsBytes::diff(&whole, bytes, &Limits::CLIENT);
    let _ = YjsBytes::covers(bytes, &[0]);
}

/// Awareness messages of three connections by turns, each with its length before it; then one connection after the other leaves.
pub fn awareness(bytes: &[u8]) {
    let mut room = Room::new();
    for (at, states) in buffers(bytes).enumerate() {
        room.says(at as u64 % 3, states);
    }
    for connection in 0..3 {
        room.is_readable();
        room.turn(Input::Left(holder(connection)));
    }
    assert!(room.0.is_empty(), "nobody stays when all have left");
}

/// Frames of a client of y-websocket, each with its length before it.
pub fn yjs(bytes: &[u8]) {
    let mut editor = Editor::new();
    for frame in buffers(bytes) {
        for message in messages(frame) {
            let Ok(message) = message else {
                return;
            };
            let written = message.frame();
            assert_eq!(messages(&written).next(), Some(Ok(message)), "it survives the way back");
            match message {
                Message::Sync(step) => editor.syncs(step),
                Message::Awareness(states) => editor.room.says(0, states),
                Message::PermissionDenied(_) | Message::QueryAwareness => editor.room.is_readable(),
            }
        }
    }
    editor.is_kept();
}

/// Frames of a client of Hocuspocus, each with its length before it.
pub fn hocuspocus(bytes: &[u8]) {
    let mut editor = Editor::new();
    for frame in buffers(bytes) {
        let (address, message) = match hocuspocus::read(frame) {
            Ok(Frame::Message { address, message }) => (address, message),
            Ok(Frame::Ping | Frame::Pong) => continue,
            Err(_) => return,
        };
        let key = address.key();
        assert_eq!(hocuspocus::Address::parse(&key), address);
        let close = FromServer::Close("").frame(address);
        assert!(close.len() > key.len());
        match message {
            FromClient::Sync(step) | FromClient::SyncReply(step) => editor.syncs(step),
            FromClient::Awareness(states) => editor.room.says(0, states),
            FromClient::QueryAwareness => editor.room.is_readable(),
            FromClient::Token { .. } | FromClient::Stateless(_) | FromClient::Close => {}
        }
    }
    editor.is_kept();
}

/// A pattern on the first line, and names of channels on the others.
pub fn pattern(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut lines = text.split('\n');
    let Ok(pattern) = Pattern::parse(lines.next().unwrap_or_default()) else {
        return;
    };
    assert_eq!(Pattern::parse(&pattern.to_string()).as_ref(), Ok(&pattern));
    for name in lines.filter_map(|line| ChannelName::parse(line).ok()) {
        let matches = pattern.matches(&name);
        assert!(matches || !pattern.is_everything());
        if let Ok(itself) = Pattern::parse(name.as_str()) {
            assert!(itself.matches(&name), "{name} as a pattern matches itself");
        }
    }
}

/// One document, its editors, and the rows it is made of.
struct Editor {
    document: Guard<YjsDocument>,
    room: Room,
    taken: Vec<Vec<u8>>,
}

impl Editor {
    fn new() -> Self {
        Self {
            document: document(),
            room: Room::new(),
            taken: Vec::new(),
        }
    }

    /// Whether an update is taken in.
    fn edits(&mut self, update: &[u8]) -> bool {
        let _ = self.document.with(|engine| engine.has_news(update)).map_err(is_refusal);
        let is_taken = self.document.apply(update).map_err(is_refusal).is_ok();
        if is_taken {
            self.taken.push(update.to_vec());
        }
        is_taken
    }

    fn syncs(&mut self, step: Sync<'_>) {
        match step {
            Sync::Step1(vector) => {
                let _ = self.document.with(|engine| engine.diff(vector)).map_err(is_refusal);
            }
            Sync::Step2(update) | Sync::Update(update) => {
                self.edits(update);
            }
        }
    }

    /// Reads all of the document, and loads it from its rows and from a snapshot.
    fn is_kept(&mut self) {
        let read = self.document.with(|engine| {
            for part in engine.parts()? {
                for shape in [Shape::Text, Shape::Xml, Shape::Array, Shape::Map] {
                    engine.read(&part, shape)?;
                }
            }
            Ok(())
        });
        read.map_err(is_refusal).expect("a document can be read");
        let snapshot = draft(&mut self.document).map_err(is_refusal);
        let snapshot = snapshot.expect("a document can be written");
        check::<YjsDocument>(&snapshot, None).expect("what is written can be loaded");
        let rows = Stored {
            snapshot: None,
            updates: std::mem::take(&mut self.taken),
        };
        let whole = Stored {
            snapshot: Some(snapshot),
            updates: Vec::new(),
        };
        for stored in [rows, whole] {
            let loaded = load::<YjsDocument>(Some(&stored), 2, Limits::CLIENT);
            assert!(matches!(loaded, Loaded::Found(_)), "{loaded:?}");
        }
    }
}

/// Who is in a document.
struct Room(Awareness);

impl Room {
    const fn new() -> Self {
        Self(Awareness::new(Limits::CLIENT))
    }

    fn turn(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.0.handle(input, &mut effects);
        effects
    }

    fn says(&mut self, connection: u64, states: &[u8]) {
        let states = Bytes::copy_from_slice(states);
        self.turn(Input::Said {
            by: holder(connection),
            states,
        });
    }

    /// What somebody who asks is answered can be read, and says of everybody who is there.
    fn is_readable(&mut self) {
        let answer = self.turn(Input::Asked { by: holder(9) });
        let [Effect::Answer { states, .. }] = &answer[..] else {
            panic!("{answer:?}");
        };
        let limits = Limits {
            awareness_bytes: usize::MAX,
            ..Limits::CLIENT
        };
        let entries = scan::awareness(states, &limits).expect("it is what y-protocols writes");
        assert!(entries.len() >= self.0.len());
    }
}

fn document() -> Guard<YjsDocument> {
    Guard::new(YjsDocument::new(1, Limits::CLIENT))
}

fn holder(connection: u64) -> Holder {
    let name = NodeName::parse("a").expect("a name");
    let generation = Generation(1);
    Holder {
        gateway: NodeId { name, generation },
        connection,
    }
}

/// Buffers one after the other, as far as they are whole.
fn buffers(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || reader.buffer().ok())
}

/// A document may refuse what it is given. It may not be dropped for it.
fn is_refusal(error: GuardError) -> GuardError {
    match error {
        GuardError::Refused(_) => error,
        GuardError::Dropped(failure) => panic!("the document was dropped: {failure}"),
    }
}

#[cfg(test)]
mod tests;
