//! Putting text into a part, as a program asks for it: at indexes as JavaScript counts them.

use yrs::branch::BranchPtr;
use yrs::types::text::YChange;
use yrs::{Doc, GetString as _, Map as _, MapRef, Out, ReadTxn, Text as _, TextRef, Transact as _, WriteTxn as _};

use crate::document::engine::{EngineError, Insert};

/// Blocks that are passed in one request. yrs looks for each place from the first block on: three million take a twentieth of a
/// second, for which the document keeps everybody else waiting.
const STEPS_MAX: u64 = 3_000_000;

/// Units of text that are moved in the time in which yrs passes a block.
const UNITS_PER_STEP: usize = 64;

/// Inserts texts, of which none is empty, one after the other; the update that does it. The document has so many blocks at most.
pub(super) fn insert(doc: &Doc, part: &str, inserts: &[Insert], blocks: u64) -> Result<Vec<u8>, EngineError> {
    let mut transaction = doc.try_transact_mut().map_err(|_| EngineError::InUse)?;
    let before = match transaction.get_text(part) {
        Some(text) => text_of(&text, &transaction)?,
        None => String::new(),
    };
    let places = places(inserts);
    let steps = blocks + (before.len() / UNITS_PER_STEP) as u64 + 1;
    let max = usize::try_from(STEPS_MAX / steps).unwrap_or(usize::MAX).max(1);
    if places.len() > max {
        let places = places.len();
        return Err(EngineError::TooManyPlaces { places, max });
    }
    let into = transaction.get_or_insert_text(part);
    let mut pairs = Pairs::of(before, into.len(&transaction), &places);
    for (index, text) in &places {
        let end = into.len(&transaction);
        let at = index.map_or(end, |index| pairs.outside(index.min(end)));
        pairs.inserted(at, text);
        into.insert(&mut transaction, at, text);
    }
    Ok(transaction.encode_update_v1())
}

/// What a part shows as text, if it is one: elements and values have been put into what is none.
fn text_of(part: &TextRef, transaction: &impl ReadTxn) -> Result<String, EngineError> {
    let text = part.get_string(transaction);
    let map = MapRef::from(BranchPtr::from(AsRef::<yrs::branch::Branch>::as_ref(part)));
    let is_text = match part.len(transaction) {
        _ if !text.is_empty() => true,
        0 => map.iter(transaction).next().is_none(),
        // Pictures and the like are no text, and are in one.
        _ => {
            let chunks = part.diff(transaction, YChange::identity);
            !chunks.is_empty() && chunks.iter().all(|chunk| matches!(chunk.insert, Out::Any(_)))
        }
    };
    match is_text {
        true => Ok(text),
        false => Err(EngineError::NoText),
    }
}

/// Texts by the place that each has to be looked for: one right behind the one before it has the same.
fn places(inserts: &[Insert]) -> Vec<(Option<u32>, String)> {
    let mut places: Vec<(Option<u32>, String)> = Vec::new();
    for Insert { index, text } in inserts.iter().filter(|insert| !insert.text.is_empty()) {
        if let Some((place, before)) = places.last_mut() {
            let behind = place.map(|at| u64::from(at) + before.encode_utf16().count() as u64);
            if behind == index.map(u64::from) {
                before.push_str(text);
                continue;
            }
        }
        places.push((*index, text.clone()));
    }
    places
}

/// Where a text has characters of two units, so that nothing is put between them: Yjs would make two of neither.
struct Pairs(Option<Vec<u16>>);

impl Pairs {
    /// Of a text with so many units, into which these are put.
    fn of(text: String, units: u32, places: &[(Option<u32>, String)]) -> Self {
        let has_pairs = |text: &str| text.chars().any(|character| character.len_utf16() > 1);
        let is_asked = places.iter().any(|(index, _)| index.is_some());
        if !is_asked || !(has_pairs(&text) || places.iter().any(|(_, text)| has_pairs(text))) {
            return Self(None);
        }
        let of_text: Vec<u16> = text.encode_utf16().collect();
        // Where pictures and the like are between them nobody knows which unit is which.
        Self(Some(of_text).filter(|of_text| of_text.len() == units as usize))
    }

    /// The index, or the next if that is between the two of a pair.
    fn outside(&self, index: u32) -> u32 {
        let Some(units) = &self.0 else {
            return index;
        };
        let (before, behind) = units.split_at((index as usize).min(units.len()));
        let is_inside =
            matches!(before.last(), Some(0xd800..=0xdbff)) && matches!(behind.first(), Some(0xdc00..=0xdfff));
        index + u32::from(is_inside)
    }

    fn inserted(&mut self, at: u32, text: &str) {
        if let Some(units) = &mut self.0 {
            let at = (at as usize).min(units.len());
            units.splice(at..at, text.encode_utf16());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::engine::{DocumentEngine as _, Shape};
    use crate::document::golden;
    use crate::document::scan::Limits;
    use crate::document::yjs::YjsDocument;

    fn at(index: impl Into<Option<u32>>, text: &str) -> Insert {
        Insert {
            index: index.into(),
            text: text.to_owned(),
        }
    }

    fn document() -> YjsDocument {
        YjsDocument::new(7, Limits::CLIENT)
    }

    fn read(document: &YjsDocument) -> String {
        let text = document.read("t", Shape::Text).expect("nobody uses it");
        text.expect("there is one")
    }

    #[test]
    fn what_goes_right_behind_is_one_text() {
        let all = [
            at(None, "a"),
            at(None, ""),
            at(None, "b"),
            at(2, "ü😀"),
            at(5, "d"),
            at(5, "e"),
        ];
        let places = places(&all);
        assert_eq!(
            places,
            [(None, "ab".into()), (Some(2), "ü😀d".into()), (Some(5), "e".into())]
        );
        let mut document = document();
        document.insert_text("t", &all).unwrap();
        assert_eq!(read(&document), "abü😀ed");
    }

    #[test]
    fn nothing_is_put_between_the_two_units_of_a_character() {
        let mut document = document();
        document.insert_text("t", &[at(None, "a😀b")]).unwrap();
        document.insert_text("t", &[at(2, "|")]).unwrap();
        assert_eq!(read(&document), "a😀|b");
        document
            .insert_text("t", &[at(0, "🦜"), at(1, "x"), at(99, "!")])
            .unwrap();
        assert_eq!(read(&document), "🦜xa😀|b!");
    }

    #[test]
    fn what_is_no_text_takes_none() {
        for (name, part) in [("array whole", "a"), ("map whole", "m"), ("xml whole", "prosemirror")] {
            let mut document = document();
            document.apply(&golden::yjs_of(name)).unwrap();
            let before = document.encode().unwrap();
            let refused = document.insert_text(part, &[at(0, "x")]);
            assert!(matches!(refused, Err(EngineError::NoText)), "{name}: {refused:?}");
            assert_eq!(document.encode().unwrap(), before, "{name}");
            document.insert_text("beside", &[at(0, "x")]).unwrap();
        }
    }

    #[test]
    fn places_are_as_many_as_take_a_moment() {
        let mut document = document();
        // Each character is a block of its own: every other is deleted.
        let doc = Doc::with_client_id(9);
        let text = doc.get_or_insert_text("t");
        text.insert(&mut doc.transact_mut(), 0, &"ab".repeat(30_000));
        for pair in (0..30_000).rev() {
            text.remove_range(&mut doc.transact_mut(), 2 * pair, 1);
        }
        let update = doc.transact().encode_state_as_update_v1(&yrs::StateVector::default());
        document.apply(&update).unwrap();
        let many: Vec<_> = (0..1_000).map(|number| at(2 * number, "x")).collect();
        let Err(EngineError::TooManyPlaces { places: 1_000, max }) = document.insert_text("t", &many) else {
            panic!("it would take too long");
        };
        assert!((10..100).contains(&max), "{max}");
        document.insert_text("t", &many[..max]).unwrap();
        let behind: Vec<_> = (0..1_000).map(|_| at(None, "x")).collect();
        document.insert_text("t", &behind).unwrap();
        assert!(document.insert_text("t", &many[..1]).is_ok());
    }
}
