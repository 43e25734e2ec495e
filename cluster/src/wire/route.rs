//! What a gateway and an owner say to each other about a channel: [`starling_core::relay::message`].
//!
//! An answer may carry more messages than one frame does. They go before it, some hundred at a time, under its number;
//! the answer says how many there were. One that misses some, because the lane was full in between, is a refusal.

use bincode::{Decode, Encode};
use bytes::Bytes;
use starling_core::channel::{From, Publish, Question, Range, Refusal, Request, Selection, Skip};
use starling_core::id::{ChannelName, Seq, Serial, SlotId};
use starling_core::relay::{Answer, Asked, Told};
use starling_core::time::WallTime;

use super::entry::{MessageHead, OriginHead};
use super::name::{self, AuthorHead};
use super::{Header, WireError};
use crate::link::{CodecError, Lane, Outgoing};

mod answer;
mod gather;
mod place;
mod refusal;

use answer::AnswerHead;
pub(super) use gather::Gather;
use place::PositionHead;

/// From a gateway.
#[derive(Debug, Encode, Decode)]
pub(super) enum AskedHead {
    Publish {
        number: u64,
        origin: OriginHead,
        key: Option<String>,
        deleted: bool,
        since: u64,
    },
    Skip {
        number: u64,
        author: AuthorHead,
        serial: u64,
        base: u64,
        since: u64,
    },
    Attach {
        number: u64,
        from: FromHead,
    },
    Read {
        number: u64,
        epoch: Option<String>,
        after: u64,
        bytes_max: u32,
        messages_max: u32,
    },
    Describe {
        number: u64,
    },
    Values {
        number: u64,
        after: Option<String>,
        bytes_max: u64,
        values_max: u32,
    },
    Leave,
}

/// Where a reader wants to start.
#[derive(Debug, Encode, Decode)]
pub(super) enum FromHead {
    Head,
    Position(PositionHead),
    Rewind(u32),
}

/// To a gateway.
#[derive(Debug, Encode, Decode)]
pub(super) enum ToldHead {
    /// Messages of the answer with this number, which comes later.
    Part {
        number: u64,
        messages: Vec<MessageHead>,
    },
    Answer {
        number: u64,
        /// Messages of all its parts.
        messages: u32,
        answer: AnswerHead,
    },
    Live {
        epoch: String,
        messages: Vec<MessageHead>,
    },
    Behind {
        head: PositionHead,
    },
    Ended,
}

/// The message of a link that carries what a gateway asks.
///
/// # Errors
/// When a header is longer than one may be; the bounds of names see to it that none is.
pub fn encode_asked(slot: SlotId, channel: &ChannelName, asked: &Asked) -> Result<Outgoing, CodecError> {
    let mut payload = None;
    let head = match asked {
        Asked::Leave => AskedHead::Leave,
        Asked::Request(Request::Publish(publish)) => {
            payload = Some(publish.payload.clone());
            AskedHead::Publish {
                number: publish.to,
                origin: OriginHead::of(&publish.origin),
                key: publish.key.as_ref().map(|key| key.as_str().into()),
                deleted: publish.deleted,
                since: publish.since.0,
            }
        }
        Asked::Request(Request::Skip(skip)) => AskedHead::Skip {
            number: skip.to,
            author: name::author_head(&skip.author),
            serial: skip.serial.0,
            base: skip.base.0,
            since: skip.since.0,
        },
        Asked::Request(Request::Attach { to, from }) => AskedHead::Attach {
            number: *to,
            from: match from {
                From::Head => FromHead::Head,
                From::Position(position) => FromHead::Position(PositionHead::of(position)),
                From::Rewind(messages) => FromHead::Rewind(*messages),
            },
        },
        Asked::Request(Request::Read { to, range }) => AskedHead::Read {
            number: *to,
            epoch: range.epoch.as_ref().map(|epoch| epoch.as_str().into()),
            after: range.after.0,
            bytes_max: range.bytes_max,
            messages_max: range.messages_max,
        },
        Asked::Request(Request::Inspect { to, question }) => match question {
            Question::Description => AskedHead::Describe { number: *to },
            Question::Values(selection) => AskedHead::Values {
                number: *to,
                after: selection.after.as_ref().map(|key| key.as_str().into()),
                bytes_max: selection.bytes_max,
                values_max: u32::try_from(selection.values_max).unwrap_or(u32::MAX),
            },
        },
    };
    let header = Header::Asked(channel.as_str().into(), head);
    Outgoing::new(Lane::Slot(slot.0), &header, payload)
}

/// The messages of a link that carry what an owner tells, in order.
///
/// # Errors
/// When a header is longer than one may be; the bounds of names see to it that none is.
pub fn encode_told(slot: SlotId, channel: &ChannelName, told: &Told) -> Result<Vec<Outgoing>, CodecError> {
    let lane = Lane::Slot(slot.0);
    let frame = |head, payloads: Vec<Bytes>| {
        let header = Header::Told(channel.as_str().into(), head);
        Outgoing::new(lane, &header, payloads)
    };
    match told {
        Told::Ended => Ok(vec![frame(ToldHead::Ended, Vec::new())?]),
        Told::Behind { head } => {
            let head = PositionHead::of(head);
            Ok(vec![frame(ToldHead::Behind { head }, Vec::new())?])
        }
        Told::Live { epoch, messages } => gather::chunks(messages)
            .map(|(messages, payloads)| {
                let epoch = epoch.as_str().into();
                frame(ToldHead::Live { epoch, messages }, payloads)
            })
            .collect(),
        Told::Answer { number, answer } => {
            let (answer, messages) = AnswerHead::of(answer);
            let parts = gather::chunks(messages).map(|(messages, payloads)| {
                let number = *number;
                frame(ToldHead::Part { number, messages }, payloads)
            });
            let mut frames = parts.collect::<Result<Vec<_>, _>>()?;
            let last = ToldHead::Answer {
                number: *number,
                messages: u32::try_from(messages.len()).unwrap_or(u32::MAX),
                answer,
            };
            frames.push(frame(last, Vec::new())?);
            Ok(frames)
        }
    }
}

impl AskedHead {
    pub(super) fn asked(self, payloads: &[Bytes]) -> Result<Asked, WireError> {
        let payload = match (&self, payloads) {
            (Self::Publish { .. }, [payload]) => payload.clone(),
            (Self::Publish { .. }, _) => return Err(WireError::Payloads),
            (_, []) => Bytes::new(),
            _ => return Err(WireError::Payloads),
        };
        let key = |text: Option<String>| text.as_deref().map(name::key).transpose();
        let request = match self {
            Self::Leave => return Ok(Asked::Leave),
            Self::Publish {
                number,
                origin,
                key: text,
                deleted,
                since,
            } => Request::Publish(Publish {
                to: number,
                origin: origin.origin()?,
                key: key(text)?,
                deleted,
                payload,
                since: WallTime(since),
            }),
            Self::Skip {
                number,
                author,
                serial,
                base,
                since,
            } => Request::Skip(Skip {
                to: number,
                author: name::author(&author)?,
                serial: Serial(serial),
                base: Serial(base),
                since: WallTime(since),
            }),
            Self::Attach { number, from } => Request::Attach {
                to: number,
                from: match from {
                    FromHead::Head => From::Head,
                    FromHead::Position(position) => From::Position(position.position()?),
                    FromHead::Rewind(messages) => From::Rewind(messages),
                },
            },
            Self::Read {
                number,
                epoch,
                after,
                bytes_max,
                messages_max,
            } => Request::Read {
                to: number,
                range: Range {
                    epoch: epoch.as_deref().map(name::epoch).transpose()?,
                    after: Seq(after),
                    bytes_max,
                    messages_max,
                },
            },
            Self::Describe { number } => Request::Inspect {
                to: number,
                question: Question::Description,
            },
            Self::Values {
                number,
                after,
                bytes_max,
                values_max,
            } => Request::Inspect {
                to: number,
                question: Question::Values(Selection {
                    after: key(after)?,
                    bytes_max,
                    values_max: values_max as usize,
                }),
            },
        };
        Ok(Asked::Request(request))
    }
}

impl ToldHead {
    /// What it tells; `None` if more belongs to it.
    pub(super) fn told(
        self,
        channel: &ChannelName,
        payloads: &[Bytes],
        gather: &mut Gather,
    ) -> Result<Option<Told>, WireError> {
        let told = match self {
            Self::Part { number, messages } => {
                gather.add(channel, number, gather::messages(messages, payloads)?);
                return Ok(None);
            }
            Self::Live { epoch, messages } => Told::Live {
                epoch: name::epoch(&epoch)?,
                messages: gather::messages(messages, payloads)?,
            },
            _ if !payloads.is_empty() => return Err(WireError::Payloads),
            Self::Answer {
                number,
                messages,
                answer,
            } => Told::Answer {
                number,
                answer: match gather.take(channel, number, messages) {
                    Some(messages) => answer.answer(channel, messages)?,
                    None => Answer::Refused(Refusal::Busy),
                },
            },
            Self::Behind { head } => Told::Behind { head: head.position()? },
            Self::Ended => Told::Ended,
        };
        Ok(Some(told))
    }
}
