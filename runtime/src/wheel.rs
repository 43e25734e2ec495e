//! One timer for everything that wants to be woken.
//!
//! A hashed timing wheel (Varghese and Lauck, 1987, scheme 6): time is cut into ticks, a tick has a
//! bucket, and one task rings what is due in each bucket as its tick comes round. Setting an alarm
//! is a push into a bucket. Alarms cannot be cancelled: they say "look again", and whoever is rung
//! too early sets the next one. That suits sessions, whose deadlines move with every frame.
//!
//! The task sleeps until the earliest alarm, not from tick to tick: a timer that is armed a thousand
//! times a second costs more than what it rings.
//!
//! After the process has stood still everything is due at once, and what came meanwhile has not been read. It is
//! given a moment before the alarms ring.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Something that can be woken. Must not block: the wheel rings all alarms from one task.
pub trait Alarm: Send + Sync + 'static {
    /// The instant has come.
    fn ring(&self);
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Wheel(Arc<Shared>);

struct Shared {
    start: Instant,
    tick: Duration,
    buckets: Box<[Mutex<Bucket>]>,
    /// The earliest tick with an alarm; [`NEVER`] while none is set.
    next: AtomicU64,
    sooner: Notify,
}

/// The tick of no alarm.
const NEVER: u64 = u64::MAX;

/// The alarms whose ticks fall on the same place of the wheel.
struct Bucket {
    sets: Vec<Set>,
    /// The earliest of them.
    next: u64,
}

struct Set {
    tick: u64,
    alarm: Arc<dyn Alarm>,
}

impl Wheel {
    /// A wheel of `buckets` ticks, driven by a task of the current runtime until the last handle is
    /// dropped. Alarms further away than one turn are carried round.
    ///
    /// # Panics
    /// When called outside a Tokio runtime, or with a tick of zero or no bucket.
    #[must_use]
    pub fn start(tick: Duration, buckets: usize) -> Self {
        assert!(!tick.is_zero() && buckets > 0, "a wheel has ticks and buckets");
        let shared = Arc::new(Shared {
            start: Instant::now(),
            tick,
            buckets: (0..buckets).map(|_| Mutex::new(Bucket::new())).collect(),
            next: AtomicU64::new(NEVER),
            sooner: Notify::new(),
        });
        tokio::spawn(drive(Arc::downgrade(&shared)));
        Self(shared)
    }

    /// Rings `alarm` at the first tick that is not before `at`.
    pub fn set(&self, at: Instant, alarm: Arc<dyn Alarm>) {
        let shared = &*self.0;
        let after = at.saturating_duration_since(shared.start);
        let tick = u64::try_from(after.as_nanos().div_ceil(shared.tick.as_nanos())).unwrap_or(NEVER - 1);
        // A tick that has passed would come round only after a whole turn.
        let tick = tick.max(shared.now() + 1);
        shared.bucket(tick).push(Set { tick, alarm });
        if shared.next.fetch_min(tick, Ordering::AcqRel) > tick {
            shared.sooner.notify_one();
        }
    }
}

impl Shared {
    /// The tick that has begun last.
    fn now(&self) -> u64 {
        let passed = self.start.elapsed().as_nanos() / self.tick.as_nanos();
        u64::try_from(passed).unwrap_or(NEVER - 1)
    }

    /// When a tick begins.
    fn at(&self, tick: u64) -> Instant {
        let nanos = u64::try_from(self.tick.as_nanos()).unwrap_or(u64::MAX);
        self.start + Duration::from_nanos(nanos.saturating_mul(tick))
    }

    fn bucket(&self, tick: u64) -> MutexGuard<'_, Bucket> {
        let at = usize::try_from(tick % self.buckets.len() as u64).expect("below a length");
        self.buckets[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rings what is due, and finds what comes next.
    fn turn(&self) {
        let now = self.now();
        let mut due = Vec::new();
        // Alarms set from here on lower this again.
        self.next.store(NEVER, Ordering::Release);
        let mut next = NEVER;
        for bucket in &self.buckets {
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            if bucket.next <= now {
                bucket.take(now, &mut due);
            }
            next = next.min(bucket.next);
        }
        self.next.fetch_min(next, Ordering::AcqRel);
        for alarm in due {
            alarm.ring();
        }
    }
}

impl Bucket {
    const fn new() -> Self {
        Self {
            sets: Vec::new(),
            next: NEVER,
        }
    }

    fn push(&mut self, set: Set) {
        self.next = self.next.min(set.tick);
        self.sets.push(set);
    }

    /// Takes out what is due by `now`.
    fn take(&mut self, now: u64, due: &mut Vec<Arc<dyn Alarm>>) {
        due.extend(self.sets.extract_if(.., |set| set.tick <= now).map(|set| set.alarm));
        self.next = self.sets.iter().map(|set| set.tick).min().unwrap_or(NEVER);
        if self.sets.is_empty() {
            self.sets.shrink_to(BUCKET_KEPT);
        }
    }
}

/// Room a bucket keeps once empty: a storm of alarms must not be paid for ever after.
const BUCKET_KEPT: usize = 64;

/// How long the task sleeps at most: it looks again so that the last handle's end is seen.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// A task that wakes so much too late stood still, and with it the process or its machine.
const STOOD_STILL: Duration = Duration::from_millis(500);

/// How long what came meanwhile may then take to be read, before anybody concludes from the time that nothing came.
const CATCH_UP: Duration = Duration::from_millis(20);

async fn drive(shared: Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        let next = shared.next.load(Ordering::Acquire);
        if next <= shared.now() {
            shared.turn();
            continue;
        }
        let latest = Instant::now() + SLEEP_MAX;
        let until = if next == NEVER {
            latest
        } else {
            latest.min(shared.at(next))
        };
        // Whichever comes first: the tick, or an alarm that is set before it.
        let _ = tokio::time::timeout_at(until, shared.sooner.notified()).await;
        if Instant::now() > until + STOOD_STILL {
            tokio::time::sleep(CATCH_UP).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bell {
        start: Instant,
        rung: Mutex<Vec<Duration>>,
    }

    impl Alarm for Bell {
        fn ring(&self) {
            self.rung.lock().expect("not poisoned").push(self.start.elapsed());
        }
    }

    fn bell() -> Arc<Bell> {
        Arc::new(Bell {
            start: Instant::now(),
            rung: Mutex::default(),
        })
    }

    async fn rings_after(wheel: &Wheel, after: Duration) -> Duration {
        let bell = bell();
        wheel.set(Instant::now() + after, bell.clone());
        tokio::time::sleep(after + Duration::from_secs(1)).await;
        let rung = bell.rung.lock().expect("not poisoned").clone();
        assert_eq!(rung.len(), 1, "rung once");
        rung[0]
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_rings_once_at_its_tick_and_never_before() {
        let wheel = Wheel::start(Duration::from_millis(10), 8);
        for millis in [0, 1, 9, 10, 11, 79, 80, 81, 1_000, 12_345] {
            let after = Duration::from_millis(millis);
            let rung = rings_after(&wheel, after).await;
            assert!(
                rung >= after && rung <= after + Duration::from_millis(21),
                "asked for {after:?}, rung after {rung:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wheel_that_slept_rings_on_time_again() {
        let wheel = Wheel::start(Duration::from_millis(10), 8);
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        let rung = rings_after(&wheel, Duration::from_millis(25)).await;
        assert!(rung >= Duration::from_millis(25) && rung <= Duration::from_millis(46));
    }

    #[tokio::test(start_paused = true)]
    async fn after_standing_still_it_rings_a_moment_later() {
        let wheel = Wheel::start(Duration::from_millis(10), 8);
        let bell = bell();
        wheel.set(Instant::now() + Duration::from_millis(100), bell.clone());
        let rung = || bell.rung.lock().expect("not poisoned").clone();
        tokio::task::yield_now().await;
        tokio::time::advance(Duration::from_secs(10)).await;
        tokio::time::sleep(CATCH_UP - Duration::from_millis(1)).await;
        assert_eq!(rung(), [], "what came meanwhile is read first");
        tokio::time::sleep(Duration::from_millis(21)).await;
        assert_eq!(rung().len(), 1);
        let late = rings_after(&wheel, Duration::from_millis(30)).await;
        assert!(late <= Duration::from_millis(51), "and in time from then on: {late:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn many_alarms_of_one_tick_all_ring() {
        let wheel = Wheel::start(Duration::from_millis(10), 8);
        let bell = bell();
        for _ in 0..1_000 {
            wheel.set(Instant::now() + Duration::from_millis(30), bell.clone());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(bell.rung.lock().expect("not poisoned").len(), 1_000);
    }
}
