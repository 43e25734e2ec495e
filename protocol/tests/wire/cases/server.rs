mod answers;
mod delivery;

use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{
    Detached, Discontinuity, Lagged, Ping, Pong, Position, Reason, Refreshed, SkipReason, Skipped,
};

use self::answers::{acks, attacheds, errors, welcomes};
use self::delivery::{pages, publications, snapshots};
use super::{Case, TIME_MS, case, document, goodbyes, position, position_maximal, presence};

/// Every frame a server sends.
pub(crate) fn server() -> Vec<Case<Body>> {
    let mut cases = vec![];
    cases.extend(publications());
    cases.extend(acks());
    cases.extend([
        case("minimal", Ping { nonce: 0 }),
        case("full", Ping { nonce: 300 }),
        case("maximal", Ping { nonce: u64::MAX }),
        case(
            "minimal",
            Pong {
                nonce: 0,
                time_ms: TIME_MS,
            },
        ),
        case(
            "full",
            Pong {
                nonce: 300,
                time_ms: TIME_MS,
            },
        ),
        case(
            "maximal",
            Pong {
                nonce: u64::MAX,
                time_ms: u64::MAX,
            },
        ),
    ]);
    cases.extend(pages());
    cases.extend(snapshots());
    cases.extend([
        case(
            "minimal",
            Skipped {
                channel_id: 1,
                to: 1,
                count: 1,
                ..Skipped::default()
            },
        ),
        case(
            "full",
            Skipped {
                channel_id: 5,
                to: 47,
                count: 5,
                reason: SkipReason::Slow.into(),
            },
        ),
        case(
            "maximal",
            Skipped {
                channel_id: u32::MAX,
                to: u64::MAX,
                count: u64::MAX,
                reason: SkipReason::Superseded.into(),
            },
        ),
        case("minimal", Lagged { channel_id: 1, seq: 0 }),
        case("full", Lagged { channel_id: 5, seq: 42 }),
        case(
            "maximal",
            Lagged {
                channel_id: u32::MAX,
                seq: u64::MAX,
            },
        ),
    ]);
    cases.extend(attacheds());
    cases.extend([
        case(
            "minimal",
            Detached {
                request: 0,
                channel_id: 1,
            },
        ),
        case(
            "full",
            Detached {
                request: 3,
                channel_id: 5,
            },
        ),
        case(
            "maximal",
            Detached {
                request: u64::MAX,
                channel_id: u32::MAX,
            },
        ),
        case(
            "minimal",
            Discontinuity {
                channel_id: 1,
                position: Some(epoch_only()),
                ..Discontinuity::default()
            },
        ),
        case(
            "full",
            Discontinuity {
                channel_id: 5,
                reason: Reason::Truncated.into(),
                position: Some(position()),
            },
        ),
        case(
            "maximal",
            Discontinuity {
                channel_id: u32::MAX,
                reason: Reason::UnknownEpoch.into(),
                position: Some(position_maximal()),
            },
        ),
    ]);
    cases.extend(errors());
    cases.extend(presence::frequent());
    cases.extend(welcomes());
    cases.extend([
        case(
            "minimal",
            Refreshed {
                request: 1,
                expires_ms: 0,
            },
        ),
        case(
            "full",
            Refreshed {
                request: 13,
                expires_ms: TIME_MS + 3_600_000,
            },
        ),
        case(
            "maximal",
            Refreshed {
                request: u64::MAX,
                expires_ms: u64::MAX,
            },
        ),
    ]);
    cases.extend(goodbyes(4500));
    cases.extend(presence::answers());
    cases.extend(document::server());
    cases
}

/// The position before the first message of a channel.
fn epoch_only() -> Position {
    Position {
        epoch: "0-5f2c9e1ab0347d68".into(),
        ..Position::default()
    }
}
