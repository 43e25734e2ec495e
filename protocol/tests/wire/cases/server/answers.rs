//! What answers a client.

use starling_protocol::limits;
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{
    Ack, Attached, Error, ErrorCode, Limits, Lost, Policy, Position, Reason, Resumed, Rewound, Welcome, Window,
    attached,
};

use super::super::{Case, TIME_MS, case, long, position, position_maximal};
use super::epoch_only;

pub(super) fn acks() -> [Case<Body>; 4] {
    let first = Position { seq: 1, ..epoch_only() };
    [
        case(
            "minimal",
            Ack {
                request: 1,
                serial: 1,
                position: Some(first),
                ..Ack::default()
            },
        ),
        case(
            "full",
            Ack {
                request: 11,
                serial: 8,
                position: Some(position()),
                copies: 3,
                skipped: false,
                duplicate: true,
                time_ms: TIME_MS,
            },
        ),
        case(
            "skipped",
            Ack {
                request: 12,
                serial: 8,
                copies: 2,
                skipped: true,
                time_ms: TIME_MS,
                ..Ack::default()
            },
        ),
        case(
            "maximal",
            Ack {
                request: u64::MAX,
                serial: u64::MAX,
                position: Some(position_maximal()),
                copies: u32::MAX,
                skipped: false,
                duplicate: true,
                time_ms: u64::MAX,
            },
        ),
    ]
}

pub(super) fn attacheds() -> [Case<Body>; 5] {
    let full = Attached {
        request: 2,
        channel_id: 5,
        channel: "chat:lobby".into(),
        position: Some(position()),
        head: 57,
        window: Some(window()),
        policy: Policy::Recover.into(),
        keyed: true,
        outcome: Some(attached::Outcome::Resumed(Resumed {})),
    };
    let outcome = |outcome| Attached {
        outcome: Some(outcome),
        ..full.clone()
    };
    let lost = |reason: Reason| attached::Outcome::Discontinuity(Lost { reason: reason.into() });
    [
        case(
            "minimal",
            Attached {
                request: 1,
                channel_id: 1,
                channel: "a:b".into(),
                position: Some(epoch_only()),
                window: Some(Window::default()),
                outcome: Some(attached::Outcome::Rewound(Rewound { count: 0 })),
                ..Attached::default()
            },
        ),
        case("full", full.clone()),
        case("rewound", outcome(attached::Outcome::Rewound(Rewound { count: 15 }))),
        case("lost", outcome(lost(Reason::WindowExceeded))),
        case(
            "maximal",
            Attached {
                request: u64::MAX,
                channel_id: u32::MAX,
                channel: long(limits::CHANNEL_BYTES_MAX),
                position: Some(position_maximal()),
                head: u64::MAX,
                window: Some(window_maximal()),
                policy: Policy::Disconnect.into(),
                keyed: true,
                outcome: Some(lost(Reason::UnknownEpoch)),
            },
        ),
    ]
}

pub(super) fn errors() -> [Case<Body>; 6] {
    [
        case(
            "minimal",
            Error {
                code: ErrorCode::Internal.into(),
                ..Error::default()
            },
        ),
        case(
            "full",
            Error {
                request: 11,
                channel_id: 5,
                code: ErrorCode::Busy.into(),
                message: "the channel's queue is full; publish again after the time given".into(),
                retry_after_ms: 250,
                ..Error::default()
            },
        ),
        case(
            "withdrawn",
            Error {
                code: ErrorCode::Forbidden.into(),
                message: "this session may not be in the presence of `chat:lobby`; ask for a token that covers it"
                    .into(),
                channel: "chat:lobby".into(),
                ..Error::default()
            },
        ),
        case(
            "serial_gap",
            Error {
                request: 11,
                code: ErrorCode::SerialGap.into(),
                message: "serial 9 came before serial 8; send 8 first".into(),
                expected_serial: 8,
                ..Error::default()
            },
        ),
        case(
            "maximal",
            Error {
                request: u64::MAX,
                channel_id: u32::MAX,
                code: ErrorCode::SerialGap.into(),
                message: long(limits::TEXT_BYTES_MAX),
                retry_after_ms: u32::MAX,
                expected_serial: u64::MAX,
                ..Error::default()
            },
        ),
        case(
            "maximal_withdrawn",
            Error {
                code: ErrorCode::Internal.into(),
                message: long(limits::TEXT_BYTES_MAX),
                retry_after_ms: u32::MAX,
                channel: long(limits::CHANNEL_BYTES_MAX),
                ..Error::default()
            },
        ),
    ]
}

pub(super) fn welcomes() -> [Case<Body>; 3] {
    let least = Limits {
        frame_bytes: 1,
        channels: 1,
        publishes_in_flight: 1,
    };
    [
        case(
            "minimal",
            Welcome {
                version: 1,
                session: "s".into(),
                node: "n".into(),
                heartbeat_ms: 1,
                time_ms: 1,
                window: Some(Window::default()),
                limits: Some(least),
                ..Welcome::default()
            },
        ),
        case(
            "full",
            Welcome {
                version: 1,
                session: "a-7f3e09c2".into(),
                node: "a".into(),
                generation: 17,
                heartbeat_ms: limits::HEARTBEAT_MS_DEFAULT,
                time_ms: TIME_MS,
                window: Some(window()),
                limits: Some(Limits {
                    frame_bytes: limits::CLIENT_FRAME_BYTES_DEFAULT as u32,
                    channels: limits::CHANNELS_DEFAULT,
                    publishes_in_flight: limits::PUBLISHES_IN_FLIGHT_DEFAULT,
                }),
                expires_ms: TIME_MS + 3_600_000,
                datagram_bytes: limits::DATAGRAM_BYTES_MAX as u32,
            },
        ),
        case(
            "maximal",
            Welcome {
                version: u32::MAX,
                session: long(limits::NAME_BYTES_MAX),
                node: long(limits::NAME_BYTES_MAX),
                generation: u64::MAX,
                heartbeat_ms: u32::MAX,
                time_ms: u64::MAX,
                window: Some(window_maximal()),
                limits: Some(Limits {
                    frame_bytes: u32::MAX,
                    channels: u32::MAX,
                    publishes_in_flight: u32::MAX,
                }),
                expires_ms: u64::MAX,
                datagram_bytes: u32::MAX,
            },
        ),
    ]
}

/// The default window of a namespace with history.
fn window() -> Window {
    Window {
        messages: 10_000,
        bytes: 8 * 1024 * 1024,
        age_ms: 120_000,
    }
}

fn window_maximal() -> Window {
    Window {
        messages: u64::MAX,
        bytes: u64::MAX,
        age_ms: u64::MAX,
    }
}
