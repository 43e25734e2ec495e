//! A publisher under a hand-driven server.

use std::time::Duration;

use starling_protocol::v1::{ErrorCode, client_frame};

use super::*;
use crate::session::{Common, Effect};
use crate::{PublishError, Published, Stats};

mod giving_up;
mod model;
mod order;

const LOBBY: &str = "demo:lobby";

/// A publisher, with a clock and what it did.
struct Bench {
    publisher: Publisher,
    common: Common,
    start: Instant,
    now: Instant,
    tickets: u64,
}

/// What a publisher sent.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sent {
    Publish {
        request: u64,
        serial: u64,
        base: u64,
        since_ms: u64,
        payload: String,
    },
    Skip {
        request: u64,
        serial: u64,
        base: u64,
        since_ms: u64,
    },
}

/// What a publisher did.
#[derive(Debug, Default)]
struct Did {
    sent: Vec<Sent>,
    answers: Vec<(u64, Result<Published, PublishError>)>,
    settled: Vec<u64>,
}

impl Bench {
    /// Not connected.
    fn new() -> Self {
        let now = Instant::now();
        Self {
            publisher: Publisher::new(),
            common: Common::new(0),
            start: now,
            now,
            tickets: 0,
        }
    }

    fn connected() -> Self {
        let mut bench = Self::new();
        bench.connect(64);
        bench
    }

    fn connect(&mut self, in_flight: usize) -> Did {
        self.common.clock_ms += 1_000;
        self.publisher.connected(Limits {
            payload_bytes: 1_000,
            in_flight,
        });
        self.turn(|_, _| ())
    }

    fn disconnect(&mut self) {
        self.publisher.disconnected();
        self.common.requests.forget_all();
    }

    fn publish(&mut self, payload: &str) -> Did {
        self.publish_with(PublishOptions::new(LOBBY, payload.to_owned()))
    }

    fn publish_with(&mut self, options: PublishOptions) -> Did {
        self.tickets += 1;
        self.publisher.enqueue(Ticket(self.tickets), options, self.now);
        self.turn(|_, _| ())
    }

    /// It is `ms` milliseconds after the start.
    fn wake(&mut self, ms: u64) -> Did {
        self.now = self.start + Duration::from_millis(ms);
        self.turn(|publisher, turn| publisher.wake(turn))
    }

    fn ack(&mut self, serial: u64, seq: u64) -> Did {
        let position = Some(v1::Position {
            epoch: "0-a".into(),
            seq,
            term: 1,
        });
        self.answer(v1::Ack {
            serial,
            position,
            copies: 1,
            ..v1::Ack::default()
        })
    }

    fn skipped(&mut self, serial: u64) -> Did {
        self.answer(v1::Ack {
            serial,
            skipped: true,
            ..v1::Ack::default()
        })
    }

    fn answer(&mut self, ack: v1::Ack) -> Did {
        self.turn(|publisher, turn| publisher.ack(LOBBY, ack, turn).expect("an ack within the rules"))
    }

    fn refused(&mut self, request: u64, serial: u64, code: ErrorCode) -> Did {
        self.refused_with(
            serial,
            v1::Error {
                request,
                code: code.into(),
                message: "no".into(),
                ..Default::default()
            },
        )
    }

    fn gap(&mut self, request: u64, serial: u64, expected_serial: u64) -> Did {
        let code = ErrorCode::SerialGap.into();
        self.refused_with(
            serial,
            v1::Error {
                request,
                code,
                expected_serial,
                ..Default::default()
            },
        )
    }

    fn refused_with(&mut self, serial: u64, error: v1::Error) -> Did {
        self.turn(|publisher, turn| publisher.refused(LOBBY, serial, error, turn))
    }

    fn stats(&self) -> Stats {
        self.common.stats
    }

    /// One turn, and then what may be sent, as the session does it.
    fn turn(&mut self, act: impl FnOnce(&mut Publisher, &mut Turn<'_>)) -> Did {
        let mut effects = Vec::new();
        let mut turn = Turn {
            now: self.now,
            effects: &mut effects,
            common: &mut self.common,
        };
        act(&mut self.publisher, &mut turn);
        self.publisher.send(&mut turn);
        let mut did = Did::default();
        for effect in effects {
            match effect {
                Effect::Send(client_frame::Body::Publish(frame)) => {
                    let payload = String::from_utf8(frame.payload.to_vec()).expect("a text of the test");
                    let v1::Publish {
                        request,
                        serial,
                        base,
                        since_ms,
                        ..
                    } = frame;
                    did.sent.push(Sent::Publish {
                        request,
                        serial,
                        base,
                        since_ms,
                        payload,
                    });
                }
                Effect::Send(client_frame::Body::Skip(frame)) => {
                    let v1::Skip {
                        request,
                        serial,
                        base,
                        since_ms,
                        ..
                    } = frame;
                    did.sent.push(Sent::Skip {
                        request,
                        serial,
                        base,
                        since_ms,
                    });
                }
                Effect::Answer { ticket, outcome } => did.answers.push((ticket.0, outcome)),
                Effect::Settled(ticket) => did.settled.push(ticket.0),
                other => panic!("{other:?}"),
            }
        }
        did
    }
}

impl Sent {
    fn request(&self) -> u64 {
        match self {
            Self::Publish { request, .. } | Self::Skip { request, .. } => *request,
        }
    }
}

impl Did {
    /// The serials of what was published and, below 0, of what was skipped.
    fn serials(&self) -> Vec<i64> {
        let serial = |sent: &Sent| match sent {
            Sent::Publish { serial, .. } => *serial as i64,
            Sent::Skip { serial, .. } => -(*serial as i64),
        };
        self.sent.iter().map(serial).collect()
    }

    /// The request of the last frame.
    fn request(&self) -> u64 {
        self.sent.last().expect("something was sent").request()
    }

    /// The one answer.
    fn answered(&self) -> (u64, Result<u64, PublishError>) {
        let [(ticket, outcome)] = &self.answers[..] else {
            panic!("{:?}", self.answers)
        };
        (*ticket, outcome.clone().map(|published| published.position.seq))
    }

    fn is_nothing(&self) -> bool {
        self.sent.is_empty() && self.answers.is_empty() && self.settled.is_empty()
    }
}
