//! What carries messages.

use starling_protocol::frame::encode_server;
use starling_protocol::limits;
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{Page, PageEntry, Publication, Snapshot, SnapshotEntry};

use super::super::{Case, TIME_MS, case, long, payload, position, position_maximal};
use super::epoch_only;

pub(super) fn publications() -> [Case<Body>; 4] {
    let removal = Publication {
        channel_id: 5,
        seq: 43,
        term: 3,
        time_ms: TIME_MS,
        key: "🦜".into(),
        deleted: true,
        ..Publication::default()
    };
    [
        case(
            "minimal",
            Publication {
                channel_id: 1,
                seq: 1,
                ..Publication::default()
            },
        ),
        case(
            "full",
            Publication {
                payload: "grüezi".into(),
                deleted: false,
                ..removal.clone()
            },
        ),
        case("deleted", removal),
        case(
            "maximal",
            Publication {
                channel_id: u32::MAX,
                seq: u64::MAX,
                term: u64::MAX,
                time_ms: u64::MAX,
                key: long(limits::KEY_BYTES_MAX),
                deleted: false,
                payload: payload(limits::PAYLOAD_BYTES_MAX),
            },
        ),
    ]
}

pub(super) fn pages() -> [Case<Body>; 3] {
    let entry = |seq, key: &str, payload: &'static str| PageEntry {
        seq,
        term: 3,
        time_ms: TIME_MS + seq,
        key: key.into(),
        deleted: payload.is_empty(),
        payload: payload.into(),
    };
    let maximal = |payload_bytes| {
        let entry = |seq, payload_bytes| PageEntry {
            seq,
            term: u64::MAX,
            time_ms: u64::MAX,
            key: long(limits::KEY_BYTES_MAX),
            deleted: false,
            payload: payload(payload_bytes),
        };
        let entries = vec![
            entry(u64::MAX - 2, 64 * 1024),
            entry(u64::MAX - 1, 64 * 1024),
            entry(u64::MAX, payload_bytes),
        ];
        Body::Page(Page {
            channel_id: u32::MAX,
            after: u64::MAX - 3,
            entries,
        })
    };
    [
        case(
            "minimal",
            Page {
                channel_id: 1,
                after: 0,
                entries: vec![PageEntry {
                    seq: 1,
                    ..PageEntry::default()
                }],
            },
        ),
        case(
            "full",
            Page {
                channel_id: 5,
                after: 41,
                entries: vec![entry(42, "one", "1"), entry(43, "two", "22"), entry(44, "one", "")],
            },
        ),
        case("maximal", filled(maximal)),
    ]
}

pub(super) fn snapshots() -> [Case<Body>; 4] {
    let entry = |key: &str, seq, payload: &'static str| SnapshotEntry {
        key: key.into(),
        seq,
        time_ms: TIME_MS + seq,
        deleted: payload.is_empty(),
        payload: payload.into(),
    };
    let maximal = |payload_bytes| {
        let entry = SnapshotEntry {
            key: long(limits::KEY_BYTES_MAX),
            seq: u64::MAX,
            time_ms: u64::MAX,
            deleted: false,
            payload: payload(payload_bytes),
        };
        let at = Some(position_maximal());
        Body::Snapshot(Snapshot {
            channel_id: u32::MAX,
            replace: true,
            at,
            entries: vec![entry],
            last: true,
        })
    };
    [
        case(
            "minimal",
            Snapshot {
                channel_id: 1,
                at: Some(epoch_only()),
                ..Snapshot::default()
            },
        ),
        case(
            "full",
            Snapshot {
                channel_id: 5,
                replace: true,
                at: Some(position()),
                entries: vec![entry("one", 40, "1"), entry("two", 42, "22")],
                last: true,
            },
        ),
        case(
            "changes",
            Snapshot {
                channel_id: 5,
                replace: false,
                at: Some(position()),
                entries: vec![entry("one", 41, ""), entry("two", 42, "22")],
                last: true,
            },
        ),
        case("maximal", filled(maximal)),
    ]
}

/// The frame with as much payload as makes it exactly as long as a page may be.
fn filled(frame: impl Fn(usize) -> Body) -> Body {
    // Lengths of a quarter and of the whole take equally many bytes, so that what is missing is exactly the payload.
    let some = limits::PAGE_BYTES_MAX / 4;
    let rest = limits::PAGE_BYTES_MAX - encode_server(frame(some)).body_bytes();
    frame(some + rest)
}
