//! What is wrong with the bytes as such.

use bytes::Bytes;
use prost::Message as _;
use starling_protocol::v1::{ClientFrame, Ping, client_frame};

use super::{Refused, publish};

pub(super) fn bodies() -> Vec<Refused> {
    let raw = |name, from, body: &[u8]| Refused {
        name,
        from,
        body: Bytes::copy_from_slice(body),
        field: "",
    };
    let two = [client_frame::Body::from(Ping { nonce: 1 }), publish().into()]
        .map(|body| ClientFrame { body: Some(body) }.encode_to_vec())
        .concat();
    vec![
        raw("empty from a client", "client", &[]),
        raw("empty from a server", "server", &[]),
        raw("only a field beside the body", "client", &[0x82, 0x02, 1, 0xff]),
        raw("two bodies", "client", &two),
        raw("the same body twice", "server", &[0x1a, 0, 0x1a, 0]),
        raw("body 15, which no client sends", "client", &[0x7a, 0]),
        raw("body 31, which no server sends", "server", &[0xfa, 0x01, 0]),
        raw("field 0", "client", &[0x02, 0]),
        raw("wire type 7", "client", &[0x17, 0]),
        raw("a ping as a number", "client", &[0x10, 1]),
        raw("a body cut short", "client", &[0x12, 2, 0x08]),
        raw("a group without an end", "client", &[0x83, 0x02]),
        raw(
            "a body with a nonce of eleven bytes",
            "client",
            &[
                0x12, 12, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
            ],
        ),
        raw(
            "a channel that is not UTF-8",
            "client",
            &[0x32, 6, 0x08, 1, 0x12, 2, 0xc3, 0x28],
        ),
        raw("not protobuf at all", "client", b"GET / HTTP/1.1\r\n\r\n"),
    ]
}
