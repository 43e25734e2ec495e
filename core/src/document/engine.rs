//! What a document asks of a CRDT.
//!
//! An engine holds one document in memory: it belongs to one actor, is never shared and never waits. All that goes in and
//! comes out are bytes in the encoding of the CRDT; a *state vector* says how much of a document somebody has, a *diff*
//! is what somebody with a state vector lacks. [`Cold`] answers from stored bytes, without a document in memory.
//!
//! An engine is not called by itself but through [`Guard`](super::guard::Guard), which catches what the CRDT's library
//! throws.

use thiserror::Error;

use super::scan::{Flaw, Limits};

/// One document in memory.
pub trait DocumentEngine: Sized {
    /// The same CRDT on bytes alone.
    type Cold: Cold;

    /// An empty document. `dice` is 64 random bits, drawn anew for each document that is brought into memory: what the
    /// engine writes by itself carries an author made of them, and two engines with one author write two different things
    /// under one name (rule D6).
    fn new(dice: u64, limits: Limits) -> Self;

    /// What holds for updates from now on: a document in whole is larger than what a client may send.
    fn limit(&mut self, limits: Limits);

    /// Takes an update in.
    ///
    /// # Errors
    /// When it is refused, which changes nothing; or fails half-way, after which the document is not to be used.
    fn apply(&mut self, update: &[u8]) -> Result<Applied, EngineError>;

    /// Whether an update has anything that the document does not, without taking it in. What would wait is news.
    ///
    /// # Errors
    /// When it is refused.
    fn has_news(&self, update: &[u8]) -> Result<bool, EngineError>;

    /// How much of it is here.
    ///
    /// # Errors
    /// When the document is in use, which is a defect.
    fn state_vector(&self) -> Result<Vec<u8>, EngineError>;

    /// What somebody with this state vector lacks.
    ///
    /// # Errors
    /// When the state vector is refused.
    fn diff(&self, since: &[u8]) -> Result<Vec<u8>, EngineError>;

    /// Everything, as one update; without what is held.
    ///
    /// # Errors
    /// When the document is in use, which is a defect.
    fn encode(&self) -> Result<Vec<u8>, EngineError>;

    /// What refers to something that has not come, as updates. It is no part of the document and of no diff, but has to be
    /// stored beside it: it may be the only copy of an edit that is complete one day.
    fn held(&self) -> Vec<Vec<u8>>;

    /// One of the parts at its top, as text or as JSON; `None` when it has no part of this name, or none that is that.
    ///
    /// # Errors
    /// When the document is in use, which is a defect.
    fn read(&self, part: &str, shape: Shape) -> Result<Option<String>, EngineError>;

    /// The names of the parts at its top, sorted.
    ///
    /// # Errors
    /// When the document is in use, which is a defect.
    fn parts(&self) -> Result<Vec<String>, EngineError>;

    /// Puts texts into a text part, one after the other; the update that does it, which has at most [`Insert::bytes_max`] of each.
    ///
    /// # Errors
    /// When the part is no text, when it takes too long, or when the document takes no more clients; nothing was changed. Or when
    /// the document is in use, which is a defect.
    fn insert_text(&mut self, part: &str, inserts: &[Insert]) -> Result<Vec<u8>, EngineError>;

    /// The client that it writes as: another each time it is brought into memory.
    fn author(&self) -> u64;

    /// How large it is.
    fn size(&self) -> Size;
}

/// A document in its bytes.
pub trait Cold {
    /// The update that changes nothing.
    const EMPTY: &'static [u8];

    /// The state vector of somebody who has nothing.
    const NOTHING: &'static [u8];

    /// Whether a state vector is that of somebody who has nothing: the answer is what is stored, as it is.
    fn is_empty_state_vector(bytes: &[u8]) -> bool;

    /// One update out of many. They are merged as a tree, [`FAN_IN`] at a time: the cost of merging a long log in one call
    /// grows with its square.
    ///
    /// # Errors
    /// When one is refused.
    fn merge(updates: &[&[u8]], limits: &Limits) -> Result<Vec<u8>, EngineError>;

    /// What somebody with this state vector lacks of a stored update.
    ///
    /// # Errors
    /// When either is refused.
    fn diff(update: &[u8], since: &[u8], limits: &Limits) -> Result<Vec<u8>, EngineError>;

    /// How much of a document somebody has who has this update.
    ///
    /// # Errors
    /// When it is refused.
    fn state_vector(update: &[u8], limits: &Limits) -> Result<Vec<u8>, EngineError>;

    /// The edit that makes a document what it was before: `now` and `then` are all of it, at both times. `dice` are as those of
    /// [`DocumentEngine::new`].
    ///
    /// # Errors
    /// When either is refused, or the edit would make another document than it was.
    fn restore(now: &[u8], then: &[u8], dice: u64, limits: &Limits) -> Result<Vec<u8>, EngineError>;

    /// Whether one state vector has all that another has: what is stored may never lose anything (rule D2).
    ///
    /// # Errors
    /// When either is refused.
    fn covers(state_vector: &[u8], other: &[u8]) -> Result<bool, EngineError>;
}

/// Updates merged in one call: 1.5 µs for each update of a log of 260,000, against minutes for all at once.
pub const FAN_IN: usize = 32;

/// What an update has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// What is new of it, to be told to others.
    pub news: News,
    /// The document has something that waits for what has not come: whoever sent it is asked for the rest (rule D4).
    pub is_pending: bool,
}

/// What is new of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Nothing: all of it was here, or waits.
    Nothing,
    /// All of it, as it came.
    Whole,
    /// These updates: a part of it, or what had waited for it.
    Parts(Vec<Vec<u8>>),
}

/// How a part of a document is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text, without its formatting.
    Text,
    /// XML, as rich-text editors keep it.
    Xml,
    /// A JSON array.
    Array,
    /// A JSON object.
    Map,
}

/// A text that is put into a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insert {
    /// Where, as JavaScript counts in the text as it is then; at the end without one, or beyond it.
    pub index: Option<u32>,
    /// What.
    pub text: String,
}

impl Insert {
    /// Bytes that it takes in an update at most: its text, and where it is.
    #[must_use]
    pub const fn bytes_max(&self, part: &str) -> usize {
        self.text.len() + part.len() + 128
    }
}

/// How large a document in memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Clients that have written in it.
    pub clients: usize,
    /// Bytes of the updates it was made of since it was brought into memory.
    pub applied_bytes: u64,
    /// Blocks and deletions that wait for others.
    pub pending: usize,
    /// How often all that waited was let go, because one of it was nothing that a client makes.
    pub let_go: u64,
}

/// Why an engine could not do as it was asked.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The bytes are not what clients of this CRDT write, or are beyond a limit. Nothing was changed.
    #[error("the update {0}")]
    Refused(#[from] Flaw),
    /// The library refused bytes that had passed the scan. Nothing was changed.
    #[error("the update could not be decoded: {0}")]
    Undecodable(String),
    /// An update failed while it was taken in. What it did before stays: the document has to be loaded again.
    #[error("the update failed half-way: {0}; the document has to be loaded again")]
    HalfApplied(String),
    /// An update took something away that was there. The document has to be loaded again.
    #[error("the update made the state vector shrink; the document has to be loaded again")]
    Shrunk,
    /// Text is to be put into what is none.
    #[error("the part is no text: it holds values or elements; write into another, or send an update")]
    NoText,
    /// Texts at so many places would keep the document from everybody else for too long.
    #[error("texts at {places} places take too long in a document of this size; send {max} at most")]
    TooManyPlaces {
        /// At how many.
        places: usize,
        /// How many may be.
        max: usize,
    },
    /// Undoing what came since would not make the document what it was. Nothing was changed.
    #[error("the edit that goes back would make another document than it was, so nothing was changed; report it")]
    Unrestored,
    /// Somebody else uses the document at the same moment: there is a defect in the node.
    #[error("the document is in use elsewhere, which is a defect of the node; report it")]
    InUse,
}

impl EngineError {
    /// Whether the document in memory is not to be used any more.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Undecodable(_) | Self::NoText | Self::TooManyPlaces { .. } | Self::Unrestored => {
                false
            }
            Self::HalfApplied(_) | Self::Shrunk | Self::InUse => true,
        }
    }
}
