//! What is due by time of channels that nobody has open.
//!
//! A channel that is open is looked after by its slot. One that is not costs no memory; the store knows
//! when to look at it, and this task asks. The channel is opened for it, drops what is too old, and
//! retires again.

use std::sync::Arc;
use std::time::Duration;

use starling_core::time::WallTime;

use super::Store;
use crate::actor::channel::Message;
use crate::actor::registry::Registry;

/// How often the store is asked. Ages are minutes and more, and are kept somewhat late anyhow.
const PERIOD: Duration = Duration::from_secs(10);

/// Channels opened for it at once: more would crowd out those that somebody uses.
const CHANNELS_MAX: u32 = 64;

/// How long a channel has to look before it is told again. It says itself when it retires.
const AGAIN: Duration = Duration::from_secs(300);

/// Sweeps until the task is stopped.
pub async fn run(registry: Registry, store: Arc<dyn Store>) {
    loop {
        let now = registry.services().clock.now().wall;
        let again = u64::try_from(AGAIN.as_millis()).unwrap_or(u64::MAX);
        let due = store
            .due(now, WallTime(now.0.saturating_add(again)), CHANNELS_MAX)
            .await;
        let found = due.as_ref().map_or(0, Vec::len);
        for channel in due.into_iter().flatten() {
            let _ = registry.channel(&channel).post_single(Message::Due); // one that is gone is told next time
        }
        if found < CHANNELS_MAX as usize {
            tokio::time::sleep(PERIOD).await;
        } else {
            tokio::time::sleep(PERIOD / 10).await;
        }
    }
}
