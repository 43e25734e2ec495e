//! What either side may send about presence.

use super::server::on_channel;
use super::{Checked, Subject};
use crate::limits;
use crate::v1::{
    Absent, Certainty, Enter, Entered, Ephemeral, EphemeralState, Ephemerals, Leave, Left, Occupancy, PresenceChanges,
    Present, Roster, Watch, Watched,
};

pub(super) fn enter(frame: &Enter) -> Checked {
    let subject = Subject::request("enter", frame.request)?;
    subject.text("channel", &frame.channel, limits::CHANNEL_BYTES_MAX)
    // How long a state may be, the namespace says; one that is too long has a refusal of its own.
}

pub(super) fn leave(frame: &Leave) -> Checked {
    let subject = Subject::request("leave", frame.request)?;
    subject.text("channel", &frame.channel, limits::CHANNEL_BYTES_MAX)
}

pub(super) fn watch(frame: &Watch) -> Checked {
    let subject = Subject::request("watch", frame.request)?;
    subject.text("channel", &frame.channel, limits::CHANNEL_BYTES_MAX)
}

pub(super) fn ephemeral(frame: &Ephemeral) -> Checked {
    let subject = Subject::of("ephemeral");
    subject.text("channel", &frame.channel, limits::CHANNEL_BYTES_MAX)?;
    subject.present("number", frame.number != 0)?;
    subject.bytes_at_most("state", &frame.state, limits::EPHEMERAL_BYTES_MAX)
}

pub(super) fn entered(frame: &Entered) -> Checked {
    let subject = Subject::of("entered");
    subject.present("request", frame.request != 0)?;
    subject.exactly("client", &frame.client, limits::CLIENT_BYTES)
}

pub(super) fn left(frame: &Left) -> Checked {
    Subject::of("left").present("request", frame.request != 0)
}

pub(super) fn watched(frame: &Watched) -> Checked {
    let subject = on_channel("watched", frame.channel_id)?;
    subject.present("request", frame.request != 0)?;
    subject.text("channel", &frame.channel, limits::CHANNEL_BYTES_MAX)
}

/// A part without anybody is right: a channel may be empty.
pub(super) fn roster(frame: &Roster) -> Checked {
    let subject = on_channel("roster", frame.channel_id)?;
    frame.clients.iter().try_for_each(|client| present(subject, client))
}

pub(super) fn changes(frame: &PresenceChanges) -> Checked {
    let subject = on_channel("presence_changes", frame.channel_id)?;
    let all = frame.joined.iter().chain(&frame.updated);
    all.into_iter().try_for_each(|client| present(subject, client))?;
    let absent = |Absent { client }: &Absent| subject.exactly("left.client", client, limits::CLIENT_BYTES);
    frame.left.iter().try_for_each(absent)
}

pub(super) fn occupancy(frame: &Occupancy) -> Checked {
    let subject = on_channel("occupancy", frame.channel_id)?;
    let is_sound = frame.members <= frame.clients;
    subject.in_range("members", frame.members, is_sound, "no more than their clients")
}

pub(super) fn certainty(frame: &Certainty) -> Checked {
    let subject = on_channel("certainty", frame.channel_id)?;
    let node = |node: &String| subject.text("uncertain", node, limits::NAME_BYTES_MAX);
    frame.uncertain.iter().try_for_each(node)
}

pub(super) fn ephemerals(frame: &Ephemerals) -> Checked {
    let subject = on_channel("ephemerals", frame.channel_id)?;
    frame
        .states
        .iter()
        .try_for_each(|EphemeralState { client, number, .. }| {
            subject.exactly("states.client", client, limits::CLIENT_BYTES)?;
            subject.present("states.number", *number != 0)
        })
}

fn present(subject: Subject, client: &Present) -> Checked {
    subject.exactly("clients.client", &client.client, limits::CLIENT_BYTES)?;
    subject.at_most("clients.member", &client.member, limits::MEMBER_BYTES_MAX)?;
    subject.text("clients.node", &client.node, limits::NAME_BYTES_MAX)
}
