//! Emptying the trash: what was replaced or deleted a day ago is deleted for good, some rows at a time.

use std::time::Duration;

use starling_core::time::WallTime;

use super::Documents;

/// How often the store is asked when there was nothing to do. What is kept for a day may be kept a minute more.
const PERIOD: Duration = Duration::from_secs(60);

/// How long other writes have the store to themselves between two steps.
const PAUSE: Duration = Duration::from_millis(20);

/// Sweeps until the task is stopped.
pub async fn run(documents: Documents, now: impl Fn() -> WallTime + Send) {
    loop {
        let pause = match documents.sweep(now()).await {
            Ok(true) => PAUSE,
            // A store that cannot now has said so, and is asked again.
            Ok(false) | Err(_) => PERIOD,
        };
        tokio::time::sleep(pause).await;
    }
}
