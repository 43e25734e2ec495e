//! What a server may send.

use super::{Checked, Subject, document, goodbye, presence};
use crate::limits;
use crate::v1::server_frame::Body;
use crate::v1::{
    Ack, Attached, Detached, Discontinuity, Error, ErrorCode, Lagged, Page, Publication, Refreshed, Skipped, Snapshot,
    Welcome,
};

pub(in crate::frame) fn server(body: &Body) -> Checked {
    match body {
        Body::Publication(frame) => publication(frame),
        Body::Ack(frame) => ack(frame),
        Body::Page(frame) => page(frame),
        Body::Snapshot(frame) => snapshot(frame),
        Body::Skipped(frame) => skipped(frame),
        Body::Lagged(frame) => lagged(frame),
        Body::Attached(frame) => attached(frame),
        Body::Detached(frame) => detached(frame),
        Body::Discontinuity(frame) => discontinuity(frame),
        Body::Error(frame) => error(frame),
        Body::PresenceChanges(frame) => presence::changes(frame),
        Body::Ephemerals(frame) => presence::ephemerals(frame),
        Body::Occupancy(frame) => presence::occupancy(frame),
        Body::Entered(frame) => presence::entered(frame),
        Body::Left(frame) => presence::left(frame),
        Body::Watched(frame) => presence::watched(frame),
        Body::Roster(frame) => presence::roster(frame),
        Body::Certainty(frame) => presence::certainty(frame),
        Body::DocumentPart(frame) => document::told(frame),
        Body::DocumentSaved(frame) => document::saved(frame),
        Body::DocumentOpened(frame) => document::opened(frame),
        Body::DocumentRefused(frame) => document::refused(frame),
        Body::Welcome(frame) => welcome(frame),
        Body::Refreshed(frame) => refreshed(frame),
        Body::Goodbye(frame) => goodbye(frame),
        // Any number is a nonce, and a clock may read anything.
        Body::Ping(_) | Body::Pong(_) => Ok(()),
    }
}

fn publication(frame: &Publication) -> Checked {
    let subject = on_channel("publication", frame.channel_id)?;
    subject.present("seq", frame.seq != 0)?;
    subject.key(&frame.key, ("deleted", frame.deleted), &frame.payload)
}

/// An ack without a position says that nothing was published, so the two must not be mixed up.
fn ack(frame: &Ack) -> Checked {
    let subject = Subject::of("ack");
    subject.present("request", frame.request != 0)?;
    subject.present("serial", frame.serial != 0)?;
    if frame.skipped {
        return subject.agrees("position", "skipped", frame.position.is_none());
    }
    let position = subject.position("position", frame.position.as_ref())?;
    subject.present("position.seq", position.seq != 0)
}

/// A page is a run of messages without a gap: a reader appends it to what it has and looks no further.
fn page(frame: &Page) -> Checked {
    let subject = on_channel("page", frame.channel_id)?;
    subject.present("entries", !frame.entries.is_empty())?;
    let mut before = frame.after;
    for entry in &frame.entries {
        let next = before.checked_add(1) == Some(entry.seq);
        subject.in_range("entries.seq", entry.seq, next, "the number after the one before it")?;
        subject.key(&entry.key, ("deleted", entry.deleted), &entry.payload)?;
        before = entry.seq;
    }
    Ok(())
}

fn snapshot(frame: &Snapshot) -> Checked {
    let subject = on_channel("snapshot", frame.channel_id)?;
    let at = subject.position("at", frame.at.as_ref())?;
    for entry in &frame.entries {
        subject.present("entries.key", !entry.key.is_empty())?;
        subject.key(&entry.key, ("deleted", entry.deleted), &entry.payload)?;
        // What a whole state does not list does not exist: a removed key in it would be two answers.
        subject.agrees("entries.deleted", "replace", !(frame.replace && entry.deleted))?;
        let seq = entry.seq;
        subject.in_range(
            "entries.seq",
            seq,
            (1..=at.seq).contains(&seq),
            "from 1 up to the position of the snapshot",
        )?;
    }
    Ok(())
}

fn skipped(frame: &Skipped) -> Checked {
    let subject = on_channel("skipped", frame.channel_id)?;
    subject.present("to", frame.to != 0)?;
    let count = frame.count;
    subject.in_range(
        "count",
        count,
        (1..=frame.to).contains(&count),
        "at least 1 and at most the last one left out",
    )
}

fn lagged(frame: &Lagged) -> Checked {
    on_channel("lagged", frame.channel_id).map(drop)
}

fn attached(frame: &Attached) -> Checked {
    let subject = on_channel("attached", frame.channel_id)?;
    subject.present("request", frame.request != 0)?;
    subject.text("channel", &frame.channel, limits::CHANNEL_BYTES_MAX)?;
    let position = subject.position("position", frame.position.as_ref())?;
    subject.in_range(
        "head",
        frame.head,
        frame.head >= position.seq,
        "no lower than the position",
    )?;
    subject.present("window", frame.window.is_some())?;
    subject.present("outcome", frame.outcome.is_some())
}

/// The request is 0 when the server detached the session by itself.
fn detached(frame: &Detached) -> Checked {
    on_channel("detached", frame.channel_id).map(drop)
}

fn discontinuity(frame: &Discontinuity) -> Checked {
    on_channel("discontinuity", frame.channel_id)?
        .position("position", frame.position.as_ref())
        .map(drop)
}

fn error(frame: &Error) -> Checked {
    let subject = Subject::of("error");
    subject.present("code", frame.code != 0)?;
    subject.at_most("message", &frame.message, limits::TEXT_BYTES_MAX)?;
    subject.at_most("channel", &frame.channel, limits::CHANNEL_BYTES_MAX)?;
    let names_serial = frame.code() != ErrorCode::SerialGap || frame.expected_serial != 0;
    subject.present("expected_serial", names_serial)
}

fn welcome(frame: &Welcome) -> Checked {
    let subject = Subject::of("welcome");
    subject.present("version", frame.version != 0)?;
    subject.text("session", &frame.session, limits::NAME_BYTES_MAX)?;
    subject.text("node", &frame.node, limits::NAME_BYTES_MAX)?;
    subject.present("heartbeat_ms", frame.heartbeat_ms != 0)?;
    // A publish carries it back as `since_ms`, which may not be 0.
    subject.present("time_ms", frame.time_ms != 0)?;
    subject.present("window", frame.window.is_some())?;
    let Some(limits) = &frame.limits else {
        return subject.present("limits", false);
    };
    subject.present("limits.frame_bytes", limits.frame_bytes != 0)?;
    subject.present("limits.channels", limits.channels != 0)?;
    subject.present("limits.publishes_in_flight", limits.publishes_in_flight != 0)
}

fn refreshed(frame: &Refreshed) -> Checked {
    Subject::of("refreshed").present("request", frame.request != 0)
}

pub(super) fn on_channel(frame: &'static str, channel_id: u32) -> Result<Subject, crate::frame::DecodeError> {
    let subject = Subject::of(frame);
    subject.present("channel_id", channel_id != 0)?;
    Ok(subject)
}
