//! One run of load against one server: subscribers on their connections, a publisher on its schedule, and the counters
//! read before and after.
//!
//! ```text
//! run         this thread: opens, warms up, measures, counts
//! publisher   a thread: publishes on the schedule, takes the acks
//! receivers   a thread: all subscribers, nearly all of them sinks, a few probes
//!  ├─ websocket      one epoll loop that discards what it counts
//!  └─ webtransport   one task for each connection, each on a socket of its own
//! crowd       a thread: sessions that come to one channel's presence, watch it and go, for the load of presence
//! beside      publishers in other channels meanwhile
//! ```
//!
//! All stay on the load's core. What they share is one clock and a set of counters.

mod alive;
mod beside;
mod counters;
mod course;
mod crowd;
mod link;
mod outcome;
mod probe;
mod publisher;
mod receivers;
mod roles;
mod schedule;
mod stamp;
mod tally;
mod ticker;
mod websocket;
mod webtransport;

use std::thread;
use std::time::{Duration, Instant};

pub(crate) use self::beside::Beside;
use self::counters::Counters;
pub(crate) use self::counters::Watched;
pub(crate) use self::course::Course;
pub(crate) use self::crowd::{Act, Crowd, Parts, Seen, Turns};
#[cfg(test)]
pub(crate) use self::link::Link;
pub(crate) use self::link::Target;
pub(crate) use self::outcome::Outcome;
use self::outcome::count;
pub(crate) use self::probe::latencies;
pub(crate) use self::publisher::Published;
use self::publisher::{Burst, Publisher};
pub(crate) use self::receivers::Receivers;
pub(crate) use self::roles::Roles;
pub(crate) use self::schedule::Lateness;
use self::schedule::Schedule;
pub(crate) use self::stamp::{Clock, STAMP_BYTES};
use self::tally::{Mark, Tallies};
use crate::Error;
use crate::proc::core::Cores;

/// Longest wait for what was published to arrive everywhere. Two hundred times the latency that is promised; what has
/// not come by then is lost.
const DRAIN: Duration = Duration::from_secs(10);

/// How often arrivals are looked at while waiting for the last of them.
const GLANCE: Duration = Duration::from_millis(5);

/// From the order to publish to the first message: time for the publisher's thread to wake up.
const LEAD: Duration = Duration::from_millis(20);

/// What a run consists of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Receivers of every message.
    pub(crate) subscribers: usize,
    /// Messages a second.
    pub(crate) rate: u32,
    /// How long messages flow before they count.
    pub(crate) warm_up: Duration,
    /// How long messages count.
    pub(crate) duration: Duration,
    /// Bytes of each payload.
    pub(crate) payload_bytes: usize,
}

impl Plan {
    /// Messages that are due in a time; at least one.
    fn messages(&self, time: Duration) -> u64 {
        ((time.as_secs_f64() * f64::from(self.rate)).round() as u64).max(1)
    }
}

/// Runs the load against a server whose counters are `watched`, on this thread and two that it starts.
///
/// A run that loses messages has an outcome that says so; an error means that there was nothing to measure.
pub(crate) fn run(course: &Course, plan: &Plan, watched: &Watched, cores: Cores) -> Result<Outcome, Error> {
    let clock = Clock::start();
    let warm_up = plan.messages(plan.warm_up);
    let measured = plan.messages(plan.duration);
    let roles = Roles::mostly_sinks(plan.subscribers);
    let receivers = Receivers::open(course, roles, 0, clock, warm_up)?;
    let mut publisher = Publisher::open(course, plan.subscribers, clock, plan.payload_bytes)?;
    let mut burst = |first, count| {
        let schedule = Schedule {
            start: Instant::now() + LEAD,
            rate: plan.rate,
            count,
        };
        let published = publisher.publish(Burst { first, schedule })?;
        Ok::<_, Error>(published.lateness)
    };

    // Everything before the first message, a ping say, is not part of the count.
    let mark = receivers.tallies().mark();
    burst(0, warm_up)?;
    let warmed_up = arrive(receivers.tallies(), &mark, warm_up);

    let before = Counters::before(watched, cores)?;
    let lateness = if warmed_up {
        burst(warm_up, measured)?
    } else {
        Lateness::default()
    };
    arrive(
        receivers.tallies(),
        &mark,
        warm_up + if warmed_up { measured } else { 0 },
    );
    let after = Counters::after(watched, cores)?;

    let arrivals = receivers.finish()?;
    let mut counted = count(&arrivals, &mark, warm_up, measured);
    if !warmed_up {
        counted.faults.insert(0, "the warm-up did not reach everyone".into());
    }
    Ok(after.since(&before).outcome(counted, lateness))
}

/// Waits until so many messages have reached everyone; whether they have.
fn arrive(tallies: &Tallies, mark: &Mark, messages: u64) -> bool {
    let deadline = Instant::now() + DRAIN;
    loop {
        if tallies.reached(mark, messages) {
            return true;
        }
        if tallies.has_lost_connections() || Instant::now() >= deadline {
            return false;
        }
        thread::sleep(GLANCE);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::mpsc;

    use super::*;
    use crate::Transport;
    use crate::null::Null;

    /// Subscribers of the test: sinks and probes both.
    const SUBSCRIBERS: usize = 40;

    fn null(transport: Transport) -> SocketAddr {
        let (bound, address) = mpsc::sync_channel(1);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let null = Null::bind(transport, 0).await.expect("a free port");
                bound.send(null.address()).expect("the test is waiting");
                null.serve().await;
            });
        });
        address.recv().expect("the null server binds")
    }

    fn a_run_counts_every_delivery(transport: Transport) {
        let address = null(transport);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let target = runtime.block_on(Target::discover(transport, address)).expect("answers");
        let plan = Plan {
            subscribers: SUBSCRIBERS,
            rate: 100,
            warm_up: Duration::from_millis(100),
            duration: Duration::from_millis(500),
            payload_bytes: 150,
        };
        let core = crate::proc::core::available().expect("readable")[0];
        let cores = Cores::both_on(core);
        let watched = Watched {
            processes: vec![std::process::id()],
            admins: Vec::new(),
        };
        let outcome = run(&Course::within(target), &plan, &watched, cores).expect("a run");
        assert_eq!(outcome.faults, Vec::<String>::new());
        assert_eq!(
            (outcome.delivered, outcome.expected),
            (50 * SUBSCRIBERS as u64, 50 * SUBSCRIBERS as u64)
        );
        let probes = Roles::mostly_sinks(SUBSCRIBERS).probes() as u64;
        assert_eq!(
            outcome.latency.len(),
            50 * probes,
            "every probe times every message that counts, and no other"
        );
        assert_eq!(outcome.lateness.messages, 50);
    }

    #[test]
    fn over_websocket_a_run_counts_every_delivery() {
        a_run_counts_every_delivery(Transport::WebSocket);
    }

    #[test]
    fn over_webtransport_a_run_counts_every_delivery() {
        a_run_counts_every_delivery(Transport::WebTransport);
    }
}
