//! What does not hold: collected, so that an operator sees all of it at once.

use std::fmt::Display;
use std::time::Duration;

/// Values that do not go together, or one that is out of bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The keys it takes to see it.
    pub keys: Vec<String>,
    /// What does not hold, and what to change.
    pub message: String,
}

/// What does not hold, collected.
#[derive(Default)]
pub(super) struct Found(pub(super) Vec<Conflict>);

impl Found {
    pub(super) fn add(&mut self, keys: &[&str], message: String) {
        self.0.push(Conflict {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            message,
        });
    }

    pub(super) fn unless(&mut self, holds: bool, keys: &[&str], message: &str) {
        if !holds {
            self.add(keys, message.to_owned());
        }
    }

    pub(super) fn between<T: PartialOrd + Display>(&mut self, keys: &[&str], value: T, least: T, most: T) {
        if value < least || value > most {
            self.add(keys, format!("must be between {least} and {most}, and is {value}"));
        }
    }

    pub(super) fn between_times(&mut self, key: &str, value: Duration, least: Duration, most: Duration) {
        if value < least || value > most {
            self.add(
                &[key],
                format!("must be between {least:?} and {most:?}, and is {value:?}"),
            );
        }
    }
}

/// The same for one entry of a list of tables.
pub(super) struct At<'a> {
    list: &'static str,
    index: usize,
    found: &'a mut Found,
}

impl<'a> At<'a> {
    pub(super) const fn new(list: &'static str, index: usize, found: &'a mut Found) -> Self {
        Self { list, index, found }
    }

    pub(super) fn unless(&mut self, holds: bool, keys: &[&str], message: &str) {
        self.push(holds, keys, None, message);
    }

    pub(super) fn unless_with(&mut self, holds: bool, keys: &[&str], elsewhere: &str, message: &str) {
        self.push(holds, keys, Some(elsewhere), message);
    }

    fn push(&mut self, holds: bool, keys: &[&str], elsewhere: Option<&str>, message: &str) {
        if !holds {
            let own = keys.iter().map(|key| format!("{}[{}].{key}", self.list, self.index));
            let keys = own.chain(elsewhere.map(str::to_owned)).collect();
            self.found.0.push(Conflict {
                keys,
                message: message.to_owned(),
            });
        }
    }
}
