use starling_protocol::limits;
use starling_protocol::v1::client_frame::Body;
use starling_protocol::v1::{Attach, Credit, Detach, Hello, Ping, Policy, Pong, Publish, Pull, Refresh, Skip, attach};

use super::{Case, TIME_MS, case, document, goodbyes, long, payload, position, position_maximal, presence};

/// Every frame a client sends.
pub(crate) fn client() -> Vec<Case<Body>> {
    let mut cases = vec![];
    cases.extend(publishes());
    cases.extend([
        case("minimal", Ping { nonce: 0 }),
        case("full", Ping { nonce: 300 }),
        case("maximal", Ping { nonce: u64::MAX }),
        case("minimal", Pong::default()),
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
        case("minimal", Credit { bytes: 0 }),
        case(
            "full",
            Credit {
                bytes: limits::PAGE_CREDIT_BYTES_MIN,
            },
        ),
        case("maximal", Credit { bytes: u32::MAX }),
        case("minimal", Pull { channel_id: 1, seq: 0 }),
        case("full", Pull { channel_id: 5, seq: 42 }),
        case(
            "maximal",
            Pull {
                channel_id: u32::MAX,
                seq: u64::MAX,
            },
        ),
    ]);
    cases.extend(attaches());
    cases.extend([
        case(
            "minimal",
            Detach {
                request: 1,
                channel_id: 1,
            },
        ),
        case(
            "full",
            Detach {
                request: 300,
                channel_id: 5,
            },
        ),
        case(
            "maximal",
            Detach {
                request: u64::MAX,
                channel_id: u32::MAX,
            },
        ),
        case(
            "minimal",
            Skip {
                request: 1,
                channel: "a:b".into(),
                serial: 1,
                base: 1,
                since_ms: 1,
            },
        ),
        case(
            "full",
            Skip {
                request: 12,
                channel: "chat:lobby".into(),
                serial: 8,
                base: 7,
                since_ms: TIME_MS,
            },
        ),
        case(
            "maximal",
            Skip {
                request: u64::MAX,
                channel: long(limits::CHANNEL_BYTES_MAX),
                serial: u64::MAX,
                base: u64::MAX,
                since_ms: u64::MAX,
            },
        ),
    ]);
    cases.extend(presence::client());
    cases.extend(document::frequent());
    cases.extend(hellos());
    cases.extend([
        case(
            "minimal",
            Refresh {
                request: 1,
                token: "t".into(),
            },
        ),
        case(
            "full",
            Refresh {
                request: 13,
                token: "header.claims.signature".into(),
            },
        ),
        case(
            "maximal",
            Refresh {
                request: u64::MAX,
                token: long(limits::TOKEN_BYTES_MAX),
            },
        ),
    ]);
    cases.extend(goodbyes(1000));
    cases.extend(document::requests());
    cases
}

fn publishes() -> [Case<Body>; 4] {
    let removal = Publish {
        request: 11,
        channel: "chat:räume:küche".into(),
        serial: 8,
        base: 7,
        since_ms: TIME_MS,
        key: "🦜".into(),
        delete: true,
        ..Publish::default()
    };
    [
        case(
            "minimal",
            Publish {
                request: 1,
                channel: "a:b".into(),
                serial: 1,
                base: 1,
                since_ms: 1,
                ..Publish::default()
            },
        ),
        case(
            "full",
            Publish {
                payload: "grüezi".into(),
                delete: false,
                ..removal.clone()
            },
        ),
        case("delete", removal),
        case(
            "maximal",
            Publish {
                request: u64::MAX,
                channel: long(limits::CHANNEL_BYTES_MAX),
                serial: u64::MAX,
                base: u64::MAX,
                since_ms: u64::MAX,
                key: long(limits::KEY_BYTES_MAX),
                delete: false,
                payload: payload(limits::PAYLOAD_BYTES_MAX),
            },
        ),
    ]
}

fn attaches() -> [Case<Body>; 5] {
    let attach = Attach {
        request: 2,
        channel: "chat:lobby".into(),
        policy: Policy::Recover.into(),
        from: None,
    };
    [
        case(
            "minimal",
            Attach {
                request: 1,
                channel: "a:b".into(),
                ..Attach::default()
            },
        ),
        case(
            "full",
            Attach {
                from: Some(attach::From::Position(position())),
                ..attach.clone()
            },
        ),
        case(
            "rewind",
            Attach {
                from: Some(attach::From::Rewind(50)),
                ..attach.clone()
            },
        ),
        // Unlike an unset `from`, which the wire must keep apart from a rewind of 0.
        case(
            "rewind_nothing",
            Attach {
                from: Some(attach::From::Rewind(0)),
                ..attach
            },
        ),
        case(
            "maximal",
            Attach {
                request: u64::MAX,
                channel: long(limits::CHANNEL_BYTES_MAX),
                policy: Policy::Disconnect.into(),
                from: Some(attach::From::Position(position_maximal())),
            },
        ),
    ]
}

fn hellos() -> [Case<Body>; 3] {
    let publisher: [u8; limits::PUBLISHER_BYTES] = std::array::from_fn(|at| at as u8 + 1);
    let minimal = Hello {
        version_min: 1,
        version_max: 1,
        publisher: publisher.to_vec().into(),
        ..Hello::default()
    };
    [
        case("minimal", minimal.clone()),
        case(
            "full",
            Hello {
                token: "header.claims.signature".into(),
                agent: "starling-js/0.1.0".into(),
                page_credit: limits::PAGE_CREDIT_BYTES_DEFAULT,
                client: vec![7; limits::CLIENT_BYTES].into(),
                datagrams: true,
                ..minimal
            },
        ),
        case(
            "maximal",
            Hello {
                version_min: u32::MAX,
                version_max: u32::MAX,
                token: long(limits::TOKEN_BYTES_MAX),
                publisher: vec![0xff; limits::PUBLISHER_BYTES].into(),
                agent: long(limits::AGENT_BYTES_MAX),
                page_credit: u32::MAX,
                client: vec![0xff; limits::CLIENT_BYTES].into(),
                datagrams: true,
            },
        ),
    ]
}
