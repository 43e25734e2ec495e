//! Fields that a client must not send.

use bytes::Bytes;
use starling_protocol::limits;
use starling_protocol::v1::{Attach, Detach, Goodbye, Hello, Position, Publish, Pull, Refresh, Skip, attach};

use super::{Refused, client, publish};

pub(super) fn publishes() -> Vec<Refused> {
    let skip = Skip {
        request: 7,
        channel: "chat:lobby".into(),
        serial: 2,
        base: 1,
        since_ms: 1,
    };
    vec![
        client(
            "publish without a request",
            "publish.request",
            Publish {
                request: 0,
                ..publish()
            },
        ),
        client(
            "publish without a channel",
            "publish.channel",
            Publish {
                channel: String::new(),
                ..publish()
            },
        ),
        client(
            "publish to a channel of 256 bytes",
            "publish.channel",
            Publish {
                channel: "a".repeat(limits::CHANNEL_BYTES_MAX + 1),
                ..publish()
            },
        ),
        client(
            "publish without a serial",
            "publish.serial",
            Publish { serial: 0, ..publish() },
        ),
        client(
            "publish without a base",
            "publish.base",
            Publish { base: 0, ..publish() },
        ),
        client(
            "publish with a base above its serial",
            "publish.base",
            Publish { base: 3, ..publish() },
        ),
        client(
            "publish without a time",
            "publish.since_ms",
            Publish {
                since_ms: 0,
                ..publish()
            },
        ),
        client(
            "publish with a key of 129 bytes",
            "publish.key",
            Publish {
                key: "a".repeat(limits::KEY_BYTES_MAX + 1),
                ..publish()
            },
        ),
        client(
            "delete without a key",
            "publish.key",
            Publish {
                delete: true,
                ..publish()
            },
        ),
        client(
            "delete with a payload",
            "publish.payload",
            Publish {
                delete: true,
                key: "k".into(),
                payload: "1".into(),
                ..publish()
            },
        ),
        client(
            "skip without a request",
            "skip.request",
            Skip {
                request: 0,
                ..skip.clone()
            },
        ),
        client(
            "skip without a channel",
            "skip.channel",
            Skip {
                channel: String::new(),
                ..skip.clone()
            },
        ),
        client(
            "skip without a serial",
            "skip.serial",
            Skip {
                serial: 0,
                ..skip.clone()
            },
        ),
        client(
            "skip with a base above its serial",
            "skip.base",
            Skip {
                base: 3,
                ..skip.clone()
            },
        ),
        client("skip without a time", "skip.since_ms", Skip { since_ms: 0, ..skip }),
    ]
}

pub(super) fn requests() -> Vec<Refused> {
    let attach = Attach {
        request: 8,
        channel: "chat:lobby".into(),
        ..Attach::default()
    };
    let from = |epoch: String| Some(attach::From::Position(Position { epoch, seq: 1, term: 0 }));
    vec![
        client(
            "attach without a request",
            "attach.request",
            Attach {
                request: 0,
                ..attach.clone()
            },
        ),
        client(
            "attach without a channel",
            "attach.channel",
            Attach {
                channel: String::new(),
                ..attach.clone()
            },
        ),
        client(
            "attach with an unknown policy",
            "attach.policy",
            Attach {
                policy: 99,
                ..attach.clone()
            },
        ),
        client(
            "attach from a position without an epoch",
            "attach.position.epoch",
            Attach {
                from: from(String::new()),
                ..attach.clone()
            },
        ),
        client(
            "attach from an epoch of 65 bytes",
            "attach.position.epoch",
            Attach {
                from: from("a".repeat(limits::EPOCH_BYTES_MAX + 1)),
                ..attach
            },
        ),
        client(
            "detach without a request",
            "detach.request",
            Detach {
                request: 0,
                channel_id: 1,
            },
        ),
        client(
            "detach without a channel id",
            "detach.channel_id",
            Detach {
                request: 9,
                channel_id: 0,
            },
        ),
        client(
            "pull without a channel id",
            "pull.channel_id",
            Pull { channel_id: 0, seq: 1 },
        ),
    ]
}

pub(super) fn openings() -> Vec<Refused> {
    let hello = Hello {
        version_min: 1,
        version_max: 1,
        publisher: vec![1; 16].into(),
        ..Hello::default()
    };
    let goodbye = Goodbye {
        code: 1000,
        ..Goodbye::default()
    };
    vec![
        client(
            "hello without a version",
            "hello.version_min",
            Hello {
                version_min: 0,
                ..hello.clone()
            },
        ),
        client(
            "hello with its versions the wrong way round",
            "hello.version_max",
            Hello {
                version_min: 2,
                ..hello.clone()
            },
        ),
        client(
            "hello with a token of 3073 bytes",
            "hello.token",
            Hello {
                token: "a".repeat(limits::TOKEN_BYTES_MAX + 1),
                ..hello.clone()
            },
        ),
        client(
            "hello without a publisher",
            "hello.publisher",
            Hello {
                publisher: Bytes::new(),
                ..hello.clone()
            },
        ),
        client(
            "hello with a publisher of 17 bytes",
            "hello.publisher",
            Hello {
                publisher: vec![1; 17].into(),
                ..hello.clone()
            },
        ),
        client(
            "hello with an agent of 129 bytes",
            "hello.agent",
            Hello {
                agent: "a".repeat(limits::AGENT_BYTES_MAX + 1),
                ..hello.clone()
            },
        ),
        client(
            "hello with credit for less than a page",
            "hello.page_credit",
            Hello {
                page_credit: limits::PAGE_CREDIT_BYTES_MIN - 1,
                ..hello.clone()
            },
        ),
        client(
            "hello with a client of 15 bytes",
            "hello.client",
            Hello {
                client: vec![1; 15].into(),
                ..hello
            },
        ),
        client(
            "refresh without a request",
            "refresh.request",
            Refresh {
                request: 0,
                token: "t".into(),
            },
        ),
        client(
            "refresh without a token",
            "refresh.token",
            Refresh {
                request: 9,
                token: String::new(),
            },
        ),
        client(
            "goodbye without a code",
            "goodbye.code",
            Goodbye {
                code: 0,
                ..goodbye.clone()
            },
        ),
        client(
            "goodbye with a code of 65536",
            "goodbye.code",
            Goodbye {
                code: 65_536,
                ..goodbye.clone()
            },
        ),
        client(
            "goodbye with a reason of 1025 bytes",
            "goodbye.reason",
            Goodbye {
                reason: "a".repeat(limits::TEXT_BYTES_MAX + 1),
                ..goodbye.clone()
            },
        ),
        client(
            "goodbye with nine alternates",
            "goodbye.alternates",
            Goodbye {
                alternates: vec!["https://b.example.com".into(); limits::ALTERNATES_MAX + 1],
                ..goodbye.clone()
            },
        ),
        client(
            "goodbye with an empty alternate",
            "goodbye.alternates",
            Goodbye {
                alternates: vec![String::new()],
                ..goodbye
            },
        ),
    ]
}
