//! `vectors/client.json` and `vectors/server.json`: every frame in bytes and in fields.

use std::collections::BTreeSet;

use bytes::Bytes;
use starling_protocol::frame::{Decoder, Encoded, decode_client, decode_server, encode_client, encode_server};
use starling_protocol::limits;
use starling_protocol::v1::{client_frame, server_frame};

use crate::cases::{self, Case};
use crate::json::{Json, golden};
use crate::{notation, schema};

#[test]
fn client_frames() {
    let about = "What a client sends.";
    let files = check(
        "client.json",
        about,
        "ClientFrame",
        &cases::client(),
        client_frame::Body::name,
        encode_client,
    );
    for (case, file) in cases::client().into_iter().zip(files) {
        assert_eq!(decode_client(file.body), Ok(case.body), "{}", file.name);
    }
}

#[test]
fn server_frames() {
    let about = "What a server sends.";
    let files = check(
        "server.json",
        about,
        "ServerFrame",
        &cases::server(),
        server_frame::Body::name,
        encode_server,
    );
    for (case, file) in cases::server().into_iter().zip(files) {
        assert_eq!(decode_server(file.body), Ok(case.body), "{}", file.name);
    }
}

#[test]
fn every_frame_keeps_to_its_limit() {
    for case in cases::client() {
        let most = if case.body.name() == "hello" {
            limits::HELLO_BYTES_MAX
        } else {
            limits::CLIENT_FRAME_BYTES_MAX
        };
        assert!(
            encode_client(case.body.clone()).body_bytes() <= most,
            "{}/{}",
            case.body.name(),
            case.size
        );
    }
    let mut longest = 0;
    for case in cases::server() {
        let bytes = encode_server(case.body).body_bytes();
        assert!(bytes <= limits::SERVER_FRAME_BYTES_MAX);
        longest = longest.max(bytes);
    }
    assert_eq!(
        longest,
        limits::SERVER_FRAME_BYTES_MAX,
        "the maximal page reaches the limit"
    );
}

/// What a vector file says about one frame.
struct Vector {
    name: String,
    body: Bytes,
}

/// Holds a file to the cases, and every vector in it to the schema and the stream framing.
fn check<B: Clone>(
    file: &str,
    about: &str,
    frame: &str,
    cases: &[Case<B>],
    name: impl Fn(&B) -> &'static str,
    encode: impl Fn(B) -> Encoded,
) -> Vec<Vector> {
    let vectors = cases
        .iter()
        .map(|case| vector(frame, name(&case.body), case.size, &encode(case.body.clone())));
    let json = Json::object([("about", Json::text(about)), ("vectors", Json::List(vectors.collect()))]);
    let read = golden(file, &json);
    let read: Vec<_> = read["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|vector| read_vector(frame, vector))
        .collect();
    complete(frame, &read);
    for (case, vector) in cases.iter().zip(&read) {
        let encoded = encode(case.body.clone());
        assert_eq!(encoded.message(), vector.body, "{}", vector.name);
        let mut stream = encoded.stream().into();
        let framed = Decoder::new(limits::SERVER_FRAME_BYTES_MAX).decode(&mut stream);
        assert_eq!(framed, Ok(Some(vector.body.clone())), "{}", vector.name);
    }
    read
}

fn vector(frame: &str, kind: &str, size: &str, encoded: &Encoded) -> Json {
    let body = encoded.message();
    let Json::Object(fields) = schema::to_json(schema::message(frame), &body) else {
        unreachable!("a message is an object");
    };
    Json::Object(vec![
        ("name".into(), Json::Text(format!("{kind}/{size}"))),
        ("bytes".into(), Json::Number(body.len() as u64)),
        ("body".into(), notation::hex(&body)),
        ("frame".into(), Json::Object(fields)),
    ])
}

/// Reads one vector, and holds its two halves to each other by reflection alone.
fn read_vector(frame: &str, vector: &serde_json::Value) -> Vector {
    let name = vector["name"].as_str().unwrap().to_owned();
    let body = notation::unhex(&vector["body"]);
    assert_eq!(vector["bytes"], body.len(), "{name}");
    assert_eq!(
        schema::to_bytes(schema::message(frame), &vector["frame"]),
        body,
        "{name}"
    );
    Vector {
        name,
        body: body.into(),
    }
}

/// Every kind in the schema has its three vectors, and every name is used once.
fn complete(frame: &str, vectors: &[Vector]) {
    let names: BTreeSet<&str> = vectors.iter().map(|vector| vector.name.as_str()).collect();
    assert_eq!(names.len(), vectors.len(), "each name once");
    let mut fields = BTreeSet::new();
    for field in schema::message(frame).fields() {
        for size in ["minimal", "full", "maximal"] {
            let name = format!("{}/{size}", field.name());
            assert!(
                names.contains(name.as_str()),
                "{frame} lacks the vector {name}: add it to tests/wire/cases"
            );
        }
        fields.insert(field.name().to_owned());
    }
    let known = match frame {
        "ClientFrame" => client_frame::Body::NAMES,
        _ => server_frame::Body::NAMES,
    };
    assert_eq!(
        known.iter().copied().map(str::to_owned).collect::<BTreeSet<_>>(),
        fields
    );
}
