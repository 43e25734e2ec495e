//! Documents that fail, and what is left of them.

use super::*;
use crate::document::engine::{Insert, News, Shape, Size};
use crate::document::golden::{self, Editors};
use crate::document::yjs::YjsDocument;

/// A snapshot, checked against the one before.
fn snapshot(guard: &mut Guard<YjsDocument>, before: Option<&Snapshot>) -> Result<Snapshot, GuardError> {
    let drafted = draft(guard)?;
    check::<YjsDocument>(&drafted, before.map(|before| &*before.state_vector))?;
    Ok(drafted)
}

/// An engine that does what its updates say.
#[derive(Debug)]
struct Fragile;

impl DocumentEngine for Fragile {
    type Cold = crate::document::yjs::YjsBytes;

    fn new(_dice: u64, _limits: Limits) -> Self {
        Self
    }

    fn limit(&mut self, _limits: Limits) {}

    fn apply(&mut self, update: &[u8]) -> Result<Applied, EngineError> {
        match update {
            b"panic" => panic!("as it was told"),
            b"half" => Err(EngineError::HalfApplied("an item has no parent".to_owned())),
            b"refuse" => Err(EngineError::Undecodable("no".to_owned())),
            _ => Ok(Applied {
                news: News::Whole,
                is_pending: false,
            }),
        }
    }

    fn has_news(&self, _update: &[u8]) -> Result<bool, EngineError> {
        Ok(true)
    }

    fn state_vector(&self) -> Result<Vec<u8>, EngineError> {
        Ok(vec![0])
    }

    fn diff(&self, _since: &[u8]) -> Result<Vec<u8>, EngineError> {
        Ok(vec![])
    }

    fn encode(&self) -> Result<Vec<u8>, EngineError> {
        Ok(vec![])
    }

    fn held(&self) -> Vec<Vec<u8>> {
        vec![]
    }

    fn read(&self, _part: &str, _shape: Shape) -> Result<Option<String>, EngineError> {
        panic!("cannot be read")
    }

    fn parts(&self) -> Result<Vec<String>, EngineError> {
        Ok(vec![])
    }

    fn insert_text(&mut self, _part: &str, _inserts: &[Insert]) -> Result<Vec<u8>, EngineError> {
        Ok(vec![])
    }

    fn author(&self) -> u64 {
        7
    }

    fn size(&self) -> Size {
        Size::default()
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "panics when it is dropped, too");
    }
}

#[test]
fn what_panicked_or_failed_half_way_is_gone() {
    for (update, failure) in [
        (&b"panic"[..], Failure::Panicked("as it was told".to_owned())),
        (
            b"half",
            Failure::Failed(EngineError::HalfApplied("an item has no parent".to_owned()).to_string()),
        ),
    ] {
        let mut guard = Guard::new(Fragile);
        assert!(matches!(guard.apply(b"refuse"), Err(GuardError::Refused(_))));
        assert!(guard.is_sound() && guard.apply(b"fine").is_ok());
        for _ in 0..2 {
            match guard.apply(update) {
                Err(GuardError::Dropped(told)) => assert_eq!(told, failure),
                other => panic!("{other:?}"),
            }
            assert!(!guard.is_sound());
        }
        assert!(matches!(guard.apply(b"fine"), Err(GuardError::Dropped(_))));
    }
}

#[test]
fn reading_may_fail_as_well() {
    let mut guard = Guard::new(Fragile);
    let read = guard.with(|engine| engine.read("a", Shape::Text));
    assert!(matches!(read, Err(GuardError::Dropped(Failure::Panicked(_)))));
}

fn loaded(stored: Option<&Stored>) -> Loaded<YjsDocument> {
    load(stored, 1, Limits::CLIENT)
}

#[test]
fn not_found_empty_and_damaged_are_three_things() {
    assert!(matches!(loaded(None), Loaded::NotFound(_)));
    assert!(matches!(loaded(Some(&Stored::default())), Loaded::Found(_)));
    let damaged = |stored: Stored| match loaded(Some(&stored)) {
        Loaded::Damaged(quarantine) => quarantine.part,
        other => panic!("{other:?}"),
    };
    let whole = golden::yjs_of("text whole");
    let spoiled = vec![0x83, 0xf7, 0xd9];
    let after = |updates: &[&[u8]]| Stored {
        snapshot: None,
        updates: updates.iter().map(|update| update.to_vec()).collect(),
    };
    assert_eq!(damaged(after(&[&whole, &spoiled])), Part::Update(1));
    assert_eq!(
        damaged(after(&[&[]])),
        Part::Update(0),
        "nothing at all is no empty update"
    );
    let snapshot = |update: &[u8], state_vector: &[u8]| Stored {
        snapshot: Some(Snapshot {
            update: update.to_vec(),
            state_vector: state_vector.to_vec(),
            held: vec![],
        }),
        updates: vec![],
    };
    assert_eq!(damaged(snapshot(&spoiled, &[0])), Part::Snapshot);
    assert_eq!(
        damaged(snapshot(&[0, 0], &[1, 1, 1])),
        Part::Snapshot,
        "it lost something"
    );
    assert_eq!(damaged(snapshot(&whole, &[9])), Part::Snapshot);
    assert!(matches!(loaded(Some(&snapshot(&whole, &[1, 1, 5]))), Loaded::Found(_)));
}

#[test]
fn what_is_loaded_may_be_larger_than_what_a_client_sends() {
    let limits = Limits {
        bytes: 40,
        ..Limits::CLIENT
    };
    let whole = golden::yjs_of("two clients");
    let stored = Stored {
        snapshot: None,
        updates: vec![whole.clone()],
    };
    assert!(whole.len() > limits.bytes);
    for stored in [None, Some(&stored)] {
        let (Loaded::NotFound(mut guard) | Loaded::Found(mut guard)) = load::<YjsDocument>(stored, 1, limits) else {
            panic!("it can be loaded");
        };
        assert!(matches!(guard.apply(&whole), Err(GuardError::Refused(_))));
    }
}

#[test]
fn a_snapshot_keeps_what_waits() {
    let mut guard = match loaded(None) {
        Loaded::NotFound(guard) => guard,
        other => panic!("{other:?}"),
    };
    // The second of two edits, and a deletion in it; then the first.
    assert!(guard.apply(&golden::yjs_of("text 1")).unwrap().is_pending);
    let snapshot = snapshot(&mut guard, None).unwrap();
    assert_eq!(snapshot.held.len(), 1);
    let stored = Stored {
        snapshot: Some(snapshot),
        updates: vec![golden::yjs_of("text 0")],
    };
    let Loaded::Found(mut again) = loaded(Some(&stored)) else {
        panic!("it can be loaded");
    };
    let text = again.with(|engine| engine.read("t", Shape::Text)).unwrap();
    assert_eq!(text.as_deref(), Some("h😀üi"));
}

#[test]
fn a_snapshot_has_all_that_was_there() {
    let mut editors = Editors::new(3, 3);
    let updates: Vec<_> = (0..40).map(|_| editors.edit()).collect();
    let stored = Stored {
        snapshot: None,
        updates: updates.clone(),
    };
    let Loaded::Found(mut guard) = loaded(Some(&stored)) else {
        panic!("it can be loaded");
    };
    let taken = snapshot(&mut guard, None).unwrap();
    let stored = Stored {
        snapshot: Some(taken.clone()),
        updates: vec![],
    };
    let Loaded::Found(mut again) = loaded(Some(&stored)) else {
        panic!("it can be loaded");
    };
    let text = |guard: &mut Guard<YjsDocument>| guard.with(|engine| engine.read("text", Shape::Text)).unwrap();
    assert_eq!(text(&mut guard), text(&mut again));
    assert!(
        updates
            .iter()
            .all(|update| !again.with(|engine| engine.has_news(update)).unwrap())
    );
    // An older document may not take its place.
    let Loaded::NotFound(mut empty) = loaded(None) else {
        panic!("there is none");
    };
    let shrunk = snapshot(&mut empty, Some(&taken));
    assert!(matches!(shrunk, Err(GuardError::Refused(EngineError::Shrunk))));
}
