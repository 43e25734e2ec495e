//! Bytes that are no frame, and frames out of place: the session ends with the code that says why.

use std::time::{Duration, Instant};

use starling_mesh::transport::Transport;
use starling_protocol::close::CloseCode;
use starling_protocol::limits::HELLO_BYTES_MAX;
use starling_protocol::v1;
use starling_protocol::v1::server_frame::Body;
use tokio::time::interval;

use super::grew_little;
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::{Heard, Raw, hello};
use crate::support::settings::Settings;

over_both! {
    first_frames_that_are_no_hello
    hellos_that_are_not_accepted
    no_hello_in_time
    a_hello_byte_by_byte
    lengths_beyond_any_limit
    frames_that_an_open_session_does_not_take
}

async fn first_frames_that_are_no_hello(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    for body in [
        &b"\xff\xff\xff\xff"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00",
        b"\x12\x00",
        b"\x82\x01\x7f",
    ] {
        let mut raw = Raw::connect(&node, transport).await;
        raw.send_body(body).await;
        ends_with(raw, CloseCode::ProtocolError, &format!("{body:?}")).await;
    }
    let mut raw = Raw::connect(&node, transport).await;
    raw.send(v1::Attach {
        request: 1,
        channel: "demo:a".to_owned(),
        ..v1::Attach::default()
    })
    .await;
    ends_with(raw, CloseCode::ProtocolError, "an attach before hello").await;
    // A length of 0, which is no frame on either transport.
    let mut raw = Raw::connect(&node, transport).await;
    raw.send_body(b"").await;
    ends_with(raw, CloseCode::ProtocolError, "an empty frame").await;
    node.carries(0, transport).await;
    node.is_unharmed().await;
    node.stop().await;
}

async fn hellos_that_are_not_accepted(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let publisher = bytes::Bytes::from_static(b"too short");
    let cases = [
        (
            v1::Hello {
                version_min: 7,
                version_max: 9,
                ..hello()
            },
            CloseCode::UnsupportedVersion,
        ),
        (
            v1::Hello {
                token: "a token".to_owned(),
                ..hello()
            },
            CloseCode::Unauthorized,
        ),
        (v1::Hello { publisher, ..hello() }, CloseCode::ProtocolError),
        (
            v1::Hello {
                page_credit: 1,
                ..hello()
            },
            CloseCode::ProtocolError,
        ),
        (
            v1::Hello {
                agent: "a".repeat(129),
                ..hello()
            },
            CloseCode::ProtocolError,
        ),
        (
            v1::Hello {
                version_min: 0,
                ..hello()
            },
            CloseCode::ProtocolError,
        ),
    ];
    for (hello, code) in cases {
        let what = format!("{hello:?}");
        let mut raw = Raw::connect(&node, transport).await;
        raw.send(hello).await;
        ends_with(raw, code, &what).await;
    }
    node.is_unharmed().await;
    node.stop().await;
}

async fn no_hello_in_time(transport: Transport) {
    let node = Node::start(Settings::default().set("session.hello_timeout", "1s")).await;
    let began = Instant::now();
    let raw = Raw::connect(&node, transport).await;
    ends_with(raw, CloseCode::HelloTimeout, "silence").await;
    let after = began.elapsed();
    assert!(
        (Duration::from_millis(900)..Duration::from_millis(4_500)).contains(&after),
        "after {after:?}"
    );
    node.is_unharmed().await;
    node.stop().await;
}

async fn a_hello_byte_by_byte(transport: Transport) {
    let node = Node::start(Settings::default().set("session.hello_timeout", "1s")).await;
    let mut raw = Raw::connect(&node, transport).await;
    raw.announce(HELLO_BYTES_MAX as u64).await;
    let mut ticks = interval(Duration::from_millis(50));
    let goodbye = loop {
        tokio::select! {
            heard = raw.next() => break heard,
            _ = ticks.tick() => {
                let one = [0x12];
                let _ = raw.write(&one).await; // what has ended takes no more
            }
        }
    };
    let Heard::Frame(Body::Goodbye(goodbye)) = goodbye else {
        panic!("{goodbye:?}");
    };
    assert_eq!(goodbye.code, u32::from(CloseCode::HelloTimeout.number()));
    node.is_unharmed().await;
    node.stop().await;
}

async fn lengths_beyond_any_limit(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let before = node.resident_bytes();
    for bytes in [HELLO_BYTES_MAX as u64 + 1, 1 << 20, 1 << 40, 1 << 62] {
        let mut raw = Raw::connect(&node, transport).await;
        raw.announce(bytes).await;
        ends_with(raw, CloseCode::FrameTooLarge, &format!("{bytes} bytes before hello")).await;
    }
    let mut raw = Raw::connect(&node, transport).await;
    let frame_bytes = u64::from(raw.hello().await.limits.expect("limits").frame_bytes);
    raw.announce(frame_bytes + 1).await;
    ends_with(raw, CloseCode::FrameTooLarge, "a byte more than welcome allows").await;
    for bytes in [1 << 32, 1 << 62] {
        let mut raw = Raw::open(&node, transport).await;
        raw.announce(bytes).await;
        ends_with(raw, CloseCode::FrameTooLarge, &format!("{bytes} bytes")).await;
    }
    // Nothing is reserved for a length that is only announced.
    grew_little(&node, before);
    node.is_unharmed().await;
    node.stop().await;
}

async fn frames_that_an_open_session_does_not_take(transport: Transport) {
    let node = Node::start(Settings::default()).await;
    let mut raw = Raw::open(&node, transport).await;
    node.carries(1, transport).await;
    raw.send(hello()).await;
    ends_with(raw, CloseCode::ProtocolError, "a second hello").await;

    let unknown_body = b"\xf2\x01\x00"; // field 30, empty
    let two_bodies = b"\x12\x02\x08\x01\x12\x02\x08\x02"; // two pings
    let no_body = b"\xc2\x02\x01a"; // field 40: beside a body, and there is none
    let no_request = b"\x32\x08\x12\x06demo:a"; // an attach that cannot be answered
    let no_channel = b"\x2a\x00"; // a pull, which has no request either
    for body in [&unknown_body[..], two_bodies, no_body, no_request, no_channel, b"\xff"] {
        let mut raw = Raw::open(&node, transport).await;
        raw.send_body(body).await;
        ends_with(raw, CloseCode::ProtocolError, &format!("{body:?}")).await;
    }
    node.carries(0, transport).await;
    node.is_unharmed().await;
    node.stop().await;
}

/// The session ends with this code, said in a goodbye.
async fn ends_with(mut raw: Raw, code: CloseCode, what: &str) {
    let goodbye = raw.farewell().await;
    assert_eq!(goodbye.code, u32::from(code.number()), "{what}: {goodbye:?}");
    assert!(goodbye.reason.len() > 15, "{what}: {goodbye:?} says too little");
}
