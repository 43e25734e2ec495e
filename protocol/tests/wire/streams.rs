//! `vectors/stream.json`: how frames are found in the bytes of a stream.

use bytes::BytesMut;
use serde_json::Value;
use starling_protocol::frame::{DecodeError, Decoder};
use starling_protocol::limits;

use crate::json::{Json, golden};
use crate::notation::{hex, unhex};

/// Reads of one stream, in order, and what comes of them.
pub(crate) struct Stream {
    name: &'static str,
    body_bytes_max: usize,
    reads: Vec<Vec<u8>>,
    bodies: Vec<Vec<u8>>,
    error: Option<&'static str>,
}

impl Stream {
    /// A stream of these reads that holds these bodies and then ends.
    fn good(name: &'static str, reads: &[&[u8]], bodies: &[&[u8]]) -> Self {
        let owned = |parts: &[&[u8]]| parts.iter().map(|part| part.to_vec()).collect();
        let body_bytes_max = limits::HELLO_BYTES_MAX;
        Self {
            name,
            body_bytes_max,
            reads: owned(reads),
            bodies: owned(bodies),
            error: None,
        }
    }

    /// A stream that is refused after these bodies.
    fn bad(name: &'static str, error: &'static str, reads: &[&[u8]], bodies: &[&[u8]]) -> Self {
        Self {
            error: Some(error),
            ..Self::good(name, reads, bodies)
        }
    }

    fn with_max(self, body_bytes_max: usize) -> Self {
        Self { body_bytes_max, ..self }
    }

    fn to_json(&self) -> Json {
        let list = |parts: &[Vec<u8>]| Json::List(parts.iter().map(|part| hex(part)).collect());
        let mut members = vec![
            ("name".to_owned(), Json::text(self.name)),
            ("bodyBytesMax".to_owned(), Json::Number(self.body_bytes_max as u64)),
            ("reads".to_owned(), list(&self.reads)),
            ("bodies".to_owned(), list(&self.bodies)),
        ];
        members.extend(self.error.map(|error| ("error".to_owned(), Json::text(error))));
        Json::Object(members)
    }
}

/// Every stream of the file.
pub(crate) fn streams() -> Vec<Stream> {
    let long = |length: usize| vec![0x61; length];
    let framed = |prefix: &[u8], body: &[u8]| [prefix, body].concat();
    let (short, page) = (long(127), long(limits::PAGE_BYTES_MAX));
    let (two, two_end, three) = (long(128), long(16_383), long(16_384));
    let every_byte: Vec<&[u8]> = vec![&[3], b"a", b"b", b"c", &[1], b"d"];
    vec![
        Stream::good("nothing", &[], &[]),
        Stream::good("one frame", &[b"\x03abc"], &[b"abc"]),
        Stream::good("two frames in one read", &[b"\x03abc\x01d"], &[b"abc", b"d"]),
        Stream::good("a byte at a time", &every_byte, &[b"abc", b"d"]),
        Stream::good(
            "a read that ends inside a length",
            &[&[0x80], &framed(&[0x01], &two)],
            &[&two],
        ),
        Stream::good(
            "a read that ends inside a body",
            &[b"\x03ab", b"c\x01", b"d"],
            &[b"abc", b"d"],
        ),
        Stream::good(
            "the longest body with a length of one byte",
            &[&framed(&[0x7f], &short)],
            &[&short],
        ),
        Stream::good(
            "the shortest body with a length of two bytes",
            &[&framed(&[0x80, 0x01], &two)],
            &[&two],
        ),
        Stream::good(
            "the longest body with a length of two bytes",
            &[&framed(&[0xff, 0x7f], &two_end)],
            &[&two_end],
        )
        .with_max(limits::CLIENT_FRAME_BYTES_DEFAULT),
        Stream::good(
            "the shortest body with a length of three bytes",
            &[&framed(&[0x80, 0x80, 0x01], &three)],
            &[&three],
        )
        .with_max(limits::CLIENT_FRAME_BYTES_DEFAULT),
        Stream::good(
            "the longest frame of a server",
            &[&framed(&[0x80, 0x80, 0x10], &page)],
            &[&page],
        )
        .with_max(limits::SERVER_FRAME_BYTES_MAX),
        Stream::bad("one byte above the limit", "too_large", &[b"\x03abc\x04"], &[b"abc"]).with_max(3),
        Stream::bad("a hello above its limit", "too_large", &[&[0x81, 0x20]], &[]),
        Stream::bad(
            "a length of 2^62",
            "too_large",
            &[&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]],
            &[],
        ),
        Stream::bad("a length of 2^64 - 1", "too_large", &[&[0xff; 9], &[0x01]], &[]),
        Stream::bad("a length of 2^64", "bad_prefix", &[&[0x80; 9], &[0x02]], &[]),
        Stream::bad("a length of eleven bytes", "bad_prefix", &[&[0x80; 10], &[0x01]], &[]),
        Stream::bad(
            "a length that is not in its shortest form",
            "bad_prefix",
            &[b"\x83\x00abc"],
            &[],
        ),
        Stream::bad(
            "a zero that is not in its shortest form",
            "bad_prefix",
            &[&[0x80, 0x00]],
            &[],
        ),
        Stream::bad("an empty frame", "empty_frame", &[b"\x03abc\x00\x01d"], &[b"abc"]),
        Stream::bad("an end inside a length", "truncated", &[b"\x03abc\x80"], &[b"abc"]),
        Stream::bad("an end inside a body", "truncated", &[b"\x03abc\x03ab"], &[b"abc"]),
    ]
}

/// The names of refusals that the file shows.
pub(crate) fn refusals() -> Vec<&'static str> {
    streams().iter().filter_map(|stream| stream.error).collect()
}

#[test]
fn streams_are_cut_into_frames() {
    let about = "Streams: what was read, piece by piece, and the frame bodies in it; then the stream ends. With `error` \
                 the stream is refused after those bodies.";
    let vectors = Json::List(streams().iter().map(Stream::to_json).collect());
    let file = golden(
        "stream.json",
        &Json::object([("about", Json::text(about)), ("vectors", vectors)]),
    );
    for stream in file["vectors"].as_array().unwrap() {
        let name = stream["name"].as_str().unwrap();
        let max = usize::try_from(stream["bodyBytesMax"].as_u64().unwrap()).unwrap();
        let (bodies, end) = read(max, &list(&stream["reads"]));
        assert_eq!(bodies, list(&stream["bodies"]), "{name}");
        assert_eq!(end.err().map(|error| error.name()), stream["error"].as_str(), "{name}");
    }
}

fn list(parts: &Value) -> Vec<Vec<u8>> {
    parts.as_array().unwrap().iter().map(unhex).collect()
}

fn read(body_bytes_max: usize, reads: &[Vec<u8>]) -> (Vec<Vec<u8>>, Result<(), DecodeError>) {
    let decoder = Decoder::new(body_bytes_max);
    let mut buffer = BytesMut::new();
    let mut bodies = vec![];
    for piece in reads {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(body)) => bodies.push(body.to_vec()),
                Ok(None) => break,
                Err(error) => return (bodies, Err(error)),
            }
        }
    }
    (bodies, decoder.finish(&buffer))
}
