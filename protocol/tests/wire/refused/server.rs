//! Fields that a server must not send.

use starling_protocol::v1::{
    Ack, Attached, Discontinuity, Error, ErrorCode, Lagged, Limits, Page, PageEntry, Position, Publication, Refreshed,
    Rewound, Skipped, Snapshot, SnapshotEntry, Welcome, Window, attached,
};

use super::{Refused, server};

pub(super) fn deliveries() -> Vec<Refused> {
    let publication = Publication {
        channel_id: 5,
        seq: 1,
        ..Publication::default()
    };
    let page = |after, seqs: &[u64]| Page {
        channel_id: 5,
        after,
        entries: seqs
            .iter()
            .map(|&seq| PageEntry {
                seq,
                ..PageEntry::default()
            })
            .collect(),
    };
    let entry = SnapshotEntry {
        key: "k".into(),
        seq: 4,
        ..SnapshotEntry::default()
    };
    let snapshot = |replace, entry| Snapshot {
        channel_id: 5,
        replace,
        at: Some(position()),
        entries: vec![entry],
        last: true,
    };
    let skipped = Skipped {
        channel_id: 5,
        to: 3,
        count: 3,
        reason: 0,
    };
    vec![
        server(
            "publication without a channel id",
            "publication.channel_id",
            Publication {
                channel_id: 0,
                ..publication.clone()
            },
        ),
        server(
            "publication without a seq",
            "publication.seq",
            Publication {
                seq: 0,
                ..publication.clone()
            },
        ),
        server(
            "publication that removes no key",
            "publication.key",
            Publication {
                deleted: true,
                ..publication
            },
        ),
        server("page without entries", "page.entries", page(0, &[])),
        server(
            "page that does not start where it says",
            "page.entries.seq",
            page(1, &[3]),
        ),
        server("page with a gap", "page.entries.seq", page(1, &[2, 4])),
        server(
            "snapshot without a position",
            "snapshot.at",
            Snapshot {
                at: None,
                ..snapshot(true, entry.clone())
            },
        ),
        server(
            "snapshot with a value without a key",
            "snapshot.entries.key",
            snapshot(
                true,
                SnapshotEntry {
                    key: String::new(),
                    ..entry.clone()
                },
            ),
        ),
        server(
            "snapshot of the whole state with a removed key",
            "snapshot.entries.deleted",
            {
                snapshot(
                    true,
                    SnapshotEntry {
                        deleted: true,
                        ..entry.clone()
                    },
                )
            },
        ),
        server("snapshot with a value from after it", "snapshot.entries.seq", {
            snapshot(false, SnapshotEntry { seq: 43, ..entry })
        }),
        server("skipped nothing", "skipped.count", Skipped { count: 0, ..skipped }),
        server(
            "skipped more than there are",
            "skipped.count",
            Skipped { count: 4, ..skipped },
        ),
        server(
            "lagged without a channel id",
            "lagged.channel_id",
            Lagged { channel_id: 0, seq: 1 },
        ),
        server(
            "discontinuity without a position",
            "discontinuity.position",
            Discontinuity {
                channel_id: 5,
                ..Discontinuity::default()
            },
        ),
    ]
}

pub(super) fn answers() -> Vec<Refused> {
    let ack = Ack {
        request: 7,
        serial: 2,
        position: Some(position()),
        ..Ack::default()
    };
    let attached = Attached {
        request: 8,
        channel_id: 5,
        channel: "chat:lobby".into(),
        position: Some(position()),
        head: 42,
        window: Some(Window::default()),
        outcome: Some(attached::Outcome::Rewound(Rewound { count: 0 })),
        ..Attached::default()
    };
    let welcome = Welcome {
        version: 1,
        session: "s".into(),
        node: "n".into(),
        heartbeat_ms: 1,
        time_ms: 1,
        window: Some(Window::default()),
        limits: Some(Limits {
            frame_bytes: 1,
            channels: 1,
            publishes_in_flight: 1,
        }),
        ..Welcome::default()
    };
    vec![
        server(
            "ack without a position",
            "ack.position",
            Ack {
                position: None,
                ..ack.clone()
            },
        ),
        server(
            "ack of a skip with a position",
            "ack.position",
            Ack {
                skipped: true,
                ..ack.clone()
            },
        ),
        server("ack without a serial", "ack.serial", Ack { serial: 0, ..ack }),
        server(
            "attached without an outcome",
            "attached.outcome",
            Attached {
                outcome: None,
                ..attached.clone()
            },
        ),
        server(
            "attached without a position",
            "attached.position",
            Attached {
                position: None,
                ..attached.clone()
            },
        ),
        server(
            "attached ahead of the head",
            "attached.head",
            Attached {
                head: 41,
                ..attached.clone()
            },
        ),
        server(
            "attached without a window",
            "attached.window",
            Attached {
                window: None,
                ..attached
            },
        ),
        server(
            "error without a code",
            "error.code",
            Error {
                request: 7,
                ..Error::default()
            },
        ),
        server(
            "serial gap without the serial expected",
            "error.expected_serial",
            Error {
                request: 7,
                code: ErrorCode::SerialGap.into(),
                ..Error::default()
            },
        ),
        server(
            "welcome without a heartbeat",
            "welcome.heartbeat_ms",
            Welcome {
                heartbeat_ms: 0,
                ..welcome.clone()
            },
        ),
        server(
            "welcome without a time",
            "welcome.time_ms",
            Welcome {
                time_ms: 0,
                ..welcome.clone()
            },
        ),
        server(
            "welcome without limits",
            "welcome.limits",
            Welcome {
                limits: None,
                ..welcome.clone()
            },
        ),
        server(
            "welcome that takes no channels",
            "welcome.limits.channels",
            Welcome {
                limits: Some(Limits {
                    frame_bytes: 1,
                    channels: 0,
                    publishes_in_flight: 1,
                }),
                ..welcome
            },
        ),
        server(
            "refreshed without a request",
            "refreshed.request",
            Refreshed {
                request: 0,
                expires_ms: 1,
            },
        ),
    ]
}

fn position() -> Position {
    Position {
        epoch: "0-5f2c9e1ab0347d68".into(),
        seq: 42,
        term: 3,
    }
}
