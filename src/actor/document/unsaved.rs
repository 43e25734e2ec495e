//! How many documents that this node owns have edits which the store has not: a node that stops waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::node::Services;

/// How long a node that stops waits. A commit takes milliseconds; a store that is away is not waited for: nobody was told that
/// these edits are saved, and their editors keep them.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Documents with such edits.
#[derive(Debug, Default)]
pub struct Unsaved(AtomicUsize);

impl Unsaved {
    /// Waits until there are none, or for as long as a node that stops can.
    pub async fn saved(&self) {
        let until = Instant::now() + WAIT_MAX;
        loop {
            match self.0.load(Ordering::Relaxed) {
                0 => return,
                documents if Instant::now() >= until => {
                    return tracing::warn!(
                        documents,
                        "stopping with edits that are not in the store: their editors were not told that they are saved, and send them again"
                    );
                }
                _ => sleep(LOOK).await,
            }
        }
    }
}

/// One document's part in it, for as long as it has such edits.
pub(super) struct Mark(Arc<Services>);

impl Mark {
    pub(super) fn new(services: &Arc<Services>) -> Self {
        services.unsaved.0.fetch_add(1, Ordering::Relaxed);
        services.metrics.document_unsaved(true);
        Self(Arc::clone(services))
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.0.unsaved.0.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.document_unsaved(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_node_waits_for_edits_but_not_for_ever() {
        let begun = Instant::now();
        let unsaved = Arc::new(Unsaved::default());
        unsaved.saved().await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        unsaved.0.store(2, Ordering::Relaxed);
        let later = Arc::clone(&unsaved);
        tokio::spawn(async move {
            sleep(Duration::from_secs(1)).await;
            later.0.store(0, Ordering::Relaxed);
        });
        unsaved.saved().await;
        assert!((1_000..1_100).contains(&begun.elapsed().as_millis()));
        unsaved.0.store(1, Ordering::Relaxed);
        unsaved.saved().await;
        assert!((4_000..4_200).contains(&begun.elapsed().as_millis()));
    }
}
