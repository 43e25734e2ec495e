//! Events and facts as lines: what a run that is replayed must repeat to the letter.

use std::fmt;

use super::fact::{Asked, Fact, Op, Outcome, Seen, op_of};
use super::link::{Frame, Up};
use super::scene::Event;
use crate::channel::{Message, Page};
use crate::session::answer::Answer;
use crate::session::request::{Publish, Request};
use crate::slot::{Change, Entry};

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Act(action) => write!(f, "act {action:?}"),
            Self::Up(link) => write!(f, "{link} reaches the node"),
            Self::Down(link) => write!(f, "{link} reaches its client"),
            Self::Slot(actor) => write!(f, "slot turn of actor {}", actor.0),
            Self::SlotWake(actor) => write!(f, "slot alarm of actor {}", actor.0),
            Self::Channel(channel, actor) => write!(f, "{channel} turn of actor {}", actor.0),
            Self::Look(channel, actor) => write!(f, "{channel} look of actor {}", actor.0),
            Self::Session(link) => write!(f, "{link} session turn"),
            Self::Alarm(link) => write!(f, "{link} session alarm"),
            Self::Client(client) => write!(f, "client {client} wakes"),
            Self::Sync(life) => write!(f, "the store syncs for life {life}"),
            Self::Load(life, channel) => write!(f, "the store loads {channel} for life {life}"),
            Self::NodeUp => f.write_str("the node is up"),
            Self::Heal => f.write_str("faults stop"),
            Self::Probe => f.write_str("probe"),
        }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { channel_id, message } => write!(f, "{} of {channel_id:?}", Brief(message)),
            Self::Page {
                channel_id,
                after,
                messages,
            } => write!(f, "{} messages after {after} of {channel_id:?}", messages.len()),
            Self::Snapshot {
                channel_id,
                at,
                values,
                last,
                ..
            } => write!(f, "{} values at {at} of {channel_id:?}, last {last}", values.len()),
            Self::Answer(Answer::Attached {
                request,
                channel_id,
                attachment,
                ..
            }) => write!(f, "attached {request:?}, {channel_id:?} at {}", attachment.position),
            Self::Answer(Answer::Ack { request, ack, .. }) => {
                write!(
                    f,
                    "ack {request:?}, {:?}",
                    ack.position.as_ref().map(|position| position.seq)
                )
            }
            Self::Answer(answer) => write!(f, "{answer:?}"),
            Self::Goodbye => f.write_str("goodbye"),
        }
    }
}

impl fmt::Display for Up {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(Request::Publish(publish)) => {
                let Publish {
                    request,
                    channel,
                    serial,
                    base,
                    ..
                } = publish;
                write!(f, "publish {request:?} on {channel}, serial {serial}, base {base}")
            }
            Self::Request(request) => write!(f, "{request:?}"),
            Self::Open => f.write_str("open"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invoked {
                op,
                client,
                channel,
                key,
                deleted,
            } => write!(
                f,
                "| client {client} publishes {op} on {channel}, key {key:?}, deleted {deleted}"
            ),
            Self::Numbered { op, serial } => write!(f, "| {op} is serial {serial}"),
            Self::Settled { op, outcome } => match outcome {
                Outcome::Published(position) => write!(f, "| {op} is published at {position}"),
                Outcome::Failed | Outcome::Unknown => write!(f, "| {op} is {outcome:?}"),
            },
            Self::Committed(entry) => committed(entry, f),
            Self::Lost { channel } => write!(f, "| {channel} may be lost"),
            Self::Restarted { reset } => write!(f, "| the node is down, reset {reset}"),
            Self::Opened { channel, found } => match found {
                Some((head, floor)) => write!(f, "| {channel} opens at {head}, floor {floor}"),
                None => write!(f, "| {channel} opens empty"),
            },
            Self::Used { channel } => write!(f, "| {channel} is used"),
            Self::FannedOut { channel, message, .. } => write!(f, "| {channel} gives out {}", Brief(message)),
            Self::Acked { asked, ack } => {
                let duplicate = if ack.duplicate { ", again" } else { "" };
                match &ack.position {
                    Some(position) => write!(f, "| {} acknowledged at {position}{duplicate}", Named(asked)),
                    None => write!(f, "| {} retired{duplicate}", Named(asked)),
                }
            }
            Self::Refused { asked, refusal } => write!(f, "| {} refused: {refusal:?}", Named(asked)),
            Self::Placed {
                channel,
                from,
                attachment,
            } => {
                let (outcome, position, head) = (attachment.outcome, &attachment.position, attachment.head.seq);
                write!(
                    f,
                    "| {channel} answers {from:?}: {outcome:?} at {position}, head {head}"
                )
            }
            Self::Paged { channel, page, .. } => match page {
                Page::Messages { after, messages, .. } => {
                    write!(f, "| {channel} gives {} messages after {after}", messages.len())
                }
                Page::Stored { after, .. } => write!(f, "| {channel} reads after {after} from its store"),
                Page::Lost { reason, position } => write!(f, "| {channel} lost a reader: {reason:?}, on at {position}"),
            },
            Self::Began {
                reader,
                client,
                channel,
            } => write!(f, "| {reader} of client {client} on {channel} begins"),
            Self::Seen { reader, seen } => saw(*reader, seen, f),
            Self::Ended { reader } => write!(f, "| {reader} ends"),
            Self::Held {
                channel, head, floor, ..
            } => write!(f, "| {channel} is held at {head}, floor {floor}"),
            Self::Rested { reader, attached } => write!(f, "| {reader} rests, attached {attached}"),
            Self::Over => f.write_str("| over"),
        }
    }
}

fn committed(entry: &Entry, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Entry {
        index, channel, change, ..
    } = entry;
    write!(f, "| entry {index}: {channel} ")?;
    match change {
        Change::Publish { message, floor, .. } => write!(f, "{}, floor {floor}", Brief(message)),
        Change::Skip { author, serial } => write!(f, "skips {serial} of client {}", author.publisher.0[0]),
        Change::ExpirePublishers { authors } => write!(f, "forgets {} publishers", authors.len()),
        change => write!(f, "{change:?}"),
    }
}

fn saw(reader: super::fact::ReaderId, seen: &Seen, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match seen {
        Seen::Attached { policy, attachment, .. } => {
            let (outcome, position) = (attachment.outcome, &attachment.position);
            write!(f, "| {reader} {outcome:?} at {position}, {policy:?}")
        }
        Seen::Message { message, paged } => {
            let how = if *paged { "reads" } else { "gets" };
            write!(f, "| {reader} {how} {}", Brief(message))
        }
        Seen::Snapshot { replace, at, values } => {
            write!(
                f,
                "| {reader} is given {} values at {at}, replace {replace}",
                values.len()
            )
        }
        seen => write!(f, "| {reader} {seen:?}"),
    }
}

/// A message without its payload.
struct Brief<'a>(&'a Message);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Message { seq, key, deleted, .. } = self.0;
        write!(f, "message {seq}")?;
        match op_of(self.0) {
            Some(Op(number)) => write!(f, " #{number}")?,
            None => f.write_str(" without payload")?,
        }
        match key {
            Some(key) if *deleted => write!(f, " removes {key}"),
            Some(key) => write!(f, " sets {key}"),
            None => Ok(()),
        }
    }
}

/// A publish or a skip without the rest.
struct Named<'a>(&'a Asked);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Asked {
            client,
            channel,
            serial,
            skip,
            ..
        } = self.0;
        let what = if *skip { "skip" } else { "publish" };
        write!(f, "{what} {serial} of client {client} on {channel}")
    }
}
