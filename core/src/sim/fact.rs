//! What happened, as far as the checks care: one closed list.
//!
//! The world tells facts as they happen; the [checker](super::check) judges each against all before
//! it. Facts are plain data, so that a recorded history can be altered and judged again.

use std::fmt;
use std::sync::Arc;

use super::plan::ClientId;
use crate::backpressure::Policy;
use crate::channel::{self, Ack, Attachment, Message, Page, Range, Reason, Refusal};
use crate::id::{ChannelName, Epoch, Key, Position, Seq, Serial};
use crate::session::answer::SkipReason;
use crate::slot::Entry;
use crate::time::WallTime;

/// One publish of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Op(pub(super) u32);

/// One reader of an application, from its subscription to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReaderId(pub(super) u32);

/// One thing that happened.
#[derive(Debug, Clone)]
pub(super) enum Fact {
    /// An application called publish.
    Invoked {
        op: Op,
        client: ClientId,
        channel: ChannelName,
        key: Option<Key>,
        deleted: bool,
    },
    /// The client sent it for the first time, under this serial.
    Numbered { op: Op, serial: Serial },
    /// The application learnt what became of it.
    Settled { op: Op, outcome: Outcome },
    /// A slot committed an entry.
    Committed(Arc<Entry>),
    /// What an ephemeral channel knew may be lost: its actor failed.
    Lost { channel: ChannelName },
    /// The node began again without memory.
    Restarted { reset: bool },
    /// The actor of a channel started with this: its head, and the first seq kept.
    Opened {
        channel: ChannelName,
        found: Option<(Position, Seq)>,
    },
    /// Somebody asked something of a channel.
    Used { channel: ChannelName },
    /// A channel gave a message to its readers.
    FannedOut {
        channel: ChannelName,
        epoch: Epoch,
        message: Arc<Message>,
    },
    /// A channel acknowledged a publish or a skip.
    Acked { asked: Asked, ack: Ack },
    /// A channel refused a publish or a skip.
    Refused { asked: Asked, refusal: Refusal },
    /// A channel answered an attach.
    Placed {
        channel: ChannelName,
        from: channel::From,
        attachment: Attachment,
    },
    /// A channel answered a read.
    Paged {
        channel: ChannelName,
        range: Range,
        page: Page,
    },
    /// An application subscribed.
    Began {
        reader: ReaderId,
        client: ClientId,
        channel: ChannelName,
    },
    /// A reader was told something.
    Seen { reader: ReaderId, seen: Seen },
    /// An application let go of a reader.
    Ended { reader: ReaderId },
    /// After the end: where a slot holds a channel.
    Held {
        channel: ChannelName,
        head: Position,
        floor: Seq,
        history: Vec<Arc<Message>>,
    },
    /// After the end: whether a reader is attached.
    Rested { reader: ReaderId, attached: bool },
    /// The end: whatever was asked is answered by now.
    Over,
}

/// A publish or a skip, as it reached the channel.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) client: ClientId,
    pub(super) channel: ChannelName,
    pub(super) serial: Serial,
    pub(super) since: WallTime,
    pub(super) skip: bool,
}

/// What became of a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It stands at this position.
    Published(Position),
    /// It never will be: its serial is retired, or it was never sent.
    Failed,
    /// Nobody can tell.
    Unknown,
}

/// What a reader was told.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    /// It is attached. `asked` is the position it came with.
    Attached {
        asked: Option<Position>,
        policy: Policy,
        attachment: Attachment,
    },
    /// The values of a keyed channel as of here: all of them, or those that changed.
    Snapshot {
        replace: bool,
        at: Position,
        values: Vec<Arc<Message>>,
    },
    /// The message after its last.
    Message { message: Arc<Message>, paged: bool },
    /// Messages were left out.
    Skipped { to: Seq, count: u64, reason: SkipReason },
    /// It lost its place.
    Discontinuity { reason: Reason, position: Position },
    /// It is too slow.
    Lagged { seq: Seq },
    /// Something that does not follow what it has, without a word why.
    OutOfTurn { last: Seq, found: Seq },
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl fmt::Display for ReaderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reader {}", self.0)
    }
}

/// The payload that tells which publish a message is, and as many bytes as wanted: `#42.......`.
pub(super) fn payload(op: Op, bytes: usize) -> Vec<u8> {
    let mut payload = format!("{op}.").into_bytes();
    payload.resize(bytes.max(payload.len()), b'.');
    payload
}

/// The publish that a message is; `None` for one that removes a key and so carries nothing.
pub(super) fn op_of(message: &Message) -> Option<Op> {
    let text = std::str::from_utf8(&message.payload).ok()?;
    let (number, _) = text.strip_prefix('#')?.split_once('.')?;
    number.parse().ok().map(Op)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Term;

    #[test]
    fn a_payload_tells_its_publish() {
        let mut message = Message {
            seq: Seq(1),
            term: Term(1),
            time: WallTime(0),
            key: None,
            deleted: false,
            payload: payload(Op(77), 9).into(),
        };
        assert_eq!((op_of(&message), message.payload.len()), (Some(Op(77)), 9));
        message.payload = payload(Op(78), 0).into();
        assert_eq!((op_of(&message), message.payload.len()), (Some(Op(78)), 4));
        message.payload = bytes::Bytes::new();
        assert_eq!(op_of(&message), None);
    }
}
