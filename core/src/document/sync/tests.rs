//! Bytes that unmodified clients and their reference servers exchanged, and bytes that nobody should.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::hocuspocus::{Address, Frame, FromClient, FromServer};
use super::*;
use crate::document::golden::{bytes, spoil};

fn one(hex: &str) -> Vec<u8> {
    bytes(hex)
}

/// y-websocket 3.1.0 against its reference server 2.1.0, by client 1.
const Y_WEBSOCKET: [(&str, Message<'static>); 7] = [
    ("00 00 01 00", Message::Sync(Sync::Step1(&[0]))),
    ("01 06 01 01 00 02 7b7d", Message::Awareness(b"\x01\x01\x00\x02{}")),
    ("00 01 02 00 00", Message::Sync(Sync::Step2(&[0, 0]))),
    (
        "00 02 0c 01 01 01 00 04 01 01 74 02 68 69 00",
        Message::Sync(Sync::Update(b"\x01\x01\x01\x00\x04\x01\x01t\x02hi\x00")),
    ),
    (
        "01 10 01 01 01 0c 7b2275736572223a2275227d",
        Message::Awareness(b"\x01\x01\x01\x0c{\"user\":\"u\"}"),
    ),
    (
        "01 08 01 01 01 04 6e756c6c",
        Message::Awareness(b"\x01\x01\x01\x04null"),
    ),
    ("02 00 02 6e6f", Message::PermissionDenied("no")),
];

#[test]
fn what_y_websocket_says_is_read_and_written() {
    let mut together = Vec::new();
    for (hex, message) in Y_WEBSOCKET {
        let frame = one(hex);
        assert_eq!(messages(&frame).collect::<Vec<_>>(), [Ok(message)], "{hex}");
        assert_eq!(message.frame(), frame, "{hex}");
        message.put(&mut together);
    }
    let read: Result<Vec<_>, _> = messages(&together).collect();
    assert_eq!(read.unwrap(), Y_WEBSOCKET.map(|(_, message)| message), "back to back");
    assert_eq!(messages(&[3]).collect::<Vec<_>>(), [Ok(Message::QueryAwareness)]);
}

/// Provider 4.8.0 against server 3.4.4, document "d".
#[test]
fn what_a_hocuspocus_provider_says_is_read() {
    let read = |hex: &str| match hocuspocus::read(&one(hex)).unwrap() {
        Frame::Message { address, message } => {
            assert_eq!((address.document, address.session), ("d", None));
            format!("{message:?}")
        }
        other => panic!("{other:?}"),
    };
    let shown = |message: FromClient<'_>| format!("{message:?}");
    assert_eq!(
        read("01 64 02 00 04 676f6f64 05 342e382e30"),
        shown(FromClient::Token {
            token: "good",
            version: Some("4.8.0")
        })
    );
    assert_eq!(
        read("01 64 02 00 04 676f6f64"),
        shown(FromClient::Token {
            token: "good",
            version: None
        })
    );
    assert_eq!(read("01 64 00 00 01 00"), shown(FromClient::Sync(Sync::Step1(&[0]))));
    assert_eq!(
        read("01 64 01 06 01 01 00 02 7b7d"),
        shown(FromClient::Awareness(b"\x01\x01\x00\x02{}"))
    );
    assert_eq!(
        read("01 64 00 01 02 00 00"),
        shown(FromClient::Sync(Sync::Step2(&[0, 0])))
    );
    assert_eq!(
        read("01 64 04 01 02 00 00"),
        shown(FromClient::SyncReply(Sync::Step2(&[0, 0])))
    );
    assert_eq!(read("01 64 03"), shown(FromClient::QueryAwareness));
    assert_eq!(read("01 64 05 03 686579"), shown(FromClient::Stateless("hey")));
    assert_eq!(read("01 64 07"), shown(FromClient::Close));
}

#[test]
fn what_a_hocuspocus_server_says_is_written() {
    let address = Address::parse("d");
    for (hex, message) in [
        (
            "01 64 02 02 0a 726561642d7772697465",
            FromServer::Authenticated { is_read_only: false },
        ),
        (
            "01 64 02 02 08 726561646f6e6c79",
            FromServer::Authenticated { is_read_only: true },
        ),
        ("01 64 00 00 01 00", FromServer::Sync(Sync::Step1(&[0]))),
        ("01 64 00 01 02 00 00", FromServer::Sync(Sync::Step2(&[0, 0]))),
        ("01 64 08 01", FromServer::SyncStatus { is_applied: true }),
        ("01 64 08 00", FromServer::SyncStatus { is_applied: false }),
        ("01 64 02 01 04 6e6f7065", FromServer::PermissionDenied("nope")),
        ("01 64 02 00", FromServer::TokenPlease),
        ("01 64 07 03 627965", FromServer::Close("bye")),
        ("01 64 05 03 686579", FromServer::Stateless("hey")),
        (
            "01 64 01 06 01 01 00 02 7b7d",
            FromServer::Awareness(b"\x01\x01\x00\x02{}"),
        ),
    ] {
        assert_eq!(message.frame(address), one(hex), "{message:?}");
    }
}

#[test]
fn a_session_is_told_apart_from_the_name_and_a_ping_from_both() {
    assert_eq!(hocuspocus::read(&[9]), Ok(Frame::Ping));
    assert_eq!(hocuspocus::read(&[10]), Ok(Frame::Pong));
    assert_eq!((hocuspocus::PING_FRAME, hocuspocus::PONG_FRAME), ([9], [10]));
    let address = Address {
        document: "a/b",
        session: Some("7"),
    };
    let frame = FromServer::Close("").frame(address);
    assert_eq!(frame, b"\x05a/b\x007\x07\x00");
    let close = b"\x05a/b\x007\x07";
    let message = FromClient::Close;
    assert_eq!(hocuspocus::read(close), Ok(Frame::Message { address, message }));
    let nine = b"\x09123456789\x07";
    assert!(
        matches!(hocuspocus::read(nine), Ok(Frame::Message { .. })),
        "a name of nine bytes"
    );
}

#[test]
fn what_only_servers_send_and_what_nobody_sends_is_refused() {
    let of = |hex: &str| hocuspocus::read(&one(hex)).unwrap_err();
    assert_eq!(
        of("01 64 06 01 61"),
        FrameError::Kind { at: 2, kind: 6 },
        "to all servers"
    );
    assert_eq!(of("01 64 08 01"), FrameError::Kind { at: 2, kind: 8 });
    assert_eq!(
        of("01 64 02 02 08 726561646f6e6c79"),
        FrameError::Kind { at: 2, kind: 2 }
    );
    assert_eq!(of("01 64 00 03 00"), FrameError::Kind { at: 3, kind: 3 });
    assert_eq!(of("01 64 07 00"), FrameError::Trailing { at: 3 });
    assert_eq!(of(""), FrameError::Empty);
    assert!(matches!(of("01 64"), FrameError::Read(_)));
    assert!(
        matches!(of("01 64 00 00 ff ff ff ff 0f"), FrameError::Read(_)),
        "no such length"
    );
    let mut long = Vec::new();
    put_text(&mut long, &"d".repeat(hocuspocus::ADDRESS_BYTES_MAX + 1));
    long.push(7);
    assert_eq!(hocuspocus::read(&long), Err(FrameError::Address));

    let first = |frame: &[u8]| messages(frame).next().unwrap().unwrap_err();
    assert_eq!(first(&[]), FrameError::Empty);
    assert_eq!(first(&[4]), FrameError::Kind { at: 0, kind: 4 });
    assert_eq!(first(&[0, 3, 0]), FrameError::Kind { at: 1, kind: 3 });
    assert_eq!(first(&[2, 1]), FrameError::Kind { at: 0, kind: 1 });
    let ends_at_the_first: Vec<_> = messages(&[3, 9, 3, 3]).collect();
    assert_eq!(
        ends_at_the_first,
        [Ok(Message::QueryAwareness), Err(FrameError::Kind { at: 1, kind: 9 })]
    );
    let many: Vec<_> = messages(&[3; 1_000]).collect();
    assert_eq!(
        (many.len(), many[MESSAGES_MAX]),
        (MESSAGES_MAX + 1, Err(FrameError::TooMany))
    );
}

#[test]
fn spoiled_frames_are_read_or_refused() {
    let mut dice = SmallRng::seed_from_u64(1);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..100_000 {
        let (hex, _) = Y_WEBSOCKET[dice.random_range(0..Y_WEBSOCKET.len())];
        let mut frame = one(hex);
        if dice.random() {
            frame.splice(0..0, [1, b'd']);
        }
        spoil(&mut frame, &mut dice);
        for outcome in [
            messages(&frame).last().is_some_and(|last| last.is_ok()),
            hocuspocus::read(&frame).is_ok(),
        ] {
            *if outcome { &mut read } else { &mut refused } += 1;
        }
    }
    assert!(read > 1_000 && refused > 1_000, "{read} and {refused}");
}
