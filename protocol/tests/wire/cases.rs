//! The frames that the golden vectors show.
//!
//! Of each kind at least three: `minimal` sets what must be set, `full` sets everything, `maximal` is at the limits.
//! Where a kind has answers of different shapes, each has a name of its own.

mod client;
mod document;
mod presence;
mod server;

use bytes::Bytes;
use starling_protocol::limits;
use starling_protocol::v1::{Goodbye, Position};

pub(crate) use self::client::client;
pub(crate) use self::server::server;

/// A frame and what it is called among those of its kind.
pub(crate) struct Case<B> {
    pub(crate) size: &'static str,
    pub(crate) body: B,
}

fn case<B>(size: &'static str, body: impl Into<B>) -> Case<B> {
    Case {
        size,
        body: body.into(),
    }
}

/// 2026-11-01T00:00:00Z.
const TIME_MS: u64 = 1_793_491_200_000;

/// `length` bytes of text.
fn long(length: usize) -> String {
    "a".repeat(length)
}

fn payload(length: usize) -> Bytes {
    vec![0x61; length].into()
}

fn position() -> Position {
    Position {
        epoch: "0-5f2c9e1ab0347d68".into(),
        seq: 42,
        term: 3,
    }
}

fn position_maximal() -> Position {
    Position {
        epoch: long(limits::EPOCH_BYTES_MAX),
        seq: u64::MAX,
        term: u64::MAX,
    }
}

/// Goodbye is the same from both sides.
fn goodbyes<B: From<Goodbye>>(minimal: u32) -> [Case<B>; 3] {
    [
        case(
            "minimal",
            Goodbye {
                code: minimal,
                ..Goodbye::default()
            },
        ),
        case(
            "full",
            Goodbye {
                code: 4501,
                reason: "the node is stopping; connect to another and resume".into(),
                retry_after_ms: 1500,
                alternates: vec!["https://b.example.com:4433".into(), "https://c.example.com:4433".into()],
            },
        ),
        case(
            "maximal",
            Goodbye {
                code: u16::MAX.into(),
                reason: long(limits::TEXT_BYTES_MAX),
                retry_after_ms: u32::MAX,
                alternates: vec![long(limits::ALTERNATE_BYTES_MAX); limits::ALTERNATES_MAX],
            },
        ),
    ]
}
