//! When this node learnt of something.

use std::time::{Duration, Instant};

/// A local annotation beside replicated state: each copy learns of an entry at another instant, so
/// it takes no part in comparing copies (two are always equal), and snapshots do not carry it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Learnt(pub(super) Instant);

impl PartialEq for Learnt {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Learnt {}

impl Learnt {
    /// Whether at least `age` has passed.
    pub(super) fn is_older(self, age: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.0) >= age
    }
}
