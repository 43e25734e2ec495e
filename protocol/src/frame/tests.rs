use super::*;
use crate::close::CloseCode;
use crate::limits;
use crate::v1::{Attach, ErrorCode, Hello, Page, PageEntry, Ping, Policy, Position, Publish, attach};

fn publish() -> Publish {
    Publish {
        request: 7,
        channel: "chat:lobby".into(),
        serial: 2,
        base: 1,
        since_ms: 1_700_000_000_000,
        payload: Bytes::from_static(b"hello"),
        ..Publish::default()
    }
}

/// What the server answers to a frame that it must refuse.
fn answer(body: impl Into<client_frame::Body>) -> Answer {
    decode_client(encode_client(body).message())
        .expect_err("the frame is refused")
        .answer()
}

fn lies_within(inner: &[u8], outer: &[u8]) -> bool {
    outer.as_ptr_range().contains(&inner.as_ptr())
}

#[test]
fn both_forms_of_an_encoded_frame_share_one_buffer() {
    let encoded = encode_client(Publish {
        payload: vec![1; 300].into(),
        ..publish()
    });
    let (stream, message) = (encoded.stream(), encoded.message());
    assert_eq!(
        stream.len(),
        message.len() + 2,
        "a length from 128 to 16383 takes two bytes"
    );
    assert_eq!(encoded.body_bytes(), message.len());
    assert!(lies_within(&message, &stream));
}

#[test]
fn payloads_are_slices_of_the_frame() {
    let body = encode_client(publish()).message();
    let Ok(client_frame::Body::Publish(decoded)) = decode_client(body.clone()) else {
        panic!("a publish decodes to a publish");
    };
    assert_eq!(decoded, publish());
    assert!(lies_within(&decoded.payload, &body));
}

#[test]
fn a_field_beside_the_body_is_ignored_and_a_second_body_is_not() {
    let mut body = encode_client(Ping { nonce: 3 }).message().to_vec();
    body.extend_from_slice(&[0x82, 0x02, 1, 0xff]); // field 32, one byte
    assert_eq!(decode_client(body.clone().into()), Ok(Ping { nonce: 3 }.into()));
    body.extend_from_slice(&[0x12, 0]); // field 2, another ping
    assert_eq!(decode_client(body.into()), Err(DecodeError::SecondBody));
}

#[test]
fn a_wrong_request_is_answered_and_the_session_goes_on() {
    let refused = |request, code| Answer::Refuse { request, code };
    assert_eq!(
        answer(Publish { serial: 0, ..publish() }),
        refused(7, ErrorCode::BadRequest)
    );
    assert_eq!(
        answer(Publish { base: 3, ..publish() }),
        refused(7, ErrorCode::BadRequest)
    );
    assert_eq!(
        answer(Publish {
            channel: String::new(),
            ..publish()
        }),
        refused(7, ErrorCode::BadChannelName)
    );
    assert_eq!(
        answer(Publish {
            channel: "c".repeat(256),
            ..publish()
        }),
        refused(7, ErrorCode::BadChannelName)
    );
    let attach = Attach {
        request: 8,
        channel: "chat:lobby".into(),
        policy: 99,
        ..Attach::default()
    };
    assert_eq!(answer(attach), refused(8, ErrorCode::BadRequest));
}

#[test]
fn what_cannot_be_answered_ends_the_session() {
    let protocol_error = Answer::Close(CloseCode::ProtocolError);
    assert_eq!(
        answer(Publish {
            request: 0,
            ..publish()
        }),
        protocol_error
    );
    assert_eq!(
        answer(Hello {
            version_min: 1,
            version_max: 1,
            ..Hello::default()
        }),
        protocol_error
    );
    assert_eq!(
        decode_client(Bytes::new()).map_err(|refusal| refusal.answer()),
        Err(protocol_error)
    );
}

#[test]
fn fields_at_their_limits_are_taken() {
    let key = "k".repeat(limits::KEY_BYTES_MAX);
    let channel = "c".repeat(limits::CHANNEL_BYTES_MAX);
    let frame = Publish {
        channel,
        key,
        serial: u64::MAX,
        base: u64::MAX,
        ..publish()
    };
    assert_eq!(decode_client(encode_client(frame.clone()).message()), Ok(frame.into()));
}

#[test]
fn an_attach_position_needs_an_epoch_and_a_rewind_of_nothing_is_a_place() {
    let attach = |from| Attach {
        request: 1,
        channel: "a:b".into(),
        policy: Policy::Recover.into(),
        from,
    };
    assert_eq!(
        answer(attach(Some(attach::From::Position(position(""))))),
        Answer::Refuse {
            request: 1,
            code: ErrorCode::BadRequest
        }
    );
    for from in [
        None,
        Some(attach::From::Rewind(0)),
        Some(attach::From::Position(position("0-f00d"))),
    ] {
        let frame = attach(from);
        assert_eq!(
            decode_client(encode_client(frame.clone()).message()),
            Ok(frame.into()),
            "all three are kept apart"
        );
    }
}

fn position(epoch: &str) -> Position {
    Position {
        epoch: epoch.into(),
        seq: 0,
        term: 0,
    }
}

#[test]
fn a_page_with_a_gap_is_not_a_page() {
    let entry = |seq| PageEntry {
        seq,
        term: 1,
        ..PageEntry::default()
    };
    let page = |after, seqs: &[u64]| Page {
        channel_id: 1,
        after,
        entries: seqs.iter().copied().map(entry).collect(),
    };
    let check = |page: Page| {
        decode_server(encode_server(page).message())
            .map(drop)
            .map_err(|refusal| refusal.name())
    };
    assert_eq!(check(page(4, &[5, 6, 7])), Ok(()));
    for gap in [
        page(4, &[6]),
        page(4, &[5, 7]),
        page(4, &[5, 5]),
        page(4, &[4]),
        page(u64::MAX, &[0]),
    ] {
        assert_eq!(check(gap), Err("field_out_of_range"));
    }
    assert_eq!(check(page(4, &[])), Err("field_missing"));
}

#[test]
fn refusals_say_what_is_wrong_and_what_to_do() {
    let refusal = decode_client(encode_client(Publish { base: 3, ..publish() }).message())
        .expect_err("the base is above the serial");
    assert_eq!(
        refusal.to_string(),
        "publish.base is 3; it must be no higher than the serial, which has no result yet either"
    );
    assert_eq!(
        decode_client(Bytes::from_static(&[0x7a, 0])),
        Err(DecodeError::UnknownBody { number: 15 })
    );
}
