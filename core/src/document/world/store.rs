//! The rows of the document and its newest snapshot.

use bytes::Bytes;

use crate::document::engine::{DocumentEngine as _, News, Shape};
use crate::document::guard::{Guard, Loaded, Snapshot, Stored, load};
use crate::document::log::{Input, Row};
use crate::document::owner::{Found, Writer};
use crate::document::scan::Limits;
use crate::document::yjs::YjsDocument;

pub(super) struct Store {
    /// All rows there ever were: row n is at n - 1.
    rows: Vec<Bytes>,
    snapshot: Option<(u64, Snapshot)>,
    pub(super) is_away: bool,
    /// All that was ever written, to ask whether something was.
    written: Guard<YjsDocument>,
}

pub(super) enum Appended {
    Written,
    Taken,
    Away,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            rows: Vec::new(),
            snapshot: None,
            is_away: false,
            written: Guard::new(YjsDocument::new(1, Limits::STORED)),
        }
    }

    pub(super) fn append(&mut self, rows: Vec<Row>) -> Appended {
        if rows.first().is_some_and(|row| row.n != self.rows.len() as u64 + 1) {
            return Appended::Taken;
        }
        for row in rows {
            self.written.apply(&row.update).expect("it can be applied");
            self.rows.push(row.update);
        }
        Appended::Written
    }

    pub(super) fn put(&mut self, through: u64, snapshot: Snapshot) {
        if self.snapshot.as_ref().is_none_or(|(before, _)| *before < through) {
            self.snapshot = Some((through, snapshot));
        }
    }

    pub(super) fn read(&self, after: u64) -> Input<Writer> {
        let snapshot = self.snapshot.as_ref().filter(|(through, _)| *through > after);
        let from = snapshot.map_or(after, |(through, _)| *through);
        Input::Read {
            snapshot: snapshot.map(|(through, snapshot)| {
                let parts = std::iter::once(&snapshot.update).chain(&snapshot.held);
                (*through, parts.map(|part| part.clone().into()).collect())
            }),
            rows: self.tail(from).collect(),
        }
    }

    fn tail(&self, after: u64) -> impl Iterator<Item = Row> {
        let rows = (1..).zip(&self.rows).skip(usize::try_from(after).expect("few rows"));
        rows.map(|(n, update)| Row {
            n,
            update: update.clone(),
        })
    }

    pub(super) fn found(&self, dice: u64) -> Found<YjsDocument> {
        let through = self.snapshot.as_ref().map_or(0, |(through, _)| *through);
        let tail: Vec<_> = self.tail(through).collect();
        let stored = Stored {
            snapshot: self.snapshot.as_ref().map(|(_, snapshot)| snapshot.clone()),
            updates: tail.iter().map(|row| row.update.to_vec()).collect(),
        };
        Found {
            document: load(Some(&stored).filter(|_| !self.rows.is_empty()), dice, Limits::CLIENT),
            snapshot: self
                .snapshot
                .as_ref()
                .map(|(n, snapshot)| (*n, snapshot.state_vector.clone())),
            tail: tail.iter().map(|row| (row.n, row.update.len())).collect(),
        }
    }

    /// What somebody sees who loads the document now.
    pub(super) fn text(&self) -> String {
        let (Loaded::Found(mut guard) | Loaded::NotFound(mut guard)) = self.found(1).document else {
            panic!("it can be loaded");
        };
        let text = guard
            .with(|engine| engine.read("t", Shape::Text))
            .expect("it can be read");
        text.expect("there is something in it")
    }

    /// Whether an update was written, or is held there until it can be applied.
    pub(super) fn has(&mut self, update: &[u8]) -> bool {
        let pending = |guard: &mut Guard<YjsDocument>| guard.with(|engine| Ok(engine.size().pending)).expect("a size");
        let before = pending(&mut self.written);
        let applied = self.written.apply(update).expect("it can be applied");
        applied.news == News::Nothing && pending(&mut self.written) == before
    }
}
