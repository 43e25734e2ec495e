//! Whether yrs can show something as what somebody takes it for.
//!
//! Where text stands among the entries of an array, yrs takes one character after the other and counts them as units: it waits
//! for ever for the second unit of one that has two. No client writes so. But a reader may take a text for an array, and whoever sends
//! bytes puts text where he likes; so this is looked at first, through all that would be shown.

use yrs::branch::{Branch, BranchPtr};
use yrs::{Array as _, ArrayRef, GetString as _, Map as _, MapRef, Out, ReadTxn, TextRef};

/// As an array, or as XML: its entries and attributes, and theirs.
pub(super) fn as_entries(part: &Branch, transaction: &impl ReadTxn) -> bool {
    let part = BranchPtr::from(part);
    let text = TextRef::from(part).get_string(transaction);
    text.chars().all(|character| character.len_utf16() == 1)
        && ArrayRef::from(part)
            .iter(transaction)
            .all(|entry| is_shown(&entry, transaction))
        && as_map(&part, transaction)
}

/// As a map: its values, and theirs.
pub(super) fn as_map(part: &Branch, transaction: &impl ReadTxn) -> bool {
    let map = MapRef::from(BranchPtr::from(part));
    map.iter(transaction).all(|(_, value)| is_shown(&value, transaction))
}

fn is_shown(value: &Out, transaction: &impl ReadTxn) -> bool {
    match value {
        Out::YArray(array) => as_entries(array.as_ref(), transaction),
        Out::YMap(map) => as_map(map.as_ref(), transaction),
        Out::YXmlElement(xml) => as_entries(xml.as_ref(), transaction),
        Out::YXmlFragment(xml) => as_entries(xml.as_ref(), transaction),
        // A text shows nothing that is in it but text.
        Out::YText(_) | Out::YXmlText(_) | Out::Any(_) | Out::YDoc(_) | Out::UndefinedRef(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use crate::document::engine::{DocumentEngine as _, Insert, Shape};
    use crate::document::golden;
    use crate::document::scan::Limits;
    use crate::document::yjs::YjsDocument;

    fn read(update: &[u8], part: &str, shape: Shape) -> Option<String> {
        let mut document = YjsDocument::new(7, Limits::CLIENT);
        document.apply(update).expect("it passes the scan");
        document.read(part, shape).expect("it ends")
    }

    #[test]
    fn a_text_that_is_taken_for_something_else_is_nothing_of_the_kind() {
        let text = golden::bytes("01 01 01 00 04 01 01 74 04 f0 9f 98 80 00");
        assert_eq!(read(&text, "t", Shape::Text).as_deref(), Some("😀"));
        assert_eq!(read(&text, "t", Shape::Array), None);
        assert_eq!(read(&text, "t", Shape::Xml), None);
        assert_eq!(read(&text, "t", Shape::Map).as_deref(), Some("{}"));
        let mut document = YjsDocument::new(7, Limits::CLIENT);
        let insert = Insert {
            index: None,
            text: "😀".into(),
        };
        document.insert_text("u", &[insert]).unwrap();
        assert_eq!(document.read("u", Shape::Array).unwrap(), None);
    }

    #[test]
    fn text_in_an_array_is_found_wherever_the_array_is() {
        // In an array in the part "a"; in an array that is the value "k" of the part "a".
        let in_array = golden::bytes("01 02 01 00 07 01 01 61 00 04 00 01 00 04 f0 9f 98 80 00");
        let in_map = golden::bytes("01 02 01 00 27 01 01 61 01 6b 00 04 00 01 00 04 f0 9f 98 80 00");
        assert_eq!(read(&in_array, "a", Shape::Array), None);
        assert_eq!(read(&in_array, "a", Shape::Xml), None);
        assert_eq!(read(&in_map, "a", Shape::Map), None);
        assert_eq!(read(&in_map, "a", Shape::Xml), None);
    }

    #[test]
    fn what_clients_write_is_shown_as_before() {
        for (name, part, shape, begins) in [
            ("array whole", "a", Shape::Array, "["),
            ("map whole", "m", Shape::Map, "{"),
            ("xml whole", "prosemirror", Shape::Xml, "<paragraph"),
        ] {
            let shown = read(&golden::yjs_of(name), part, shape);
            assert!(
                shown.is_some_and(|shown| shown.starts_with(begins) && shown.len() > 2),
                "{name}"
            );
        }
    }
}
