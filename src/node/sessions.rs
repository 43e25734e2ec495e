//! Who is connected.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use dashmap::DashMap;
use starling_core::id::Subject;
use starling_core::session::answer::Farewell;
use tokio::sync::Notify;

/// Whatever ends a session.
pub trait Dismiss: Send + Sync + std::fmt::Debug {
    /// Ends it, if nobody has ended it before. Whether nobody has.
    fn dismiss(&self, farewell: &Farewell) -> bool;

    /// Whether its client can be told which node to go to.
    fn may_move(&self) -> bool;
}

/// Sessions that are ended together when they are told one after the other: a node that takes them in does not notice.
const TOGETHER_MIN: usize = 20;

/// Time between them and the next.
const ROUND: Duration = Duration::from_millis(50);

/// The sessions of a node, by number.
#[derive(Debug, Default)]
pub struct Sessions {
    listed: DashMap<u64, Listed>,
    last: AtomicU64,
    left: Notify,
}

#[derive(Debug)]
struct Listed {
    mailbox: Weak<dyn Dismiss>,
    /// Whom its token names; `None` before it has said hello.
    subject: Option<Subject>,
}

/// Sessions that somebody picks out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// The one of this number.
    Number(u64),
    /// All of one subject.
    Subject(Subject),
}

impl Listed {
    fn may_move(&self) -> bool {
        let mailbox = self.subject.is_some().then(|| self.mailbox.upgrade()).flatten();
        mailbox.is_some_and(|mailbox| mailbox.may_move())
    }
}

impl Sessions {
    /// Adds a session and numbers it.
    pub fn list<M: Dismiss + 'static>(&self, mailbox: &Arc<M>) -> u64 {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let listed = Listed {
            mailbox: Arc::downgrade(mailbox) as Weak<dyn Dismiss>,
            subject: None,
        };
        self.listed.insert(number, listed);
        number
    }

    /// Notes whose session it is. One that has ended stays out of the list.
    pub fn name(&self, number: u64, subject: &Subject) {
        if let Some(mut listed) = self.listed.get_mut(&number) {
            listed.subject = Some(subject.clone());
        }
    }

    /// Ends the sessions chosen, and answers how many. Their goodbyes are on their way then, not read.
    pub fn end(&self, chosen: &Chosen, farewell: &Farewell) -> usize {
        let end = |listed: &Listed| {
            let mailbox = listed.mailbox.upgrade();
            mailbox.is_some_and(|mailbox| mailbox.dismiss(farewell))
        };
        match chosen {
            Chosen::Number(number) => usize::from(self.listed.get(number).is_some_and(|listed| end(&listed))),
            // A look at each: somebody who ends sessions waits a millisecond for the twenty thousand of a full node,
            // and every session is spared an entry in a second list.
            Chosen::Subject(subject) => {
                let all = self.listed.iter();
                all.filter(|listed| listed.subject.as_ref() == Some(subject) && end(listed))
                    .count()
            }
        }
    }

    /// Takes a session out that has ended.
    pub fn unlist(&self, number: u64) {
        self.listed.remove(&number);
        self.left.notify_waiters();
    }

    /// Sessions at this moment, those that have not said hello included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.listed.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Ends every session, spread over `window` where they are many, and waits until they are gone: at most so long after the
    /// last was told.
    pub async fn dismiss(&self, farewell: &Farewell, window: Duration, time_max: Duration) {
        let mailboxes: Vec<_> = self.listed.iter().map(|listed| Weak::clone(&listed.mailbox)).collect();
        tell(&mailboxes, farewell, window, TOGETHER_MIN).await;
        let gone = async {
            loop {
                let left = self.left.notified();
                if self.is_empty() {
                    return;
                }
                left.await;
            }
        };
        if tokio::time::timeout(time_max, gone).await.is_err() {
            tracing::warn!(sessions = self.len(), "some clients did not read their goodbye");
        }
    }

    /// Sessions that have said hello, and whose clients can be told where to go.
    #[must_use]
    pub fn movable(&self) -> usize {
        self.listed.iter().filter(|listed| listed.may_move()).count()
    }

    /// Ends so many of those, spread over `window`: whichever chance picks.
    pub async fn send_away(&self, count: usize, window: Duration) {
        let all = self.listed.iter().filter(|listed| listed.may_move());
        let chosen = fastrand::choose_multiple(all.map(|listed| Weak::clone(&listed.mailbox)), count);
        tell(&chosen, &Farewell::Rebalanced, window, 1).await;
    }
}

/// Ends the sessions of these mailboxes, a few at a time and at least so many.
async fn tell(mailboxes: &[Weak<dyn Dismiss>], farewell: &Farewell, window: Duration, together_min: usize) {
    let rounds = (window.as_millis() / ROUND.as_millis()).max(1) as usize;
    let together = mailboxes.len().div_ceil(rounds).max(together_min);
    for (round, mailboxes) in mailboxes.chunks(together).enumerate() {
        if round > 0 {
            tokio::time::sleep(ROUND).await;
        }
        for mailbox in mailboxes.iter().filter_map(Weak::upgrade) {
            mailbox.dismiss(farewell);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Debug)]
    struct Client {
        may_move: bool,
        told: Mutex<Vec<Farewell>>,
    }

    impl Dismiss for Client {
        fn dismiss(&self, farewell: &Farewell) -> bool {
            self.told.lock().expect("no panic").push(farewell.clone());
            true
        }

        fn may_move(&self) -> bool {
            self.may_move && self.told.lock().expect("no panic").is_empty()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_sent_away_has_said_hello_and_can_be_told_where_to_go() {
        let sessions = Sessions::default();
        let come = |may_move, subject: Option<&Subject>| {
            let client = Arc::new(Client {
                may_move,
                told: Mutex::default(),
            });
            let number = sessions.list(&client);
            if let Some(subject) = subject {
                sessions.name(number, subject);
            }
            client
        };
        let anybody = Subject::anonymous();
        let movable: Vec<_> = (0..50).map(|_| come(true, Some(&anybody))).collect();
        let others = [come(false, Some(&anybody)), come(true, None)];
        let told = || movable.iter().filter(|client| !client.may_move()).count();
        assert_eq!(sessions.movable(), 50);
        let began = tokio::time::Instant::now();
        sessions.send_away(20, Duration::from_secs(1)).await;
        assert_eq!(told(), 20);
        assert_eq!(began.elapsed(), ROUND * 19, "one after the other");
        sessions.send_away(1_000, Duration::from_secs(1)).await;
        assert_eq!(told(), 50, "and nobody twice");
        for client in &movable {
            assert_eq!(*client.told.lock().expect("no panic"), [Farewell::Rebalanced]);
        }
        assert!(
            others
                .iter()
                .all(|other| other.told.lock().expect("no panic").is_empty())
        );
    }
}
