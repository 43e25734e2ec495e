//! Who is in a channel, in the bytes that all who watch it get.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use starling_core::id::NodeId;
use starling_core::presence::message::{Count, Ephemeral};
use starling_core::presence::watch::Event;
use starling_core::presence::{Client, ClientId, Row};
use starling_core::session::ChannelId;
use starling_protocol::v1::{self, server_frame};
use starling_protocol::{frame, limits};

use crate::fanout::{Frame, Moment};

/// Bytes of a frame that names clients, about: half of what is queued for a session at once, so that a reader is sent the
/// next part while it takes this one.
const PART_BYTES: usize = 32 * 1024;

/// What a client costs in a frame beside its names and its state: of an ephemeral state it is all, with the client's name.
const CLIENT_COST: usize = 40;

/// What is around the clients in a frame.
const FRAME_COST: usize = 16;

/// Everybody who is in a channel, in parts.
#[must_use]
pub fn roster(channel_id: ChannelId, rows: &[Row]) -> Arc<[Arc<Frame>]> {
    let parts = parts(rows, PART_BYTES, bytes_of_row);
    let last = parts.len() - 1;
    let frames = parts.into_iter().enumerate().map(|(part, rows)| {
        let roster = v1::Roster {
            channel_id: channel_id.0,
            first: part == 0,
            last: part == last,
            clients: rows.into_iter().map(present).collect(),
        };
        Arc::new(frame::encode_server(server_frame::Body::Roster(roster)).into())
    });
    frames.collect()
}

/// Who has come, changed and gone.
#[must_use]
pub fn changes(channel_id: ChannelId, events: &[Event]) -> Vec<Frame> {
    let bytes = |event: &Event| match event {
        Event::Joined { row, .. } | Event::Updated(row) => bytes_of_row(row),
        Event::Left { .. } => CLIENT_COST,
    };
    let frames = parts(events, PART_BYTES, bytes).into_iter().map(|events| {
        let mut changes = v1::PresenceChanges {
            channel_id: channel_id.0,
            ..v1::PresenceChanges::default()
        };
        for event in events {
            match event {
                Event::Joined { row, .. } => changes.joined.push(present(row)),
                Event::Updated(row) => changes.updated.push(present(row)),
                Event::Left { client, .. } => changes.left.push(v1::Absent { client: id(client.id) }),
            }
        }
        frame::encode_server(server_frame::Body::PresenceChanges(changes)).into()
    });
    frames.collect()
}

/// How many are in a channel.
#[must_use]
pub fn occupancy(channel_id: ChannelId, count: Count) -> Frame {
    frame::encode_server(server_frame::Body::Occupancy(v1::Occupancy {
        channel_id: channel_id.0,
        members: count.members,
        clients: count.clients,
    }))
    .into()
}

/// How sure it is who is there.
#[must_use]
pub fn certainty(channel_id: ChannelId, is_stale: bool, uncertain: &BTreeSet<NodeId>) -> Frame {
    let mut nodes: Vec<_> = uncertain.iter().map(|node| node.name.as_str().to_owned()).collect();
    nodes.dedup(); // two starts of one node, side by side in order
    frame::encode_server(server_frame::Body::Certainty(v1::Certainty {
        channel_id: channel_id.0,
        stale: is_stale,
        uncertain: nodes,
    }))
    .into()
}

/// The newest ephemeral states, or those that are told once more.
#[must_use]
pub fn ephemerals(channel_id: ChannelId, states: &[(Client, Ephemeral)], is_repeat: bool) -> Vec<Moment> {
    let bytes = |(_, ephemeral): &(Client, Ephemeral)| CLIENT_COST + ephemeral.state.len();
    let moments = parts(states, PART_BYTES, bytes).into_iter().map(|states| {
        let states = states.into_iter().map(|(client, ephemeral)| v1::EphemeralState {
            client: id(client.id),
            number: ephemeral.number,
            state: ephemeral.state.clone(),
        });
        let ephemerals = v1::Ephemerals {
            channel_id: channel_id.0,
            states: states.collect(),
        };
        Moment::new(ephemerals, is_repeat)
    });
    moments.collect()
}

/// The same, cut so that each part fits a datagram.
#[must_use]
pub fn datagrams(ephemerals: &v1::Ephemerals) -> Vec<Bytes> {
    let bytes = |state: &v1::EphemeralState| CLIENT_COST + state.state.len();
    let datagrams = parts(&ephemerals.states, limits::DATAGRAM_BYTES_MAX - FRAME_COST, bytes);
    let datagrams = datagrams.into_iter().map(|states| {
        let part = v1::Ephemerals {
            channel_id: ephemerals.channel_id,
            states: states.into_iter().cloned().collect(),
        };
        frame::encode_server(server_frame::Body::Ephemerals(part)).message()
    });
    datagrams.collect()
}

fn bytes_of_row(row: &Row) -> usize {
    CLIENT_COST + row.client.subject.as_str().len() + row.gateway.name.as_str().len() + row.state.len()
}

/// Cut into parts of so many bytes; one at least, which may be empty.
fn parts<T>(all: &[T], bytes_max: usize, bytes_of: impl Fn(&T) -> usize) -> Vec<Vec<&T>> {
    let mut parts = vec![Vec::new()];
    let mut bytes = 0;
    for one in all {
        bytes += bytes_of(one);
        if bytes > bytes_max && parts.last().is_some_and(|part| !part.is_empty()) {
            bytes = bytes_of(one);
            parts.push(Vec::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(one);
        }
    }
    parts
}

fn present(row: &Row) -> v1::Present {
    v1::Present {
        client: id(row.client.id),
        member: row.client.subject.as_str().to_owned(),
        node: row.gateway.name.as_str().to_owned(),
        state: row.state.clone(),
    }
}

pub(super) fn id(client: ClientId) -> Bytes {
    Bytes::copy_from_slice(&client.0)
}
