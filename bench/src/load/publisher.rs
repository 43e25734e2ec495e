//! The publisher: an open loop on a thread and a connection of its own.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use starling_protocol::v1::{Ack, Publish, Welcome, client_frame, server_frame};
use tokio::sync::mpsc as commands;

use super::course::Course;
use super::link::Link;
use super::probe::latencies;
use super::schedule::{Lateness, Next, Schedule};
use super::stamp::{Clock, Stamp};
use super::ticker::Ticker;
use crate::Error;
use crate::error::LinkError;

/// Longest wait for an answer to a publish. As long as a run waits for its last delivery.
const ACK_WAIT: Duration = Duration::from_secs(10);

/// Orders that wait for the publisher. A run gives the next when the last is done.
const ORDERS: usize = 1;

/// An order: publish so many messages, numbered on from `first`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Burst {
    /// The number of the first message in the run.
    pub(super) first: u64,
    /// When they leave.
    pub(super) schedule: Schedule,
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Published {
    /// How late messages left.
    pub(crate) lateness: Lateness,
    /// From the instant that each was to leave to its ack, in nanoseconds.
    pub(crate) acks: Histogram<u64>,
}

impl Default for Published {
    fn default() -> Self {
        Self {
            lateness: Lateness::default(),
            acks: latencies(),
        }
    }
}

impl Published {
    /// What another publisher did meanwhile, too.
    pub(super) fn add(&mut self, other: &Self) {
        self.lateness.add(other.lateness);
        self.acks.add(&other.acks).expect("all histograms have the same bounds");
    }
}

/// A publisher that is connected and waits for orders. Its thread ends when it is dropped.
pub(super) struct Publisher {
    orders: commands::Sender<Burst>,
    done: mpsc::Receiver<Result<Published, Error>>,
}

impl Publisher {
    /// Connects as the link with this number.
    pub(super) fn open(course: &Course, number: usize, clock: Clock, payload_bytes: usize) -> Result<Self, Error> {
        let (orders, ordered) = commands::channel(ORDERS);
        let (report, done) = mpsc::sync_channel(ORDERS);
        let course = course.clone();
        let session = async move || Session::open(&course, number, clock, payload_bytes).await;
        thread::Builder::new()
            .name("publisher".into())
            .spawn(move || {
                if let Err(error) = serve(session, ordered, &report) {
                    // A run that was given up takes no reports.
                    let _ = report.send(Err(error));
                }
            })
            .map_err(Error::system("start the publisher"))?;
        let publisher = Self { orders, done };
        publisher.report()?;
        Ok(publisher)
    }

    /// Publishes, and returns when every message is acknowledged.
    pub(super) fn publish(&mut self, burst: Burst) -> Result<Published, Error> {
        self.begin(burst);
        self.report()
    }

    /// Begins to publish. [`Self::report`] returns when every message is acknowledged.
    pub(super) fn begin(&mut self, burst: Burst) {
        // An error here means that the thread has ended; its last report says why.
        let _ = self.orders.blocking_send(burst);
    }

    /// How the burst went that was begun last.
    pub(super) fn report(&self) -> Result<Published, Error> {
        self.done.recv().expect("a publisher reports before it ends")
    }
}

/// The publisher's thread: reports that it is connected, then the end of each burst.
fn serve(
    open: impl AsyncFnOnce() -> Result<Session, Error>,
    mut ordered: commands::Receiver<Burst>,
    report: &mpsc::SyncSender<Result<Published, Error>>,
) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::system("start the publisher's runtime"))?;
    runtime.block_on(async {
        let mut session = open().await?;
        // A run that was given up takes no reports, and gives no more orders either.
        let _ = report.send(Ok(Published::default()));
        while let Some(burst) = session.ordered(&mut ordered).await? {
            let _ = report.send(Ok(session.publish(burst).await?));
        }
        Ok(())
    })
}

/// The publisher's session.
struct Session {
    link: Link,
    /// Silence of one and a half of it ends the session.
    heartbeat: Duration,
    channel: String,
    ticker: Ticker,
    clock: Clock,
    payload_bytes: usize,
    in_flight_max: u64,
    /// Messages sent so far; also the serial of the last.
    sent: u64,
    /// Messages acknowledged so far. Acks come in order.
    acknowledged: u64,
    /// When those were to leave that are not acknowledged.
    waiting: VecDeque<Instant>,
    acks: Histogram<u64>,
    /// The server's clock as it last told it.
    server_ms: u64,
}

impl Session {
    async fn open(course: &Course, number: usize, clock: Clock, payload_bytes: usize) -> Result<Self, Error> {
        let (link, welcome) = Link::open(&course.publisher, number).await?;
        let Welcome {
            limits,
            time_ms,
            heartbeat_ms,
            ..
        } = welcome;
        Ok(Self {
            link,
            heartbeat: Duration::from_millis(u64::from(heartbeat_ms).max(2)),
            channel: course.channel.clone(),
            ticker: Ticker::new().map_err(Error::system("get a timer"))?,
            clock,
            payload_bytes,
            in_flight_max: limits.map_or(1, |limits| u64::from(limits.publishes_in_flight)),
            sent: 0,
            acknowledged: 0,
            waiting: VecDeque::new(),
            acks: latencies(),
            server_ms: time_ms,
        })
    }

    /// Waits for an order, and says meanwhile that this side is there.
    async fn ordered(&mut self, orders: &mut commands::Receiver<Burst>) -> Result<Option<Burst>, Error> {
        let mut alive = tokio::time::interval(self.heartbeat / 2);
        loop {
            tokio::select! {
                burst = orders.recv() => return Ok(burst),
                frame = self.link.receive() => self.take(frame?)?,
                _ = alive.tick() => self.link.send_alive().await?,
            }
        }
    }

    async fn publish(&mut self, burst: Burst) -> Result<Published, Error> {
        let mut lateness = Lateness::default();
        let (first, schedule) = (self.sent, burst.schedule);
        loop {
            let sent = self.sent - first;
            match schedule.next(sent, Instant::now()) {
                Next::Due(intended) if self.has_room() => {
                    self.send(burst.first + sent, intended).await?;
                    lateness.note(intended, Instant::now());
                }
                // Without room the message is late, and its lateness counts when it leaves.
                Next::Due(_) => self.receive().await?,
                Next::At(at) => {
                    tokio::select! {
                        frame = self.link.receive() => self.take(frame?)?,
                        waited = self.ticker.until(at) => waited.map_err(Error::system("wait for the schedule"))?,
                    }
                }
                Next::Done if self.acknowledged < self.sent => self.receive().await?,
                Next::Done => {
                    let acks = std::mem::replace(&mut self.acks, latencies());
                    return Ok(Published { lateness, acks });
                }
            }
        }
    }

    fn has_room(&self) -> bool {
        self.sent - self.acknowledged < self.in_flight_max
    }

    async fn send(&mut self, number: u64, intended: Instant) -> Result<(), LinkError> {
        self.sent += 1;
        self.waiting.push_back(intended);
        let stamp = Stamp {
            number,
            intended_ns: self.clock.nanoseconds(intended),
        };
        let publish = Publish {
            request: self.sent,
            channel: self.channel.clone(),
            serial: self.sent,
            base: self.acknowledged + 1,
            since_ms: self.server_ms,
            payload: stamp.payload(self.payload_bytes).into(),
            ..Publish::default()
        };
        self.link.send(client_frame::Body::Publish(publish)).await
    }

    async fn receive(&mut self) -> Result<(), LinkError> {
        match tokio::time::timeout(ACK_WAIT, self.link.receive()).await {
            Ok(frame) => self.take(frame?),
            Err(_) => Err(LinkError::Protocol(format!(
                "{} publishes were not acknowledged within {ACK_WAIT:?}",
                self.sent - self.acknowledged
            ))),
        }
    }

    fn take(&mut self, frame: server_frame::Body) -> Result<(), LinkError> {
        match frame {
            server_frame::Body::Ack(Ack {
                serial,
                skipped: false,
                duplicate: false,
                time_ms,
                ..
            }) if serial == self.acknowledged + 1 => {
                self.acknowledged = serial;
                if let Some(intended) = self.waiting.pop_front() {
                    let took = Instant::now().saturating_duration_since(intended);
                    self.acks.saturating_record(took.as_nanos() as u64);
                }
                self.server_ms = self.server_ms.max(time_ms);
                Ok(())
            }
            // Publishing says often enough that this side is there.
            server_frame::Body::Ping(_) | server_frame::Body::Pong(_) => Ok(()),
            server_frame::Body::Error(error) => Err(LinkError::Refused(format!(
                "a publish: {}: {}; the namespace must allow the rate",
                error.code().name(),
                error.message
            ))),
            other => Err(LinkError::Protocol(format!("the publisher was sent {other:?}"))),
        }
    }
}
