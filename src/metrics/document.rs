//! What documents count.

use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use super::Metrics;

/// The histogram of how long the store takes for edits, and its bounds in seconds: they are those of publishes.
pub(super) const SAVE_SECONDS: &str = "starling_document_save_seconds";

/// What every edit touches.
pub(super) struct Instruments {
    open: [Gauge; 2],
    editors: Gauge,
    unsaved: Gauge,
    saved: Counter,
    save_seconds: Histogram,
}

/// Where a document is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentPart {
    /// At this node as its owner.
    Owner,
    /// At this node because somebody edits it here.
    Gateway,
}

impl Instruments {
    pub(super) fn new() -> Self {
        let open = |part| gauge!("starling_documents_open", "part" => part);
        Self {
            open: ["owner", "gateway"].map(open),
            editors: gauge!("starling_document_editors"),
            unsaved: gauge!("starling_documents_unsaved"),
            saved: counter!("starling_document_edits_saved_total"),
            save_seconds: histogram!(SAVE_SECONDS),
        }
    }
}

impl Metrics {
    /// The actor of a document has started, or ended.
    pub fn document_open(&self, part: DocumentPart, is_open: bool) {
        let gauge = &self.hot.document.open[part as usize];
        match is_open {
            true => gauge.increment(1.0),
            false => gauge.decrement(1.0),
        }
    }

    /// A document that this node owns has edits that are not in the store, or has none any more.
    pub fn document_unsaved(&self, is_unsaved: bool) {
        let gauge = &self.hot.document.unsaved;
        match is_unsaved {
            true => gauge.increment(1.0),
            false => gauge.decrement(1.0),
        }
    }

    /// An editor has opened a document, or is gone.
    pub fn document_edited(&self, is_open: bool) {
        let gauge = &self.hot.document.editors;
        match is_open {
            true => gauge.increment(1.0),
            false => gauge.decrement(1.0),
        }
    }

    /// The store has committed edits of a document that went to it together.
    pub fn edits_saved(&self, edits: usize, took: Duration) {
        self.hot.document.saved.increment(edits as u64);
        self.hot.document.save_seconds.record(took);
    }

    /// Something of an editor was not taken; `code` is the name that clients are told.
    pub fn edit_refused(&self, code: &'static str) {
        counter!("starling_document_refused_total", "code" => code).increment(1);
    }
}

pub(super) fn describe() {
    describe_gauge!(
        "starling_documents_open",
        "Documents whose actors run: as their owner, and because somebody edits them here."
    );
    describe_gauge!(
        "starling_document_editors",
        "Connections to this node that have a document open, once for each."
    );
    describe_gauge!(
        "starling_documents_unsaved",
        "Documents that this node owns with edits that are not in the store."
    );
    describe_counter!(
        "starling_document_edits_saved_total",
        "Edits that the store has committed."
    );
    describe_histogram!(
        SAVE_SECONDS,
        "How long the store took for edits of a document that went to it together."
    );
    describe_counter!(
        "starling_document_refused_total",
        "Edits, awareness messages and state vectors that were not taken, by the code that their editors were told."
    );
}
