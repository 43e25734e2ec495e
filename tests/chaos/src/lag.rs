//! Whether the machine had time for us: on one that is busy with something else, gaps are the machine's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// How often this process looks whether it is woken in time.
const LOOK: Duration = Duration::from_millis(10);

/// How late this process is woken.
pub(crate) struct Lag {
    most: Arc<AtomicU64>,
    watching: JoinHandle<()>,
}

impl Lag {
    pub(crate) fn watch() -> Self {
        let most = Arc::new(AtomicU64::new(0));
        let noted = Arc::clone(&most);
        let watching = tokio::spawn(async move {
            loop {
                let due = Instant::now() + LOOK;
                sleep(LOOK).await;
                let late = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
                noted.fetch_max(late, Ordering::Relaxed);
            }
        });
        Self { most, watching }
    }

    pub(crate) fn most_ms(&self) -> f64 {
        (self.most.load(Ordering::Relaxed) / 10) as f64 / 100.0
    }
}

impl Drop for Lag {
    fn drop(&mut self) {
        self.watching.abort();
    }
}
