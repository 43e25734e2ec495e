//! All that a document shows, in words that are the same whenever it shows the same: values of maps and attributes have no order,
//! so they are put into one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use yrs::branch::{Branch, BranchPtr};
use yrs::types::text::YChange;
use yrs::{Any, Array as _, ArrayRef, GetString as _, Map as _, MapRef, Out, ReadTxn, Text as _, TextRef};

/// What each part at its top shows; those that show nothing are left out.
pub(super) fn contents(transaction: &impl ReadTxn) -> BTreeMap<String, String> {
    let parts = transaction.root_refs().filter_map(|(name, part)| {
        let mut words = String::new();
        inside(part.try_branch()?, transaction, &mut words);
        (words != NOTHING).then(|| (name.to_owned(), words))
    });
    parts.collect()
}

/// What a type is that shows nothing.
const NOTHING: &str = "[]{}";

/// What a type holds, whatever it is: text with its formatting, or entries; and values under keys.
fn inside(holder: &Branch, transaction: &impl ReadTxn, words: &mut String) {
    let holder = BranchPtr::from(holder);
    let text = TextRef::from(holder);
    words.push('[');
    // One of the two, or types in each other would be told twice at each step.
    if text.get_string(transaction).is_empty() {
        for entry in ArrayRef::from(holder).iter(transaction) {
            value(&entry, transaction, words);
            words.push(',');
        }
    } else {
        for chunk in text.diff(transaction, YChange::identity) {
            value(&chunk.insert, transaction, words);
            let attributes = chunk.attributes.into_iter().flat_map(|attributes| *attributes);
            sorted(
                attributes.map(|(name, attribute)| (name.to_string(), attribute)),
                any,
                words,
            );
            words.push(',');
        }
    }
    words.push(']');
    let values = MapRef::from(holder);
    let values = values.iter(transaction).map(|(key, value)| (key.to_owned(), value));
    sorted(values, |one, words| value(one, transaction, words), words);
}

fn value(shown: &Out, transaction: &impl ReadTxn, words: &mut String) {
    match shown {
        Out::Any(plain) => any(plain, words),
        Out::YXmlElement(element) => {
            words.push_str(element.tag());
            inside(element.as_ref(), transaction, words);
        }
        other => match other.try_branch() {
            Some(holder) => inside(holder, transaction, words),
            None => words.push('?'),
        },
    }
}

fn any(plain: &Any, words: &mut String) {
    match plain {
        Any::Map(map) => {
            let entries = map.iter().map(|(key, value)| (key.clone(), value.clone()));
            sorted(entries, any, words);
        }
        Any::Array(entries) => entries.iter().for_each(|entry| {
            any(entry, words);
            words.push(';');
        }),
        other => _ = write!(words, "{other:?}"), // a string takes whatever is written
    }
}

fn sorted<V>(entries: impl Iterator<Item = (String, V)>, tell: impl Fn(&V, &mut String), words: &mut String) {
    words.push('{');
    for (key, value) in entries.collect::<BTreeMap<_, _>>() {
        let _ = write!(words, "{key:?}:"); // a string takes whatever is written
        tell(&value, words);
        words.push(',');
    }
    words.push('}');
}
