//! `vectors/tolerated.json`: bodies from a peer of the future that must be taken, and as what.

use bytes::Bytes;
use starling_protocol::frame::{decode_client, decode_server};

use crate::json::{Json, golden};
use crate::notation::unhex;
use crate::schema;

/// Bodies that mean the same as another that this version writes: name, sender, body, the other.
const SAME: [(&str, &str, &str, &str); 7] = [
    ("a field beside the body", "client", "12020807820201ff", "12020807"),
    ("a field before the body", "server", "820201ff1a020807", "1a020807"),
    (
        "unknown fields of every wire type inside a body",
        "client",
        "121808077801810101020304050607088a0101ff950101020304",
        "12020807",
    ),
    ("fields in another order", "client", "3a0410050801", "3a0408011005"),
    ("a default that is spelled out", "client", "2a0408051000", "2a020805"),
    (
        "a field that is set twice, of which the last holds",
        "client",
        "120408010807",
        "12020807",
    ),
    (
        "a number that is not in its shortest form",
        "server",
        "1a03088700",
        "1a020807",
    ),
];

/// Codes and reasons that this version has no name for: they are kept as they are. All come from servers.
const UNKNOWN_NUMBERS: [(&str, &str); 4] = [
    ("an unknown error code", "6205080718b401"),
    ("an unknown reason in a discontinuity", "5a0c080510631a060a04302d6162"),
    ("an unknown reason in skipped", "3a080805100318032063"),
    ("an unknown close code", "92010308b823"),
];

#[test]
fn tolerated_bodies() {
    let about = "Bodies from a peer of the future. Each must be taken, and as the same frame as `means`, which this \
                 version writes. Where there is no `means`, an unknown number is kept and judged as README.md says.";
    let vectors = SAME
        .iter()
        .map(same)
        .chain(UNKNOWN_NUMBERS.iter().map(unknown))
        .collect();
    let file = golden(
        "tolerated.json",
        &Json::object([("about", Json::text(about)), ("vectors", Json::List(vectors))]),
    );
    for vector in file["vectors"].as_array().unwrap() {
        let name = vector["name"].as_str().unwrap();
        let body = Bytes::from(unhex(&vector["body"]));
        let means = vector
            .get("means")
            .map_or_else(|| body.clone(), |means| unhex(means).into());
        if vector["from"] == "client" {
            assert_eq!(decode_client(body).unwrap(), decode_client(means).unwrap(), "{name}");
        } else {
            assert_eq!(decode_server(body).unwrap(), decode_server(means).unwrap(), "{name}");
        }
    }
}

fn same((name, from, body, means): &(&str, &str, &str, &str)) -> Json {
    let message = schema::message(if *from == "client" {
        "ClientFrame"
    } else {
        "ServerFrame"
    });
    Json::object([
        ("name", Json::text(*name)),
        ("from", Json::text(*from)),
        ("body", Json::text(*body)),
        ("means", Json::text(*means)),
        ("frame", schema::to_json(message, &unhex(&(*means).into()))),
    ])
}

fn unknown((name, body): &(&str, &str)) -> Json {
    Json::object([
        ("name", Json::text(*name)),
        ("from", Json::text("server")),
        ("body", Json::text(*body)),
    ])
}
