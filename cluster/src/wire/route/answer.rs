//! Answers, without their messages.

use std::sync::Arc;

use bincode::{Decode, Encode};
use starling_core::channel::{
    Ack, Attachment, Description, Inspection, Message, Outcome, Page, Reason, Selected, Values,
};
use starling_core::id::{ChannelName, Seq};
use starling_core::relay::Answer;

use super::place::PositionHead;
use super::refusal::RefusalHead;
use crate::wire::WireError;

#[derive(Debug, Encode, Decode)]
pub(in crate::wire) enum AnswerHead {
    Acknowledged {
        position: Option<PositionHead>,
        copies: u8,
        duplicate: bool,
    },
    Refused(RefusalHead),
    Attached {
        outcome: OutcomeHead,
        position: PositionHead,
        head: PositionHead,
        values: ValuesHead,
    },
    Page {
        after: PositionHead,
        head: PositionHead,
    },
    Lost {
        reason: ReasonHead,
        position: PositionHead,
    },
    Described {
        head: PositionHead,
        first: u64,
        messages: u64,
        bytes: u64,
        keys: Option<u64>,
    },
    Selected {
        at: PositionHead,
        more: bool,
    },
    Moved,
}

#[derive(Debug, Clone, Copy, Encode, Decode)]
pub(in crate::wire) enum OutcomeHead {
    Resumed,
    Rewound(u64),
    Discontinuity(ReasonHead),
}

#[derive(Debug, Clone, Copy, Encode, Decode)]
pub(in crate::wire) enum ValuesHead {
    None,
    Changed,
    Replace,
}

#[derive(Debug, Clone, Copy, Encode, Decode)]
pub(in crate::wire) enum ReasonHead {
    WindowExceeded,
    NodeRestarted,
    Expired,
    NoHistory,
    Truncated,
    PositionAhead,
    Forked,
    AllCopiesLost,
    UnknownEpoch,
    Forbidden,
}

impl AnswerHead {
    /// The head of an answer, and the messages that belong to it.
    pub(super) fn of(answer: &Answer) -> (Self, &[Arc<Message>]) {
        match answer {
            Answer::Acknowledged(ack) => {
                let head = Self::Acknowledged {
                    position: ack.position.as_ref().map(PositionHead::of),
                    copies: ack.copies,
                    duplicate: ack.duplicate,
                };
                (head, &[])
            }
            Answer::Refused(refusal) => (Self::Refused(RefusalHead::of(refusal)), &[]),
            Answer::Attached(Attachment {
                outcome,
                position,
                head,
                values,
            }) => {
                let (values, messages) = match values {
                    None => (ValuesHead::None, [].as_slice()),
                    Some(Values::Changed(messages)) => (ValuesHead::Changed, messages.as_slice()),
                    Some(Values::Replace(messages)) => (ValuesHead::Replace, messages.as_slice()),
                };
                let head = Self::Attached {
                    outcome: OutcomeHead::of(*outcome),
                    position: PositionHead::of(position),
                    head: PositionHead::of(head),
                    values,
                };
                (head, messages)
            }
            Answer::Page(Page::Messages { after, messages, head }) => {
                let head = Self::Page {
                    after: PositionHead::of(after),
                    head: PositionHead::of(head),
                };
                (head, messages)
            }
            Answer::Page(Page::Lost { reason, position }) => {
                let head = Self::Lost {
                    reason: ReasonHead::of(*reason),
                    position: PositionHead::of(position),
                };
                (head, &[])
            }
            // An owner answers when its store has: one that does not is busy.
            Answer::Page(Page::Stored { .. }) => (Self::Refused(RefusalHead::Busy), &[]),
            Answer::Inspected(Inspection::Description(description)) => {
                let head = Self::Described {
                    head: PositionHead::of(&description.head),
                    first: description.first.0,
                    messages: description.messages as u64,
                    bytes: description.bytes,
                    keys: description.keys.map(|keys| keys as u64),
                };
                (head, &[])
            }
            Answer::Inspected(Inspection::Values(Selected { at, values, more })) => {
                let head = Self::Selected {
                    at: PositionHead::of(at),
                    more: *more,
                };
                (head, values)
            }
            Answer::Moved => (Self::Moved, &[]),
        }
    }

    /// The answer about `channel`, with its messages.
    pub(super) fn answer(self, channel: &ChannelName, messages: Vec<Arc<Message>>) -> Result<Answer, WireError> {
        let carries = matches!(
            self,
            Self::Page { .. }
                | Self::Selected { .. }
                | Self::Attached {
                    values: ValuesHead::Changed | ValuesHead::Replace,
                    ..
                }
        );
        if !carries && !messages.is_empty() {
            return Err(WireError::Payloads);
        }
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(match self {
            Self::Acknowledged {
                position,
                copies,
                duplicate,
            } => Answer::Acknowledged(Ack {
                position: position.as_ref().map(PositionHead::position).transpose()?,
                copies,
                duplicate,
            }),
            Self::Refused(refusal) => Answer::Refused(refusal.refusal(channel)),
            Self::Attached {
                outcome,
                position,
                head,
                values,
            } => Answer::Attached(Attachment {
                outcome: outcome.outcome(),
                position: position.position()?,
                head: head.position()?,
                values: match values {
                    ValuesHead::None => None,
                    ValuesHead::Changed => Some(Values::Changed(messages)),
                    ValuesHead::Replace => Some(Values::Replace(messages)),
                },
            }),
            Self::Page { after, head } => Answer::Page(Page::Messages {
                after: after.position()?,
                messages,
                head: head.position()?,
            }),
            Self::Lost { reason, position } => Answer::Page(Page::Lost {
                reason: reason.reason(),
                position: position.position()?,
            }),
            Self::Described {
                head,
                first,
                messages,
                bytes,
                keys,
            } => Answer::Inspected(Inspection::Description(Description {
                head: head.position()?,
                first: Seq(first),
                messages: number(messages),
                bytes,
                keys: keys.map(number),
            })),
            Self::Selected { at, more } => Answer::Inspected(Inspection::Values(Selected {
                at: at.position()?,
                values: messages,
                more,
            })),
            Self::Moved => Answer::Moved,
        })
    }
}

impl OutcomeHead {
    const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Resumed => Self::Resumed,
            Outcome::Rewound(messages) => Self::Rewound(messages),
            Outcome::Discontinuity(reason) => Self::Discontinuity(ReasonHead::of(reason)),
        }
    }

    const fn outcome(self) -> Outcome {
        match self {
            Self::Resumed => Outcome::Resumed,
            Self::Rewound(messages) => Outcome::Rewound(messages),
            Self::Discontinuity(reason) => Outcome::Discontinuity(reason.reason()),
        }
    }
}

/// One list for both ways.
macro_rules! reasons {
    ($($name:ident),*) => {
        impl ReasonHead {
            const fn of(reason: Reason) -> Self {
                match reason { $(Reason::$name => Self::$name),* }
            }

            const fn reason(self) -> Reason {
                match self { $(Self::$name => Reason::$name),* }
            }
        }
    };
}

reasons!(
    WindowExceeded,
    NodeRestarted,
    Expired,
    NoHistory,
    Truncated,
    PositionAhead,
    Forked,
    AllCopiesLost,
    UnknownEpoch,
    Forbidden
);
