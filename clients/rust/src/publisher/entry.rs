//! One message on its way.

use std::time::{Duration, Instant};

use bytes::Bytes;
use starling_protocol::v1;

use crate::clock::later;
use crate::session::{Effect, Ticket};
use crate::{PublishError, PublishOptions, Published, Refusal};

/// A message that was not sent yet: it has no serial, and nobody knows of it.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) ticket: Ticket,
    pub(super) deadline: Instant,
    pub(super) timeout: Duration,
    pub(super) body: Body,
}

/// A serial that was sent at least once, or that the owner asked for, and has no result.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) serial: u64,
    pub(super) since_ms: u64,
    pub(super) what: What,
    /// When it was last sent on this connection, as which request; `None` if it has to be sent.
    pub(super) sent: Option<Sent>,
    /// Times that the message was sent, on any connection.
    pub(super) tries: u32,
    /// Times in a row that the owner wanted another serial instead.
    pub(super) gaps: u32,
    pub(super) asker: Option<Asker>,
}

/// Who waits for a result.
#[derive(Debug)]
pub(super) struct Asker {
    ticket: Ticket,
    /// When it stops waiting: for the message at first, for its retirement later.
    pub(super) deadline: Instant,
    timeout: Duration,
    /// What stood in the way last.
    cause: Option<String>,
    answered: bool,
}

/// The sending of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) at: Instant,
    pub(super) request: u64,
}

/// What is sent under a serial.
#[derive(Debug)]
pub(super) enum What {
    Publish(Body),
    /// The serial is retired. The error is what is reported once it is.
    Skip(Option<PublishError>),
}

/// A message.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) key: String,
    pub(super) delete: bool,
    pub(super) payload: Bytes,
}

impl Queued {
    pub(super) fn new(ticket: Ticket, options: PublishOptions, now: Instant) -> Self {
        let PublishOptions {
            payload,
            key,
            delete,
            timeout,
            ..
        } = options;
        let body = Body {
            key: key.unwrap_or_default(),
            delete,
            payload,
        };
        Self {
            ticket,
            deadline: later(now, timeout),
            timeout,
            body,
        }
    }

    /// It is sent for the first time.
    pub(super) fn number(self, serial: u64, since_ms: u64) -> Entry {
        let Self {
            ticket,
            deadline,
            timeout,
            body,
        } = self;
        let asker = Asker {
            ticket,
            deadline,
            timeout,
            cause: None,
            answered: false,
        };
        Entry {
            serial,
            since_ms,
            what: What::Publish(body),
            sent: None,
            tries: 0,
            gaps: 0,
            asker: Some(asker),
        }
    }
}

impl Entry {
    /// A serial that the owner asks for and that has no message any more.
    pub(super) fn ghost(serial: u64, since_ms: u64) -> Self {
        Self {
            serial,
            since_ms,
            what: What::Skip(None),
            sent: None,
            tries: 0,
            gaps: 0,
            asker: None,
        }
    }

    /// Whether this answer is to the last sending.
    pub(super) fn is_of(&self, request: u64) -> bool {
        self.sent.is_some_and(|sent| sent.request == request)
    }

    /// Retires the serial instead of publishing under it.
    pub(super) fn skip(&mut self, error: PublishError, now: Instant) {
        self.what = What::Skip(Some(error));
        self.sent = None;
        if let Some(asker) = &mut self.asker {
            asker.deadline = later(now, asker.timeout);
        }
    }

    /// What to report once the serial is retired.
    pub(super) fn retired(&mut self) -> PublishError {
        match &mut self.what {
            What::Skip(error) => error.take().unwrap_or(PublishError::OutcomeUnknown),
            What::Publish(_) => PublishError::OutcomeUnknown,
        }
    }

    /// What to report if the serial cannot be retired.
    ///
    /// Only the refusal of a message that was sent once is certain: an earlier sending may have been published.
    pub(super) fn unretired(&mut self) -> PublishError {
        match self.retired() {
            refused @ PublishError::Refused(_) if self.tries == 1 => refused,
            _ => PublishError::OutcomeUnknown,
        }
    }

    /// Notes what stands in the way.
    pub(super) fn blame(&mut self, refusal: &Refusal) {
        if let Some(asker) = &mut self.asker {
            asker.cause = Some(refusal.to_string());
        }
    }

    /// The error of a message that is out of time.
    pub(super) fn timed_out(&self, trouble: Option<&str>) -> PublishError {
        let cause = self.asker.as_ref().and_then(|asker| asker.cause.clone());
        PublishError::TimedOut {
            cause: trouble.map(str::to_owned).or(cause),
        }
    }

    /// When its asker stops waiting.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.asker
            .as_ref()
            .filter(|asker| !asker.answered)
            .map(|asker| asker.deadline)
    }

    /// Tells the asker, once. The entry goes on until it has a result.
    pub(super) fn answer(&mut self, outcome: Result<Published, PublishError>, effects: &mut Vec<Effect>) {
        if let Some(asker) = self.asker.as_mut().filter(|asker| !asker.answered) {
            asker.answered = true;
            effects.push(Effect::Answer {
                ticket: asker.ticket,
                outcome,
            });
        }
    }

    /// It has its result.
    pub(super) fn settle(mut self, outcome: Result<Published, PublishError>, effects: &mut Vec<Effect>) {
        self.answer(outcome, effects);
        if let Some(asker) = self.asker {
            effects.push(Effect::Settled(asker.ticket));
        }
    }

    /// The frame to send, as this request.
    pub(super) fn frame(&self, request: u64, channel: &str, base: u64) -> Effect {
        let (channel, serial, since_ms) = (channel.to_owned(), self.serial, self.since_ms);
        Effect::Send(match &self.what {
            What::Publish(Body { key, delete, payload }) => {
                let (key, delete, payload) = (key.clone(), *delete, payload.clone());
                v1::Publish {
                    request,
                    channel,
                    serial,
                    base,
                    since_ms,
                    key,
                    delete,
                    payload,
                }
                .into()
            }
            What::Skip(_) => v1::Skip {
                request,
                channel,
                serial,
                base,
                since_ms,
            }
            .into(),
        })
    }
}
