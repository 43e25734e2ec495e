//! The answer that a batch is owed.

use starling_core::slot::StoreFailure;

use super::Done;

/// Tells once what became of a batch. If whoever writes fails before, nobody knows: then it tells that.
pub(super) struct Promise(Option<Done>);

impl Promise {
    pub(super) const fn new(done: Done) -> Self {
        Self(Some(done))
    }

    pub(super) fn keep(mut self, outcome: Result<(), StoreFailure>) {
        if let Some(done) = self.0.take() {
            done(outcome);
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done(Err(StoreFailure::Unavailable));
        }
    }
}
