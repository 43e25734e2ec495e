//! A publisher: one message after the other on a schedule, whatever becomes of those before.

use std::sync::Arc;
use std::time::Duration;

use starling_client::{Client, PublishError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::history::{Event, Recorder};

/// Publishes until it is told to stop, and until everything has its outcome.
pub(super) async fn run(
    client: Client,
    name: String,
    channels: Vec<String>,
    period: Duration,
    recorder: Arc<Recorder>,
    mut stop: watch::Receiver<bool>,
) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut outcomes = JoinSet::new();
    for (number, channel) in (1_u64..).zip(channels.iter().cycle()) {
        tokio::select! {
            _stopped = stop.wait_for(|stop| *stop) => break,
            _tick = ticks.tick() => {}
        }
        let value = format!("{name}/{number}");
        recorder.note(Event::Invoke {
            client: name.clone(),
            channel: channel.clone(),
            value: value.clone(),
        });
        // Waits while 64 are without an outcome: so many a client may have, and then it is the application that waits.
        let enqueued = client.enqueue(channel.clone(), value.clone()).await;
        let (client, channel, recorder) = (name.clone(), channel.clone(), Arc::clone(&recorder));
        outcomes.spawn(async move {
            let outcome = match enqueued {
                Ok(pending) => pending.await,
                Err(error) => Err(error),
            };
            recorder.note(match outcome {
                Ok(published) => Event::Ok {
                    client,
                    channel,
                    value,
                    serial: published.serial,
                    epoch: published.position.epoch.as_ref().to_owned(),
                    seq: published.position.seq,
                    term: published.position.term,
                    copies: published.copies,
                    duplicate: published.duplicate,
                },
                Err(error) => Event::Fail {
                    client,
                    channel,
                    value,
                    error: error.to_string(),
                    may_stand: may_stand(&error),
                },
            });
        });
        while outcomes.try_join_next().is_some() {}
    }
    while outcomes.join_next().await.is_some() {}
}

/// Whether a message that failed may be in its channel: the client says of all other errors that it never will be.
fn may_stand(error: &PublishError) -> bool {
    match error {
        PublishError::Closed { sent, .. } => *sent,
        PublishError::Refused(_)
        | PublishError::TooLarge { .. }
        | PublishError::Invalid(_)
        | PublishError::TimedOut { .. } => false,
        _ => true,
    }
}
