//! Going back to what a document was, by an edit that undoes all that came since.
//!
//! The document is brought into memory as it was, the rest of it is applied as one change, and that change is undone: what was
//! inserted is deleted, and what was deleted is inserted once more, in its place. What did not change meanwhile is not
//! touched, so cursors in it stay. Nothing of the log is rewritten, and this edit can be gone back from like any other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use yrs::undo::{self, UndoManager};
use yrs::{ClientID, Doc, OffsetKind, Options, ReadTxn as _, Transact as _, Update, WriteTxn as _};

use super::contents::contents;
use super::decode;
use crate::document::engine::EngineError;
use crate::document::lib0::SAFE_INTEGER_MAX;
use crate::document::scan::{self, Limits};

/// The update that makes a document what it was. Both are whole; `now` has all that `then` has.
pub(super) fn restore(now: &[u8], then: &[u8], dice: u64, limits: &Limits) -> Result<Vec<u8>, EngineError> {
    for whole in [now, then] {
        scan::update(whole, limits)?;
    }
    let doc = Doc::with_options(Options {
        offset_kind: OffsetKind::Utf16,
        // What is deleted has to be there to be inserted once more.
        skip_gc: true,
        ..Options::with_guid_and_client_id("".into(), ClientID::new(dice & SAFE_INTEGER_MAX))
    });
    apply(&doc, then, |_| {})?;
    let before = shown(&doc)?;
    let mut undoing = UndoManager::<()>::with_options(undo::Options {
        // All that is tracked is one change.
        timestamp: Arc::new(|| 0),
        ..undo::Options::default()
    });
    // It listens from the first type on that it is told of; which others there are shows when the rest is applied.
    undoing.expand_scope(&doc, &doc.get_or_insert_text(UNNAMED));
    apply(&doc, now, |transaction| {
        let names: Vec<_> = transaction.root_refs().map(|(name, _)| name.to_owned()).collect();
        for name in names {
            let part = transaction.get_or_insert_text(name);
            undoing.expand_scope(&doc, &part);
        }
    })?;
    let written = Arc::new(Mutex::new(Update::EMPTY_V1.to_vec()));
    let heard = Arc::clone(&written);
    doc.observe_update_v1("restore", move |_, event| {
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = event.update.clone();
    })
    .map_err(|_| EngineError::InUse)?;
    undoing.undo_blocking();
    if shown(&doc)? != before {
        return Err(EngineError::Unrestored);
    }
    let written = std::mem::take(&mut *written.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(written)
}

/// The name that a part has which was given none. Most documents have no such part.
const UNNAMED: &str = "";

fn apply(doc: &Doc, update: &[u8], then: impl FnOnce(&mut yrs::TransactionMut<'_>)) -> Result<(), EngineError> {
    let update = decode(update)?;
    let mut transaction = doc.try_transact_mut().map_err(|_| EngineError::InUse)?;
    transaction
        .apply_update(update)
        .map_err(|error| EngineError::Undecodable(error.to_string()))?;
    then(&mut transaction);
    Ok(())
}

fn shown(doc: &Doc) -> Result<BTreeMap<String, String>, EngineError> {
    let transaction = doc.try_transact().map_err(|_| EngineError::InUse)?;
    Ok(contents(&transaction))
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;
    use crate::document::engine::{Cold as _, DocumentEngine as _};
    use crate::document::golden::{self, Editors};
    use crate::document::yjs::{YjsBytes, YjsDocument};

    fn loaded(update: &[u8]) -> Doc {
        let doc = Doc::with_options(Options {
            offset_kind: OffsetKind::Utf16,
            ..Options::default()
        });
        apply(&doc, update, |_| {}).expect("it is whole");
        doc
    }

    fn same(one: &[u8], other: &[u8], what: &str) {
        assert_eq!(shown(&loaded(one)).unwrap(), shown(&loaded(other)).unwrap(), "{what}");
    }

    /// A document with the collector at work, as its owner has it.
    fn owned() -> YjsDocument {
        YjsDocument::new(77, Limits::STORED)
    }

    #[test]
    fn a_document_is_again_what_it_was_and_again_what_it_is() {
        for seed in 0..300 {
            let mut dice = SmallRng::seed_from_u64(seed);
            let mut editors = Editors::new(seed, 3);
            let mut owned = owned();
            let mut versions = Vec::new();
            for _ in 0..dice.random_range(1..40) {
                let update = match dice.random_bool(0.3) {
                    true => editors.hear(),
                    false => editors.edit(),
                };
                owned.apply(&update).expect("an honest update");
                if dice.random_bool(0.2) {
                    versions.push(owned.encode().expect("it is in memory"));
                }
            }
            for turn in 0..6 {
                if versions.is_empty() {
                    break;
                }
                let then = versions[dice.random_range(0..versions.len())].clone();
                let now = owned.encode().expect("it is in memory");
                let edit = YjsBytes::restore(&now, &then, dice.random(), &Limits::STORED)
                    .unwrap_or_else(|error| panic!("seed {seed}, turn {turn}: {error}"));
                owned.apply(&edit).expect("it is as honest as any");
                assert_eq!(owned.size().pending, 0, "seed {seed}: nothing of it waits");
                let restored = owned.encode().expect("it is in memory");
                same(&restored, &then, &format!("seed {seed}, turn {turn}"));
                // Nothing was lost of what there was.
                let (has, had) = (owned.state_vector().unwrap(), loaded(&now));
                let had = yrs::updates::encoder::Encode::encode_v1(&had.transact().state_vector());
                assert!(YjsBytes::covers(&has, &had).unwrap(), "seed {seed}, turn {turn}");
                versions.push(now);
            }
        }
    }

    #[test]
    fn what_did_not_change_is_not_touched() {
        let then = golden::yjs_of("text whole");
        let nothing = YjsBytes::restore(&then, &then, 5, &Limits::STORED).unwrap();
        assert_eq!(nothing, YjsBytes::EMPTY);
        let mut owned = owned();
        owned.apply(&then).unwrap();
        let insert = crate::document::engine::Insert {
            index: None,
            text: " and more".repeat(1_000),
        };
        owned.insert_text("t", &[insert]).unwrap();
        let edit = YjsBytes::restore(&owned.encode().unwrap(), &then, 5, &Limits::STORED).unwrap();
        assert!(edit.len() < 20, "{} bytes to delete one range", edit.len());
    }

    #[test]
    fn all_that_yjs_writes_is_gone_back_from() {
        let whole = golden::yjs().filter(|(name, _)| name.ends_with(" whole") && !name.starts_with("subdocument"));
        for (name, now) in whole {
            let edit = YjsBytes::restore(&now, YjsBytes::EMPTY, 5, &Limits::STORED).expect("it began with nothing");
            let mut owned = owned();
            owned.apply(&now).unwrap();
            owned.apply(&edit).unwrap();
            let emptied = owned.encode().unwrap();
            assert!(shown(&loaded(&emptied)).unwrap().is_empty(), "{name}");
            let back = YjsBytes::restore(&emptied, &now, 6, &Limits::STORED).expect("it was all that");
            owned.apply(&back).unwrap();
            same(&owned.encode().unwrap(), &now, &name);
        }
    }

    #[test]
    fn bytes_that_are_no_document_are_refused() {
        let whole = golden::yjs_of("text whole");
        for (now, then) in [(&whole[..], &[7, 7][..]), (&[7, 7], &whole)] {
            let refused = YjsBytes::restore(now, then, 5, &Limits::STORED);
            assert!(matches!(refused, Err(EngineError::Refused(_))), "{refused:?}");
        }
    }
}
