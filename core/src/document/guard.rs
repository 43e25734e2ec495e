//! A document that may fail, and never takes the node with it.
//!
//! The CRDT's library was not written for hostile bytes. What it throws is caught here, and whatever was in memory then is
//! dropped: its transaction committed while the panic unwound, so nobody knows what it holds. The document has to be
//! loaded again, from rows that were stored before they were applied.
//!
//! Loading tells three things apart that look alike (rule D2): a document that *is not there*, one that is *empty*, and
//! one that *cannot be read*. Only the first may be created. The last is set aside until somebody looks at it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use thiserror::Error;

use super::engine::{Applied, Cold, DocumentEngine, EngineError};
use super::scan::Limits;

/// A document in memory, or the reason why there is none any more.
#[derive(Debug)]
pub struct Guard<E> {
    state: State<E>,
}

#[derive(Debug)]
enum State<E> {
    /// In memory.
    Sound(E),
    /// Dropped: it has to be loaded again.
    Dropped(Failure),
}

/// Why a document in memory was dropped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The CRDT's library panicked.
    #[error("the library of the CRDT panicked: {0}")]
    Panicked(String),
    /// It failed half-way, or took something away that was there.
    #[error("{0}")]
    Failed(String),
}

/// Why a call was not answered.
#[derive(Debug, Error)]
pub enum GuardError {
    /// The bytes are refused. The document is as it was.
    #[error(transparent)]
    Refused(EngineError),
    /// The document was dropped by this call or an earlier one: load it again. Bytes that drop it twice are the fault, not
    /// the document.
    #[error("the document was dropped from memory: {0}; load it again")]
    Dropped(Failure),
}

impl<E: DocumentEngine> Guard<E> {
    /// A document that was just made or loaded.
    #[must_use]
    pub const fn new(engine: E) -> Self {
        Self {
            state: State::Sound(engine),
        }
    }

    /// Takes an update in.
    ///
    /// # Errors
    /// When it is refused, or the document was dropped.
    pub fn apply(&mut self, update: &[u8]) -> Result<Applied, GuardError> {
        self.with(|engine| engine.apply(update))
    }

    /// Asks the engine, or has it do, something else.
    ///
    /// # Errors
    /// When it is refused, or the document was dropped.
    pub fn with<T>(&mut self, ask: impl FnOnce(&mut E) -> Result<T, EngineError>) -> Result<T, GuardError> {
        let engine = match &mut self.state {
            State::Sound(engine) => engine,
            State::Dropped(failure) => return Err(GuardError::Dropped(failure.clone())),
        };
        let failure = match catch_unwind(AssertUnwindSafe(|| ask(engine))) {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) if !error.is_fatal() => return Err(GuardError::Refused(error)),
            Ok(Err(fatal)) => Failure::Failed(fatal.to_string()),
            Err(panic) => Failure::Panicked(message(&*panic)),
        };
        let broken = std::mem::replace(&mut self.state, State::Dropped(failure.clone()));
        // What is broken may panic once more when it is dropped.
        if let Err(again) = catch_unwind(AssertUnwindSafe(move || drop(broken))) {
            std::mem::forget(again);
        }
        Err(GuardError::Dropped(failure))
    }

    /// Whether the document is in memory.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        matches!(self.state, State::Sound(_))
    }
}

/// What the store has of a document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stored {
    /// The newest snapshot, and the state vector that was stored with it.
    pub snapshot: Option<Snapshot>,
    /// The updates after it, in the order of their numbers.
    pub updates: Vec<Vec<u8>>,
}

/// A document in whole, as it was at some row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Everything, as one update.
    pub update: Vec<u8>,
    /// How much that is.
    pub state_vector: Vec<u8>,
    /// What refers to something that had not come: the rows it came in go with the others.
    pub held: Vec<Vec<u8>>,
}

/// What loading a document came to.
#[derive(Debug)]
pub enum Loaded<E> {
    /// The store knows no document of this name. It may be created.
    NotFound(Guard<E>),
    /// It is here; it may well be empty.
    Found(Guard<E>),
    /// It is there and cannot be read. It must not be created, written or shown as an empty one.
    Damaged(Quarantine),
}

/// Why a document is set aside.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{part} cannot be read: {reason}; the document is set aside until it is repaired")]
pub struct Quarantine {
    /// What of it.
    pub part: Part,
    /// Why.
    pub reason: String,
}

/// A part of a stored document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The snapshot.
    Snapshot,
    /// The update with this place among those after the snapshot, from 0 on.
    Update(usize),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot => f.write_str("the snapshot"),
            Self::Update(at) => write!(f, "update {at} after the snapshot"),
        }
    }
}

/// Brings a document into memory: the snapshot, and the rows after it in order. `stored` is `None` when the store knows no
/// such document; that it could not be asked is no such answer, and never comes here.
///
/// `dice` are those of [`DocumentEngine::new`]; `limits` hold for what clients send from now on.
pub fn load<E: DocumentEngine>(stored: Option<&Stored>, dice: u64, limits: Limits) -> Loaded<E> {
    let Some(stored) = stored else {
        return Loaded::NotFound(Guard::new(E::new(dice, limits)));
    };
    let mut guard = Guard::new(E::new(dice, Limits::STORED));
    let quarantine = |part, reason: String| Loaded::Damaged(Quarantine { part, reason });
    if let Some(snapshot) = &stored.snapshot {
        if let Err(error) = guard.apply(&snapshot.update) {
            return quarantine(Part::Snapshot, error.to_string());
        }
        let covers = guard.with(|engine| E::Cold::covers(&engine.state_vector()?, &snapshot.state_vector));
        match covers {
            Ok(true) => {}
            Ok(false) => return quarantine(Part::Snapshot, "it has less than its state vector says".to_owned()),
            Err(error) => return quarantine(Part::Snapshot, error.to_string()),
        }
        for held in &snapshot.held {
            if let Err(error) = guard.apply(held) {
                return quarantine(Part::Snapshot, error.to_string());
            }
        }
    }
    for (at, update) in stored.updates.iter().enumerate() {
        if let Err(error) = guard.apply(update) {
            return quarantine(Part::Update(at), error.to_string());
        }
    }
    if let State::Sound(engine) = &mut guard.state {
        engine.limit(limits);
    }
    Loaded::Found(guard)
}

/// A snapshot of a document, to be [checked](check) before it may take the place of the one that the document was loaded from.
///
/// # Errors
/// When the document was dropped.
pub fn draft<E: DocumentEngine>(guard: &mut Guard<E>) -> Result<Snapshot, GuardError> {
    let (update, state_vector, held) =
        guard.with(|engine| Ok((engine.encode()?, engine.state_vector()?, engine.held())))?;
    Ok(Snapshot {
        update,
        state_vector,
        held,
    })
}

/// Whether a snapshot may be stored: it can be loaded, and has all that the one before had, of which `before` is the state
/// vector. It costs a load, and is for a thread that nobody waits for.
///
/// # Errors
/// When it may not. What is stored stays as it is.
pub fn check<E: DocumentEngine>(snapshot: &Snapshot, before: Option<&[u8]>) -> Result<(), GuardError> {
    let mut again = Guard::new(E::new(0, Limits::STORED));
    again.apply(&snapshot.update)?;
    let covers = again.with(|engine| {
        let loaded = engine.state_vector()?;
        let all = E::Cold::covers(&loaded, &snapshot.state_vector)?;
        Ok(all && before.map_or(Ok(true), |before| E::Cold::covers(&loaded, before))?)
    })?;
    match covers {
        true => Ok(()),
        false => Err(GuardError::Refused(EngineError::Shrunk)),
    }
}

/// What a panic says.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}

#[cfg(test)]
mod tests;
