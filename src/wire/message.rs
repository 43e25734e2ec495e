//! Messages, in the bytes that every reader gets.

use std::sync::Arc;

use starling_core::channel::Message;
use starling_core::id::{Position, Seq};
use starling_core::session::ChannelId;
use starling_protocol::frame;
use starling_protocol::v1::{self, server_frame};

use crate::fanout::Frame;

/// A message as it happens.
#[must_use]
pub fn publication(channel_id: ChannelId, message: &Message) -> Frame {
    frame::encode_server(server_frame::Body::Publication(v1::Publication {
        channel_id: channel_id.0,
        seq: message.seq.0,
        term: message.term.0,
        time_ms: message.time.0,
        key: message
            .key
            .as_ref()
            .map_or_else(String::new, |key| key.as_str().to_owned()),
        deleted: message.deleted,
        payload: message.payload.clone(),
    }))
    .into()
}

/// Messages of the past, following on `after`.
#[must_use]
pub fn page(channel_id: ChannelId, after: Seq, messages: &[Arc<Message>]) -> Frame {
    let entries = messages.iter().map(|message| v1::PageEntry {
        seq: message.seq.0,
        term: message.term.0,
        time_ms: message.time.0,
        key: message
            .key
            .as_ref()
            .map_or_else(String::new, |key| key.as_str().to_owned()),
        deleted: message.deleted,
        payload: message.payload.clone(),
    });
    frame::encode_server(server_frame::Body::Page(v1::Page {
        channel_id: channel_id.0,
        after: after.0,
        entries: entries.collect(),
    }))
    .into()
}

/// Values of a keyed channel as of `at`.
#[must_use]
pub fn snapshot(channel_id: ChannelId, replace: bool, at: &Position, values: &[Arc<Message>], last: bool) -> Frame {
    let entries = values.iter().map(|message| v1::SnapshotEntry {
        key: message
            .key
            .as_ref()
            .map_or_else(String::new, |key| key.as_str().to_owned()),
        seq: message.seq.0,
        time_ms: message.time.0,
        deleted: message.deleted,
        payload: message.payload.clone(),
    });
    frame::encode_server(server_frame::Body::Snapshot(v1::Snapshot {
        channel_id: channel_id.0,
        replace,
        at: Some(super::answer::position_frame(at)),
        entries: entries.collect(),
        last,
    }))
    .into()
}
