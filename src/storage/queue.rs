//! What waits for the store: a queue whose bound is in bytes and in number.
//!
//! A writer takes all that waits at once, up to what fits one transaction; readers take one by one. Threads wait for it,
//! or one task.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// One transaction of a writer takes no more. Beyond it a commit would take so long that whoever was first in it waits for
/// the others.
pub(super) const TRANSACTION: Bounds = Bounds {
    jobs: 1_024,
    bytes: 4 << 20,
};

/// What a job counts for beside its payload: rows have heads, too.
pub(super) const FRAME_BYTES: usize = 256;

/// See the module.
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    /// For a thread that waits.
    filled: Condvar,
    /// For the one task that waits.
    woken: Notify,
    bounds: Bounds,
}

/// How much may wait. The bound that is reached first counts.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Jobs.
    pub jobs: usize,
    /// Their bytes, as counted by whoever sends.
    pub bytes: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    jobs: VecDeque<(T, usize)>,
    bytes: usize,
    closed: bool,
}

/// What came of waiting.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Something.
    Some,
    /// Nothing for so long.
    Nothing,
    /// Nothing, and nothing will come.
    Closed,
}

impl<T> Queue<T> {
    pub(super) const fn new(bounds: Bounds) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                jobs: VecDeque::new(),
                bytes: 0,
                closed: false,
            }),
            filled: Condvar::new(),
            woken: Notify::const_new(),
            bounds,
        }
    }

    /// Whether less waits than may.
    pub(super) fn has_room(&self) -> bool {
        let waiting = self.lock();
        waiting.jobs.len() < self.bounds.jobs && waiting.bytes < self.bounds.bytes
    }

    /// Adds a job, whether or not there is room: whoever sends has asked before. A job for a queue that is closed
    /// comes back.
    pub(super) fn push(&self, job: T, bytes: usize) -> Result<(), T> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(job);
        }
        waiting.bytes += bytes;
        waiting.jobs.push_back((job, bytes));
        drop(waiting);
        self.filled.notify_one();
        self.woken.notify_one();
        Ok(())
    }

    /// Waits for jobs, at most so long, and moves them to `into`: at least one, and as many as `most` says.
    pub(super) fn take(&self, most: Bounds, wait: Option<Duration>, into: &mut Vec<T>) -> Taken {
        let empty = |waiting: &mut Waiting<T>| waiting.jobs.is_empty() && !waiting.closed;
        let mut waiting = match wait {
            None => self
                .filled
                .wait_while(self.lock(), empty)
                .unwrap_or_else(PoisonError::into_inner),
            Some(wait) => {
                let waited = self.filled.wait_timeout_while(self.lock(), wait, empty);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        waiting.drain(most, into)
    }

    /// The same in a task. If it is dropped before it is done it has taken nothing.
    pub(super) async fn taken(&self, most: Bounds, into: &mut Vec<T>) -> Taken {
        loop {
            let woken = self.woken.notified();
            match self.try_take(most, into) {
                Taken::Nothing => woken.await,
                taken => return taken,
            }
        }
    }

    /// Moves what waits to `into`, as many as `most` says.
    pub(super) fn try_take(&self, most: Bounds, into: &mut Vec<T>) -> Taken {
        self.lock().drain(most, into)
    }

    /// Jobs that wait.
    pub(super) fn len(&self) -> usize {
        self.lock().jobs.len()
    }

    /// Takes no more jobs. Those that wait are still taken out.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
        self.woken.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Waiting<T> {
    fn drain(&mut self, most: Bounds, into: &mut Vec<T>) -> Taken {
        let mut bytes = 0;
        let before = into.len();
        while into.len() - before < most.jobs && bytes < most.bytes {
            let Some((job, weight)) = self.jobs.pop_front() else {
                break;
            };
            bytes += weight;
            into.push(job);
        }
        self.bytes -= bytes;
        match (into.len() > before, self.closed) {
            (true, _) => Taken::Some,
            (false, true) => Taken::Closed,
            (false, false) => Taken::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { jobs: 3, bytes: 100 };

    #[test]
    fn what_waits_is_taken_together_and_in_order() {
        let queue = Queue::new(BOUNDS);
        for job in 1..=3 {
            queue.push(job, 10).unwrap();
        }
        assert!(!queue.has_room(), "by number");
        let mut taken = Vec::new();
        let most = Bounds { jobs: 2, bytes: 100 };
        assert_eq!(queue.take(most, None, &mut taken), Taken::Some);
        assert_eq!((&taken, queue.len()), (&vec![1, 2], 1));
        assert!(queue.has_room());
        queue.push(4, 90).unwrap();
        assert!(!queue.has_room(), "by bytes");
        let most = Bounds { jobs: 9, bytes: 10 };
        queue.take(most, None, &mut taken);
        assert_eq!(taken, [1, 2, 3], "up to the job that fills the transaction");
    }

    #[test]
    fn a_closed_queue_is_emptied_and_takes_nothing() {
        let queue = Queue::new(BOUNDS);
        let mut taken = Vec::new();
        assert_eq!(queue.take(BOUNDS, Some(Duration::ZERO), &mut taken), Taken::Nothing);
        queue.push(1, 1).unwrap();
        queue.close();
        assert_eq!(queue.push(2, 1), Err(2));
        assert_eq!(queue.take(BOUNDS, None, &mut taken), Taken::Some);
        assert_eq!(queue.take(BOUNDS, None, &mut taken), Taken::Closed);
    }
}
