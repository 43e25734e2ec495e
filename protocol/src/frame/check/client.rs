//! What a client may send.

use super::{Checked, Subject, document, goodbye, presence};
use crate::frame::Fault;
use crate::limits;
use crate::v1::client_frame::Body;
use crate::v1::{Attach, Detach, Hello, Policy, Publish, Pull, Refresh, Skip, attach};

pub(in crate::frame) fn client(body: &Body) -> Checked {
    match body {
        Body::Publish(frame) => publish(frame),
        Body::Pull(frame) => pull(frame),
        Body::Attach(frame) => attach(frame),
        Body::Detach(frame) => detach(frame),
        Body::Skip(frame) => skip(frame),
        Body::Enter(frame) => presence::enter(frame),
        Body::Ephemeral(frame) => presence::ephemeral(frame),
        Body::Leave(frame) => presence::leave(frame),
        Body::Watch(frame) => presence::watch(frame),
        Body::DocumentPart(frame) => document::sent(frame),
        Body::OpenDocument(frame) => document::open(frame),
        Body::CloseDocument(frame) => document::close(frame),
        Body::Hello(frame) => hello(frame),
        Body::Refresh(frame) => refresh(frame),
        Body::Goodbye(frame) => goodbye(frame),
        // Any number is a nonce, and credit is added to what is left, so 0 does no harm.
        Body::Ping(_) | Body::Pong(_) | Body::Credit(_) => Ok(()),
    }
}

fn publish(frame: &Publish) -> Checked {
    let subject = Subject::request("publish", frame.request)?;
    subject.text("channel", &frame.channel, limits::CHANNEL_BYTES_MAX)?;
    serial(subject, frame.serial, frame.base, frame.since_ms)?;
    subject.key(&frame.key, ("delete", frame.delete), &frame.payload)
}

fn skip(frame: &Skip) -> Checked {
    let subject = Subject::request("skip", frame.request)?;
    subject.text("channel", &frame.channel, limits::CHANNEL_BYTES_MAX)?;
    serial(subject, frame.serial, frame.base, frame.since_ms)
}

/// The three numbers by which an owner tells a retry from a new message.
fn serial(subject: Subject, serial: u64, base: u64, since_ms: u64) -> Checked {
    subject.present("serial", serial != 0)?;
    subject.present("base", base != 0)?;
    subject.in_range(
        "base",
        base,
        base <= serial,
        "no higher than the serial, which has no result yet either",
    )?;
    // Without it a publish that slept in a closed laptop could not be told from a fresh one.
    subject.present("since_ms", since_ms != 0)
}

fn attach(frame: &Attach) -> Checked {
    let subject = Subject::request("attach", frame.request)?;
    subject.text("channel", &frame.channel, limits::CHANNEL_BYTES_MAX)?;
    if let Some(attach::From::Position(position)) = &frame.from {
        subject.position("position", Some(position))?;
    }
    // A policy that is not known could only be replaced by another, which the reader did not ask for.
    if Policy::try_from(frame.policy).is_err() {
        return subject.refuse("policy", Fault::UnknownValue { value: frame.policy });
    }
    Ok(())
}

fn detach(frame: &Detach) -> Checked {
    Subject::request("detach", frame.request)?.present("channel_id", frame.channel_id != 0)
}

fn pull(frame: &Pull) -> Checked {
    Subject::of("pull").present("channel_id", frame.channel_id != 0)
}

fn hello(frame: &Hello) -> Checked {
    let subject = Subject::of("hello");
    let (min, max) = (frame.version_min, frame.version_max);
    subject.present("version_min", min != 0)?;
    subject.in_range("version_max", max.into(), max >= min, "no lower than version_min")?;
    subject.at_most("token", &frame.token, limits::TOKEN_BYTES_MAX)?;
    subject.exactly("publisher", &frame.publisher, limits::PUBLISHER_BYTES)?;
    if !frame.client.is_empty() {
        subject.exactly("client", &frame.client, limits::CLIENT_BYTES)?;
    }
    subject.at_most("agent", &frame.agent, limits::AGENT_BYTES_MAX)?;
    let credit = frame.page_credit;
    let enough = credit == 0 || credit >= limits::PAGE_CREDIT_BYTES_MIN;
    subject.in_range(
        "page_credit",
        credit.into(),
        enough,
        "0 for the default, or room for a page of 256 KiB",
    )
}

fn refresh(frame: &Refresh) -> Checked {
    Subject::request("refresh", frame.request)?.text("token", &frame.token, limits::TOKEN_BYTES_MAX)
}
