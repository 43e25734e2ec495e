//! Updates that made the CRDT's library fail.
//!
//! What fails once may be the library's doing, or that of the document as it was. The document is loaded again then, and
//! whoever sent the update sends it again. The same bytes a second time are the fault, and are refused before the library
//! sees them; nobody else is to suffer for them again.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// How many are remembered. Each needs somebody with the right to write who has found a new fault in the library.
const SUSPECTS_MAX: usize = 16;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Suspects(VecDeque<u64>);

impl Suspects {
    /// The library failed over this update.
    pub(super) fn add(&mut self, update: &[u8]) {
        if self.0.len() == SUSPECTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(hash(update));
    }

    /// Whether it has failed over it twice.
    pub(super) fn is_guilty(&self, update: &[u8]) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let hash = hash(update);
        self.0.iter().filter(|other| **other == hash).count() >= 2
    }
}

fn hash(update: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    update.hash(&mut hasher);
    hasher.finish()
}
