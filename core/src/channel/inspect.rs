//! Looking at a channel without following it.
//!
//! Whoever asks over HTTP has no session that messages could be delivered to: it is told where the
//! channel stands, and reads messages ([`Range`](super::Range)) or values a page at a time. Each
//! answer is of one instant and says which; what happened since is read after its position.

use std::ops::Bound;
use std::sync::Arc;

use super::keys::Keys;
use super::message::Message;
use super::view::View;
use crate::id::{Key, Position, Seq};

/// What somebody wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Where the channel stands.
    Description,
    /// The values of a keyed channel.
    Values(Selection),
}

/// Which values are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Those whose keys come after this one; `None` for all.
    pub after: Option<Key>,
    /// No more bytes than this, but always one value if there is one.
    pub bytes_max: u64,
    /// No more values than this; 0 is read as 1.
    pub values_max: usize,
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inspection {
    /// Where the channel stands.
    Description(Description),
    /// Values, in the order of their keys. None on a channel without keys.
    Values(Selected),
}

/// Where a channel stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The newest message.
    pub head: Position,
    /// The oldest message that can be read back; one after the head when none can.
    pub first: Seq,
    /// How many can.
    pub messages: usize,
    /// Their weight.
    pub bytes: u64,
    /// How many keys have a value; `None` on a channel without keys.
    pub keys: Option<usize>,
}

/// Some values of a keyed channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// They are what holds at this position.
    pub at: Position,
    /// The message that set each.
    pub values: Vec<Arc<Message>>,
    /// Whether there are others after the last key.
    pub more: bool,
}

impl View {
    /// The answer to `question`.
    pub(super) fn inspect(&self, question: &Question) -> Inspection {
        match question {
            Question::Description => Inspection::Description(Description {
                head: self.head_position(),
                first: self.history().floor(),
                messages: self.history().len(),
                bytes: self.history().bytes(),
                keys: self.is_keyed().then(|| self.keys().len()),
            }),
            Question::Values(selection) => {
                let (values, more) = self.keys().page(selection);
                let at = self.head_position();
                Inspection::Values(Selected { at, values, more })
            }
        }
    }
}

impl Keys {
    /// The selected values, and whether others follow them.
    fn page(&self, selection: &Selection) -> (Vec<Arc<Message>>, bool) {
        let after = selection.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut left = selection.bytes_max;
        let mut values = Vec::new();
        for message in self.values_after(after) {
            let rest = left.checked_sub(message.weight());
            if values.len() >= selection.values_max.max(1) || (rest.is_none() && !values.is_empty()) {
                return (values, true);
            }
            left = rest.unwrap_or(0);
            values.push(Arc::clone(message));
        }
        (values, false)
    }
}
