//! The loop of the crowd's thread: reads what sessions are told, keeps them alive, does what it is ordered to do.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream as Socket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use starling_protocol::frame::encode_client;
use starling_protocol::v1::{Enter, Leave, Watch, client_frame};

use super::seat::Seat;
use super::{Act, Order, Seen};
use crate::error::LinkError;
use crate::load::alive::Alive;
use crate::load::link::alive;
use crate::load::schedule::{Next, Schedule};
use crate::load::stamp::{Clock, STAMP_BYTES, Stamp};
use crate::{Error, Transport};

/// Most bytes that are read of a session at once. What is left over wakes the loop again.
const READ_BYTES: usize = 64 * 1024;

/// Sockets that one wait can report, so that acts and orders wait for no more than these.
const EVENTS_MAX: usize = 256;

/// Longest wait for sockets: orders are looked for as often.
const GLANCE: Duration = Duration::from_millis(5);

/// What the thread works with.
pub(super) struct Work {
    channel: String,
    clock: Clock,
    ordered: mpsc::Receiver<Order>,
    report: mpsc::SyncSender<Seen>,
    stopped: Arc<AtomicBool>,
    acting: Option<Acting>,
    seen: Seen,
}

/// An order that is being done.
struct Acting {
    acts: Vec<Act>,
    done: u64,
    schedule: Schedule,
}

impl Work {
    pub(super) fn new(
        channel: String,
        clock: Clock,
        ordered: mpsc::Receiver<Order>,
        report: mpsc::SyncSender<Seen>,
        stopped: Arc<AtomicBool>,
    ) -> Self {
        Self {
            channel,
            clock,
            ordered,
            report,
            stopped,
            acting: None,
            seen: Seen::default(),
        }
    }

    /// Goes on until told to stop. The first report says that all sessions are open.
    pub(super) fn run(mut self, mut sessions: Vec<(Socket, Seat)>, mut turns: Alive) -> Result<(), Error> {
        let fail = |errno: Errno| Error::system("wait for the crowd's sockets")(errno.into());
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(fail)?;
        for (number, (socket, _)) in sessions.iter().enumerate() {
            let data = epoll::EventData::new_u64(number as u64);
            epoll::add(&epoll, socket, data, epoll::EventFlags::IN).map_err(fail)?;
        }
        let alive = Transport::WebSocket.client_frame(&encode_client(alive()));
        let mut events = [const { MaybeUninit::<epoll::Event>::uninit() }; EVENTS_MAX];
        let mut scratch = vec![0; READ_BYTES];
        self.report(Seen::default());
        while !self.stopped.load(Ordering::Relaxed) {
            let timeout = Timespec {
                tv_sec: 0,
                tv_nsec: self.rest(Instant::now()).subsec_nanos().into(),
            };
            let ready = match epoll::wait(&epoll, &mut events, Some(&timeout)) {
                Ok((ready, _)) => ready,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(fail(errno)),
            };
            for event in ready {
                let (socket, seat) = &mut sessions[event.data.u64() as usize];
                if let Err(error) = receive(socket, seat, &mut scratch, self.clock, &mut self.seen) {
                    self.end(&epoll, socket, &error);
                }
            }
            while let Some(due) = turns.due(Instant::now()) {
                // A full send buffer means that much has been said already, and an ended connection is noticed above.
                let _ = (&sessions[due].0).write(&alive);
            }
            self.act(&mut sessions);
            if self.acting.is_none() {
                self.obey(&sessions);
            }
        }
        Ok(())
    }

    /// How long there is nothing to do but to read.
    fn rest(&self, now: Instant) -> Duration {
        let next = self
            .acting
            .as_ref()
            .map(|acting| acting.schedule.next(acting.done, now));
        match next {
            None | Some(Next::Done) => GLANCE,
            Some(Next::At(at)) => GLANCE.min(at.saturating_duration_since(now)),
            Some(Next::Due(_)) => Duration::ZERO,
        }
    }

    /// Does what is due.
    fn act(&mut self, sessions: &mut [(Socket, Seat)]) {
        let Some(mut acting) = self.acting.take() else {
            return;
        };
        loop {
            match acting.schedule.next(acting.done, Instant::now()) {
                Next::Due(intended) => {
                    let act = acting.acts[acting.done as usize];
                    acting.done += 1;
                    let frame = self.frame(act, acting.done, intended);
                    let frame = Transport::WebSocket.client_frame(&encode_client(frame));
                    let (socket, seat) = &mut sessions[act.session()];
                    seat.unanswered += 1;
                    seat.watches |= act.is_watch();
                    match (&*socket).write(&frame) {
                        Ok(written) if written == frame.len() => {}
                        Ok(_) => self.seen.fail("a node reads a session too slowly".into()),
                        Err(error) => self.seen.fail(format!("a session could not ask: {error}")),
                    }
                }
                Next::At(_) => {
                    self.acting = Some(acting);
                    return;
                }
                Next::Done => return self.report(Seen::default()),
            }
        }
    }

    fn frame(&self, act: Act, request: u64, intended: Instant) -> client_frame::Body {
        let channel = self.channel.clone();
        let watch = |count| {
            client_frame::Body::Watch(Watch {
                request,
                channel: self.channel.clone(),
                count,
            })
        };
        match act {
            Act::Enter(session) => {
                let stamp = Stamp {
                    number: session as u64,
                    intended_ns: self.clock.nanoseconds(intended),
                };
                client_frame::Body::Enter(Enter {
                    request,
                    channel,
                    state: stamp.payload(STAMP_BYTES).into(),
                })
            }
            Act::Leave(_) => client_frame::Body::Leave(Leave { request, channel }),
            Act::WatchRoster(_) => watch(false),
            Act::WatchCount(_) => watch(true),
        }
    }

    /// Takes the next order.
    fn obey(&mut self, sessions: &[(Socket, Seat)]) {
        match self.ordered.try_recv() {
            Ok(Order::Look { clients }) => {
                let seen = self.look(sessions, clients);
                self.report(seen);
            }
            Ok(Order::Act { acts, rate }) => {
                let schedule = Schedule {
                    start: Instant::now(),
                    rate,
                    count: acts.len() as u64,
                };
                self.acting = Some(Acting {
                    acts,
                    done: 0,
                    schedule,
                });
            }
            // Nothing to do, or nobody who wants anything any more, which the stop flag tells as well.
            Err(_) => {}
        }
    }

    /// Looks at what was seen, and at everybody.
    fn look(&mut self, sessions: &[(Socket, Seat)], clients: u64) -> Seen {
        let seats = || sessions.iter().map(|(_, seat)| seat);
        Seen {
            unanswered: seats().map(|seat| seat.unanswered).sum(),
            astray: seats()
                .filter(|seat| seat.watches && seat.clients() != Some(clients))
                .count() as u64,
            ..std::mem::take(&mut self.seen)
        }
    }

    fn report(&self, seen: Seen) {
        // A measurement that was given up takes no reports.
        let _ = self.report.send(seen);
    }

    /// Takes an ended connection out of the loop.
    fn end(&mut self, epoll: &OwnedFd, socket: &Socket, error: &LinkError) {
        self.seen.fail(format!("a session of the crowd ended: {error}"));
        // It stays registered at worst, and then is reported again: the measurement is void either way.
        let _ = epoll::delete(epoll, socket);
    }
}

/// Takes what the socket has.
fn receive(
    mut socket: &Socket,
    seat: &mut Seat,
    scratch: &mut [u8],
    clock: Clock,
    seen: &mut Seen,
) -> Result<(), LinkError> {
    let bytes = match socket.read(scratch) {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => return Ok(()),
        result => result?,
    };
    match bytes {
        0 => Err(LinkError::Closed),
        bytes => seat.take(&scratch[..bytes], clock, seen),
    }
}
