//! A reader of one channel.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use starling_client::{Client, Event as Told, Outcome, SubscribeOptions, Subscription};
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::history::{Event, Recorder};

use super::client_failed;

/// How far every reader is: (client, channel) → (epoch, seq).
#[derive(Default)]
pub(crate) struct Progress(Mutex<BTreeMap<(String, String), (String, u64)>>);

impl Progress {
    fn set(&self, client: &str, channel: &str, epoch: &str, seq: u64) {
        let mut readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readers.insert((client.to_owned(), channel.to_owned()), (epoch.to_owned(), seq));
    }

    /// Whether everybody is where these channels end: (channel, epoch, seq).
    pub(super) fn is_at(&self, ends: &[(String, String, u64)]) -> bool {
        let readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readers.iter().all(|((_, of), (epoch, seq))| {
            let end = ends.iter().find(|(channel, ..)| channel == of);
            end.is_none_or(|(_, in_epoch, head)| in_epoch == epoch && head == seq)
        })
    }
}

/// Attaches, and reads until the client is closed.
pub(super) async fn start(
    client: Client,
    name: String,
    channel: String,
    recorder: Arc<Recorder>,
    progress: Arc<Progress>,
) -> Result<JoinHandle<()>, Error> {
    let subscribed = client.subscribe(channel, SubscribeOptions::default()).await;
    let subscription = subscribed.map_err(|error| client_failed(&name, &error))?;
    Ok(tokio::spawn(read(subscription, name, recorder, progress)))
}

async fn read(mut subscription: Subscription, name: String, recorder: Arc<Recorder>, progress: Arc<Progress>) {
    while let Some(told) = subscription.next().await {
        let (client, channel) = (name.clone(), subscription.channel().to_owned());
        let event = match told {
            Told::Attached {
                position,
                head,
                outcome,
                ..
            } => Event::Attached {
                client,
                channel,
                outcome: match outcome {
                    Outcome::Resumed => "resumed",
                    Outcome::Rewound(_) => "rewound",
                    Outcome::Discontinuity(_) => "discontinuity",
                }
                .to_owned(),
                epoch: position.epoch.as_ref().to_owned(),
                seq: position.seq,
                head,
            },
            Told::Message(message) => Event::Message {
                client,
                channel,
                epoch: message.position.epoch.as_ref().to_owned(),
                seq: message.position.seq,
                term: message.position.term,
                value: String::from_utf8_lossy(&message.payload).into_owned(),
            },
            Told::Skipped { to, .. } => Event::Skipped { client, channel, to },
            Told::Discontinuity { reason, position } => Event::Discontinuity {
                client,
                channel,
                reason: reason.name().to_owned(),
                epoch: position.epoch.as_ref().to_owned(),
                seq: position.seq,
            },
            Told::Failed(error) => Event::Ended {
                client,
                channel,
                error: error.to_string(),
            },
            other => Event::Ended {
                client,
                channel,
                error: format!("{other:?} has no place on a channel without keys"),
            },
        };
        recorder.note(event);
        if let Some(position) = subscription.position() {
            progress.set(&name, subscription.channel(), &position.epoch, position.seq);
        }
    }
}
