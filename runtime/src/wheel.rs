//! One timer for everything that wants to be woken.
//!
//! A hashed timing wheel (Varghese and Lauck, 1987, scheme 6): time is cut into ticks, a tick has a
//! bucket, and one task rings what is due in each bucket as its tick comes round. Setting an alarm
//! is a push into a bucket. Alarms cannot be cancelled: they say "look again", and whoever is rung
//! too early sets the next one. That suits sessions, whose deadlines move with every frame.
//!
//! The task sleeps while nothing is set.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
    buckets: Box<[Mutex<Vec<Set>>]>,
    set: AtomicUsize,
    woken: Notify,
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
            buckets: (0..buckets).map(|_| Mutex::default()).collect(),
            set: AtomicUsize::new(0),
            woken: Notify::new(),
        });
        tokio::spawn(drive(Arc::downgrade(&shared)));
        Self(shared)
    }

    /// Rings `alarm` at the first tick that is not before `at`.
    pub fn set(&self, at: Instant, alarm: Arc<dyn Alarm>) {
        let shared = &*self.0;
        let after = at.saturating_duration_since(shared.start);
        let tick = u64::try_from(after.as_nanos().div_ceil(shared.tick.as_nanos())).unwrap_or(u64::MAX);
        // A tick that has passed would come round only after a whole turn.
        let tick = tick.max(shared.now() + 1);
        let bucket = usize::try_from(tick % shared.buckets.len() as u64).expect("below a length");
        shared.buckets[bucket]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Set { tick, alarm });
        if shared.set.fetch_add(1, Ordering::Release) == 0 {
            shared.woken.notify_one();
        }
    }
}

impl Shared {
    /// The tick that has begun last.
    fn now(&self) -> u64 {
        let passed = self.start.elapsed().as_nanos() / self.tick.as_nanos();
        u64::try_from(passed).unwrap_or(u64::MAX)
    }

    /// Rings what is due up to the present tick; `done` is the last tick that was rung.
    fn turn(&self, done: &mut u64) {
        let now = self.now();
        // After a long sleep one look into every bucket is enough.
        let from = (*done + 1).max((now + 1).saturating_sub(self.buckets.len() as u64));
        let mut due = Vec::new();
        for tick in from..=now {
            let bucket = usize::try_from(tick % self.buckets.len() as u64).expect("below a length");
            let mut bucket = self.buckets[bucket].lock().unwrap_or_else(PoisonError::into_inner);
            due.extend(bucket.extract_if(.., |set| set.tick <= now).map(|set| set.alarm));
            if bucket.is_empty() {
                bucket.shrink_to(BUCKET_KEPT);
            }
        }
        *done = now;
        self.set.fetch_sub(due.len(), Ordering::AcqRel);
        for alarm in due {
            alarm.ring();
        }
    }
}

/// Room a bucket keeps once empty: a storm of alarms must not be paid for ever after.
const BUCKET_KEPT: usize = 64;

async fn drive(shared: std::sync::Weak<Shared>) {
    let mut done = 0;
    loop {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        if shared.set.load(Ordering::Acquire) == 0 {
            // Woken by the first alarm, or looks again so that the last handle's end is seen.
            let idle = Duration::from_secs(1).max(shared.tick);
            let _ = tokio::time::timeout(idle, shared.woken.notified()).await;
            done = shared.now().max(done).saturating_sub(1);
            continue;
        }
        let tick = u64::try_from(shared.tick.as_nanos()).unwrap_or(u64::MAX);
        let next = Duration::from_nanos(tick.saturating_mul(shared.now() + 1));
        tokio::time::sleep_until(shared.start + next).await;
        shared.turn(&mut done);
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
