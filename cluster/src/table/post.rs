//! Requests and their answers over the links, in the lane for control: the table's, and what else one node asks another.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bincode::{Decode, Encode};
use bytes::Bytes;
use starling_core::id::{NodeId, NodeName};
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

type Questions = HashMap<u64, (NodeId, oneshot::Sender<Bytes>)>;

struct Office {
    links: Arc<Links>,
    /// Who was asked, by the number of the question, and who waits for the answer.
    waiting: Mutex<Questions>,
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
                if let Some(waits) = self.0.waits(id, &incoming.from) {
                    let _ = waits.send(body); // it has given up
                }
            }
            Mail::Request(id) => {
                let service = service.clone();
                self.handle(&incoming.from, id, async move { service.handle(body).await });
            }
            Mail::Errand(id) => {
                let desk = self.0.desk.get().cloned();
                let from = incoming.from.name.clone();
                self.handle(&incoming.from, id, async move { desk?.answer(&from, &body) });
            }
        }
    }

    /// Works a request off, and brings the answer back: to the process that asked, for the next of its name has asked
    /// something else under the number.
    fn handle(&self, from: &NodeId, id: u64, answer: impl Future<Output = Option<Bytes>> + Send + 'static) {
        let Ok(room) = Arc::clone(&self.0.handling).try_acquire_owned() else {
            self.0.links.limit_reached("cluster.requests");
            return debug!(%from, "too many requests of other nodes; it will ask again");
        };
        let office = Arc::clone(&self.0);
        let from = from.clone();
        tokio::spawn(async move {
            if let Some(answer) = answer.await
                && let Some(link) = office.links.of(&from.name)
                && *link.node() == from
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
    fn waiting(&self) -> MutexGuard<'_, Questions> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who waits for an answer from this process.
    fn waits(&self, id: u64, from: &NodeId) -> Option<oneshot::Sender<Bytes>> {
        let mut waiting = self.waiting();
        let (asked, _) = waiting.get(&id)?;
        if asked != from {
            return None;
        }
        waiting.remove(&id).map(|(_, waits)| waits)
    }

    async fn exchange(
        &self,
        to: &NodeName,
        request: Bytes,
        mail: impl FnOnce(u64) -> Mail,
    ) -> Result<Bytes, Unreachable> {
        let link = self.links.of(to).ok_or(Unreachable)?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.waiting().insert(id, (link.node().clone(), answer));
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

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::net::UdpSocket;
    use std::sync::atomic::AtomicUsize;

    use starling_core::id::Generation;

    use super::*;
    use crate::ca::{AUTHORITY_TIME, Authority, NODE_TIME};
    use crate::instruments::{Instruments, Uncounted};
    use crate::link::{Agreement, Credentials, Settings};

    fn node(name: &str, generation: u64) -> NodeId {
        NodeId {
            name: NodeName::parse(name).expect("a name"),
            generation: Generation(generation),
        }
    }

    /// The office of a node that is linked to nobody.
    fn office() -> Post {
        let (authority, root) = Authority::create(AUTHORITY_TIME).expect("made");
        let me = node("a", 1);
        let pair = authority.issue(&me.name, &[], NODE_TIME).expect("issued");
        let (root, certificate, key) = (root.certificate, pair.certificate, pair.key);
        let credentials = Credentials::from_pem(&me.name, root.as_bytes(), certificate.as_bytes(), key.as_bytes());
        let agreement = Agreement {
            cluster: "test".to_owned(),
            slots: 1,
            hash_seed: 0,
            wire: (1, 1),
        };
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let counts = Arc::new(Uncounted) as Arc<dyn Instruments>;
        let started = Links::start(
            me,
            agreement,
            Settings::default(),
            socket,
            credentials.expect("a pair"),
            counts,
        );
        Post::new(Arc::new(started.expect("it starts").0))
    }

    #[tokio::test]
    async fn so_many_requests_are_worked_on_at_once_and_no_more() {
        let post = office();
        let begun = Arc::new(AtomicUsize::new(0));
        let ask = |id| {
            let begun = Arc::clone(&begun);
            post.handle(&node("b", 1), id, async move {
                begun.fetch_add(1, Ordering::Relaxed);
                pending().await
            });
        };
        (0..2 * HANDLING_MAX as u64).for_each(ask);
        // Each turn of the runtime begins some of those that were spawned: these are turns for all that were asked for.
        for _ in 0..2 * HANDLING_MAX {
            tokio::task::yield_now().await;
        }
        assert_eq!(begun.load(Ordering::Relaxed), HANDLING_MAX);
    }

    #[tokio::test]
    async fn an_answer_counts_only_from_the_process_that_was_asked() {
        let post = office();
        let (answer, _answered) = oneshot::channel();
        post.0.waiting().insert(7, (node("b", 2), answer));
        for other in [node("b", 1), node("c", 2)] {
            assert!(post.0.waits(7, &other).is_none(), "{other}");
        }
        assert!(post.0.waits(8, &node("b", 2)).is_none());
        assert!(post.0.waits(7, &node("b", 2)).is_some());
        assert!(post.0.waits(7, &node("b", 2)).is_none(), "it is answered once");
    }
}
