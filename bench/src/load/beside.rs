//! Publishers beside what is measured: each at a node and in a channel of its own, and how long their acks took.

use std::time::{Duration, Instant};

use super::LEAD;
use super::course::Course;
use super::link::Target;
use super::publisher::{Burst, Published, Publisher};
use super::schedule::Schedule;
use super::stamp::Clock;
use crate::Error;

/// Bytes of each payload, those of a short message.
const PAYLOAD_BYTES: usize = 150;

/// Publishers that are connected.
pub(crate) struct Beside {
    publishers: Vec<Publisher>,
    /// Messages that each has published.
    published: u64,
}

impl Beside {
    /// Connects so many, spread evenly over the nodes, as links from `first` on.
    pub(crate) fn open(nodes: &[Target], publishers: usize, first: usize, clock: Clock) -> Result<Self, Error> {
        let open = |(number, node): (usize, &Target)| {
            let course = Course {
                channel: format!("{}-beside-{number}", Course::CHANNEL),
                ..Course::within(node.clone())
            };
            Publisher::open(&course, first + number, clock, PAYLOAD_BYTES)
        };
        let publishers = (0..publishers).zip(nodes.iter().cycle()).map(open);
        Ok(Self {
            publishers: publishers.collect::<Result<_, _>>()?,
            published: 0,
        })
    }

    /// Each publishes so many messages a second for so long, evenly in turn with the others. Returns when the last is
    /// acknowledged: how late they left, and the latency of the acks in nanoseconds.
    pub(crate) fn publish(&mut self, rate: u32, time: Duration) -> Result<Published, Error> {
        let start = Instant::now() + LEAD;
        let interval = Duration::from_secs(1) / rate.max(1);
        let count = (time.as_secs_f64() * f64::from(rate)).round() as u64;
        let (first, all) = (self.published, self.publishers.len() as u32);
        for (publisher, number) in self.publishers.iter_mut().zip(0..) {
            let schedule = Schedule {
                start: start + interval * number / all,
                rate,
                count,
            };
            publisher.begin(Burst { first, schedule });
        }
        self.published += count;
        let mut together = Published::default();
        for publisher in &self.publishers {
            together.add(&publisher.report()?);
        }
        Ok(together)
    }
}
