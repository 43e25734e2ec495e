//! Letting nodes in that dial.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::dial::{self, Arrived, DialError};
use super::links::Inner;

/// Lets nodes in, each in a task of its own, for as long as the socket is open.
pub(super) async fn accept(inner: Arc<Inner>) {
    let most = inner.settings.handshakes_max;
    let handshakes = Arc::new(Semaphore::new(most));
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
        let inner = Arc::clone(&inner);
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
            tracing::warn!(%from, %error, "a link was not taken");
            if let (DialError::Refused(refusal), Some((connection, send))) = (error, refused) {
                dial::refuse(connection, send, refusal).await;
            }
        });
    }
}
