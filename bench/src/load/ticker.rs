//! Waiting for an instant more exactly than the runtime's timers, which know whole milliseconds: that is the interval
//! of the dense case.

use std::io;
use std::time::Instant;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A timer of the kernel.
pub(super) struct Ticker {
    timer: AsyncFd<OwnedFd>,
}

impl Ticker {
    /// A timer that is not set. Has to be made inside a runtime.
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[expect(
            deprecated,
            reason = "deprecated for types that may lie about their descriptor; an OwnedFd holds what the unsafe \
                      successor asks for"
        )]
        let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
        Ok(Self { timer })
    }

    /// Waits until an instant; returns at once if it has passed. Can be given up at any time.
    pub(super) async fn until(&self, at: Instant) -> io::Result<()> {
        let rest = at.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return Ok(());
        }
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        let rest = Timespec {
            tv_sec: rest.as_secs() as i64,
            tv_nsec: rest.subsec_nanos().into(),
        };
        let setting = Itimerspec {
            it_interval: none,
            it_value: rest,
        };
        // Setting it also forgets an expiry of an earlier wait that was given up.
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &setting)?;
        loop {
            let mut guard = self.timer.readable().await?;
            let mut expiries = [0; 8];
            match rustix::io::read(guard.get_inner(), &mut expiries) {
                Err(Errno::AGAIN) => guard.clear_ready(),
                result => return result.map(drop).map_err(Into::into),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_never_returns_early_even_after_a_wait_was_given_up() {
        let ticker = Ticker::new().expect("a timer");
        let soon = Instant::now() + Duration::from_micros(300);
        tokio::select! {
            biased;
            () = std::future::ready(()) => {}
            _ = ticker.until(soon) => panic!("the other branch is ready first"),
        }
        for step in 1..=5 {
            let at = Instant::now() + Duration::from_micros(700 * step);
            ticker.until(at).await.expect("a timer");
            assert!(Instant::now() >= at);
        }
        ticker.until(soon).await.expect("the past needs no timer");
    }
}
