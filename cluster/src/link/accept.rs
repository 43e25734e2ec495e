//! Letting nodes in that dial.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::dial::{self, Arrived, DialError};
use super::links::Inner;

/// How often links that were not taken for one reason are told of. A flood is told by the metric.
const REFUSAL_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Lets nodes in, each in a task of its own, for as long as the socket is open.
pub(super) async fn accept(inner: Arc<Inner>) {
    let most = inner.settings.handshakes_max;
    let handshakes = Arc::new(Semaphore::new(most));
    let refusals = Arc::<Refusals>::default();
    while let Some(incoming) = inner.endpoint.accept().await {
        let is_crowded = handshakes.available_permits() <= most / 2;
        if is_crowded && !incoming.remote_address_validated() {
            // Addresses that were made up never take the second half. A retry that cannot be sent is asked for again.
            let _ = incoming.retry();
            continue;
        }
        let Ok(permit) = Arc::clone(&handshakes).try_acquire_owned() else {
            inner.instruments.limit_reached("cluster.handshakes");
            incoming.refuse();
            continue;
        };
        let (inner, refusals) = (Arc::clone(&inner), Arc::clone(&refusals));
        tokio::spawn(async move {
            let _permit = permit;
            let from = incoming.remote_address();
            let (error, refused) = match dial::greet(incoming, &inner.agreement, &inner.me).await {
                Ok(arrived) => match inner.admit(arrived) {
                    Ok(()) => return,
                    Err(refused) => {
                        let (refusal, Arrived { met, .. }) = *refused;
                        (DialError::Refused(refusal), Some((met.connection, met.streams.0)))
                    }
                },
                Err(failed) => failed,
            };
            inner.instruments.link_handshake(error.name());
            if refusals.is_due(error.name(), Instant::now()) {
                tracing::warn!(%from, %error, "a link was not taken");
            } else {
                tracing::debug!(%from, %error, "a link was not taken");
            }
            if let (DialError::Refused(refusal), Some((connection, send))) = (error, refused) {
                dial::refuse(connection, send, refusal).await;
            }
        });
    }
}

/// When links that were not taken were last told of, by reason. There are as many reasons as the code names.
#[derive(Default)]
struct Refusals(Mutex<BTreeMap<&'static str, Instant>>);

impl Refusals {
    /// Whether one for this reason is told of now.
    fn is_due(&self, reason: &'static str, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = told.get(reason);
        let is_due = last.is_none_or(|last| now.saturating_duration_since(*last) >= REFUSAL_LOG_INTERVAL);
        if is_due {
            told.insert(reason, now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once_in_a_while_and_another_at_once() {
        let (refusals, began) = (Refusals::default(), Instant::now());
        let after = |reason, seconds| refusals.is_due(reason, began + Duration::from_secs(seconds));
        assert!(after("untrusted", 0) && !after("untrusted", 9));
        assert!(after("cluster", 9), "another reason");
        assert!(after("untrusted", 10) && !after("untrusted", 19));
    }
}
