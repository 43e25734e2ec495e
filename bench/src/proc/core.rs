//! Which cores there are, and staying on one.

use std::io;
use std::thread;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::sync::oneshot;

use crate::Error;

/// The core of the server and the core of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cores {
    pub(crate) server: usize,
    pub(crate) load: usize,
    count: usize,
}

impl Cores {
    /// The first two cores this process may use. With one alone, each side would measure how long it waits for the
    /// other.
    pub(crate) fn choose() -> Result<Self, Error> {
        let cores = available()?;
        match cores.as_slice() {
            [server, load, ..] => Ok(Self {
                server: *server,
                load: *load,
                count: cores.len(),
            }),
            _ => Err(Error::Options(
                "a measurement needs two cores: one for the server, one for the load".into(),
            )),
        }
    }

    /// One for both, for tests that measure nothing.
    #[cfg(test)]
    pub(crate) fn both_on(core: usize) -> Self {
        Self {
            server: core,
            load: core,
            count: 1,
        }
    }

    /// How many cores this process may use.
    pub(crate) fn count(self) -> usize {
        self.count
    }

    /// Both, for counters.
    pub(crate) fn both(self) -> [usize; 2] {
        [self.server, self.load]
    }

    /// Does blocking work on a thread that stays on the load's core.
    pub(crate) async fn on_load<T: Send + 'static>(
        self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (done, result) = oneshot::channel();
        thread::Builder::new()
            .name("load".into())
            .spawn(move || {
                // Nobody waits for the result of a measurement that was given up.
                let _ = done.send(pin(self.load).and_then(|()| work()));
            })
            .map_err(Error::system("start the load"))?;
        result
            .await
            .expect("the load sends its result before it ends, or has panicked")
    }
}

/// The cores this thread may run on, in order.
pub(crate) fn available() -> Result<Vec<usize>, Error> {
    let set = sched_getaffinity(None).map_err(|errno| Error::system("read the cores of this thread")(errno.into()))?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
}

/// Keeps this thread, and every thread and process it starts from now on, on one core.
pub(crate) fn pin(core: usize) -> Result<(), Error> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).map_err(|errno| Error::system("stay on one core")(io::Error::from(errno)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_hands_its_core_down() {
        let last = *available()
            .expect("readable")
            .last()
            .expect("this thread runs somewhere");
        let inherited = thread::spawn(move || {
            pin(last).expect("a core we may use");
            thread::spawn(|| available().expect("readable"))
                .join()
                .expect("does not panic")
        });
        assert_eq!(inherited.join().expect("does not panic"), [last]);
    }
}
