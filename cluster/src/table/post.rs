//! The table's messages over the links: a request and its answer, in the lane for control.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bincode::{Decode, Encode};
use bytes::Bytes;
use starling_core::id::NodeName;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;
use tracing::debug;

use super::courier::{Courier, Unreachable};
use super::{TableService, network};
use crate::link::{Incoming, Lane, Links, Outgoing};

/// How long an answer is waited for. Whoever asks has a shorter time of its own; this is so that nothing waits for ever.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Requests of other nodes that are worked on at once: heartbeats and votes of a few voters, and what waits for them.
/// More are not answered, and asked again.
const HANDLING_MAX: usize = 64;

/// The header of a message about the table. What is asked or answered is its payload.
#[derive(Debug, Clone, Copy, Encode, Decode)]
enum Mail {
    Request(u64),
    Answer(u64),
}

/// Brings requests to other nodes over their links, and answers back. Cheap to clone.
#[derive(Clone)]
pub struct Post(Arc<Office>);

struct Office {
    links: Arc<Links>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Bytes>>>,
    next: AtomicU64,
    handling: Arc<Semaphore>,
}

impl Post {
    /// The way over `links`.
    #[must_use]
    pub fn new(links: Arc<Links>) -> Self {
        Self(Arc::new(Office {
            links,
            waiting: Mutex::default(),
            next: AtomicU64::new(1),
            handling: Arc::new(Semaphore::new(HANDLING_MAX)),
        }))
    }

    /// Takes a message of the control lane: answers a request, or brings an answer to who waits for it.
    pub fn receive(&self, incoming: &Incoming, service: &TableService) {
        let mail = match incoming.decode::<Mail>() {
            Ok(mail) => mail,
            Err(error) => return debug!(from = %incoming.from, %error, "a message about the slot table is none"),
        };
        let Some(body) = incoming.payloads.first().cloned() else {
            return debug!(from = %incoming.from, "a message about the slot table is empty");
        };
        match mail {
            Mail::Answer(id) => {
                if let Some(waits) = self.0.waiting().remove(&id) {
                    let _ = waits.send(body); // it has given up
                }
            }
            Mail::Request(id) => {
                let Ok(room) = Arc::clone(&self.0.handling).try_acquire_owned() else {
                    return debug!(from = %incoming.from, "too many requests about the slot table; it will ask again");
                };
                let (office, service) = (Arc::clone(&self.0), service.clone());
                let from = incoming.from.name.clone();
                tokio::spawn(async move {
                    if let Some(answer) = service.handle(body).await
                        && let Some(link) = office.links.of(&from)
                        && let Ok(outgoing) = Outgoing::new(Lane::Control, &Mail::Answer(id), [answer])
                        && let Err(error) = link.try_send(&outgoing)
                    {
                        debug!(to = %from, %error, "an answer about the slot table was not sent");
                    }
                    drop(room);
                });
            }
        }
    }
}

impl Office {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Bytes>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a question when whoever asked it stops waiting.
struct Waiting<'a> {
    office: &'a Office,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.office.waiting().remove(&self.id);
    }
}

#[async_trait]
impl Courier for Post {
    async fn call(&self, to: &NodeName, request: Bytes) -> Result<Bytes, Unreachable> {
        let office = &*self.0;
        let link = office.links.of(to);
        let link = link.ok_or(Unreachable)?;
        let id = office.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        office.waiting().insert(id, answer);
        let waiting = Waiting { office, id };
        if request.len() > network::REQUEST_BYTES_MAX {
            return Err(Unreachable);
        }
        let outgoing = Outgoing::new(Lane::Control, &Mail::Request(id), [request]).map_err(|_| Unreachable)?;
        link.try_send(&outgoing).map_err(|error| {
            debug!(%to, %error, "a request about the slot table was not sent");
            Unreachable
        })?;
        let answer = timeout(ANSWER_WITHIN, answered).await;
        drop(waiting);
        answer.ok().and_then(Result::ok).ok_or(Unreachable)
    }
}
