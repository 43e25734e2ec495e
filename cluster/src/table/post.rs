//! Requests and their answers over the links, in the lane for control: the table's, and what else one node asks another.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
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

/// The header of a message. What is asked or answered is its payload.
#[derive(Debug, Clone, Copy, Encode, Decode)]
enum Mail {
    /// To the table's service.
    Request(u64),
    Answer(u64),
    /// To the node's desk.
    Errand(u64),
}

/// Answers what other nodes ask this one beside what is the table's.
pub trait Desk: Send + Sync + 'static {
    /// The answer to `request`; must not block. Garbage is answered with nothing.
    fn answer(&self, from: &NodeName, request: &Bytes) -> Option<Bytes>;
}

/// Brings requests to other nodes over their links, and answers back. Cheap to clone.
#[derive(Clone)]
pub struct Post(Arc<Office>);

struct Office {
    links: Arc<Links>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Bytes>>>,
    next: AtomicU64,
    handling: Arc<Semaphore>,
    desk: OnceLock<Arc<dyn Desk>>,
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
            desk: OnceLock::new(),
        }))
    }

    /// Says who answers errands from now on. Until then they are not answered, and whoever is first stays.
    pub fn staff(&self, desk: Arc<dyn Desk>) {
        let _ = self.0.desk.set(desk);
    }

    /// Asks another node's desk.
    ///
    /// # Errors
    /// When it does not answer. It may have done what it was asked.
    pub async fn ask(&self, to: &NodeName, request: Bytes) -> Result<Bytes, Unreachable> {
        self.0.exchange(to, request, Mail::Errand).await
    }

    /// Takes a message of the control lane: answers a request, or brings an answer to who waits for it.
    pub fn receive(&self, incoming: &Incoming, service: &TableService) {
        let mail = match incoming.decode::<Mail>() {
            Ok(mail) => mail,
            Err(error) => return debug!(from = %incoming.from, %error, "a message between nodes is none"),
        };
        let Some(body) = incoming.payloads.first().cloned() else {
            return debug!(from = %incoming.from, "a message between nodes is empty");
        };
        match mail {
            Mail::Answer(id) => {
                if let Some(waits) = self.0.waiting().remove(&id) {
                    let _ = waits.send(body); // it has given up
                }
            }
            Mail::Request(id) => {
                let service = service.clone();
                self.handle(incoming, id, async move { service.handle(body).await });
            }
            Mail::Errand(id) => {
                let desk = self.0.desk.get().cloned();
                let from = incoming.from.name.clone();
                self.handle(incoming, id, async move { desk?.answer(&from, &body) });
            }
        }
    }

    /// Works a request off, and brings the answer back.
    fn handle(&self, incoming: &Incoming, id: u64, answer: impl Future<Output = Option<Bytes>> + Send + 'static) {
        let Ok(room) = Arc::clone(&self.0.handling).try_acquire_owned() else {
            return debug!(from = %incoming.from, "too many requests of other nodes; it will ask again");
        };
        let office = Arc::clone(&self.0);
        let from = incoming.from.name.clone();
        tokio::spawn(async move {
            if let Some(answer) = answer.await
                && let Some(link) = office.links.of(&from)
                && let Ok(outgoing) = Outgoing::new(Lane::Control, &Mail::Answer(id), [answer])
                && let Err(error) = link.try_send(&outgoing)
            {
                debug!(to = %from, %error, "an answer to another node was not sent");
            }
            drop(room);
        });
    }
}

impl Office {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Bytes>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn exchange(
        &self,
        to: &NodeName,
        request: Bytes,
        mail: impl FnOnce(u64) -> Mail,
    ) -> Result<Bytes, Unreachable> {
        let link = self.links.of(to);
        let link = link.ok_or(Unreachable)?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.waiting().insert(id, answer);
        let waiting = Waiting { office: self, id };
        if request.len() > network::REQUEST_BYTES_MAX {
            return Err(Unreachable);
        }
        let outgoing = Outgoing::new(Lane::Control, &mail(id), [request]).map_err(|_| Unreachable)?;
        link.try_send(&outgoing).map_err(|error| {
            debug!(%to, %error, "a request to another node was not sent");
            Unreachable
        })?;
        let answer = timeout(ANSWER_WITHIN, answered).await;
        drop(waiting);
        answer.ok().and_then(Result::ok).ok_or(Unreachable)
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
        self.0.exchange(to, request, Mail::Request).await
    }
}
