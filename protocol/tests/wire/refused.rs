//! `vectors/refused.json`: bodies that must not be taken, and what the session answers.

mod bytes;
mod client;
mod document;
mod presence;
mod server;

use std::collections::BTreeSet;

use ::bytes::Bytes;
use starling_protocol::frame::{Answer, DecodeError, decode_client, decode_server, encode_client, encode_server};
use starling_protocol::v1::{Publish, client_frame, server_frame};

use crate::json::{Json, golden};
use crate::notation::{hex, unhex};
use crate::streams;

/// A body that one side must refuse, and the field that is wrong if it is a field.
struct Refused {
    name: &'static str,
    from: &'static str,
    body: Bytes,
    field: &'static str,
}

#[test]
fn refused_bodies() {
    let about = "Bodies that a decoder must refuse. `from` is the side that sent it. A server answers as `answer` says; \
                 a client that meets one from a server ends the session.";
    let vectors: Vec<Json> = all().iter().map(to_json).collect();
    let file = golden(
        "refused.json",
        &Json::object([("about", Json::text(about)), ("vectors", Json::List(vectors))]),
    );
    for vector in file["vectors"].as_array().unwrap() {
        let name = vector["name"].as_str().unwrap();
        let error = refusal(vector["from"].as_str().unwrap(), unhex(&vector["body"]).into());
        assert_eq!(error.name(), vector["error"], "{name}");
    }
}

#[test]
fn every_refusal_is_shown() {
    let mut shown: BTreeSet<_> = all()
        .iter()
        .map(|refused| refusal(refused.from, refused.body.clone()).name())
        .collect();
    shown.extend(streams::refusals());
    assert_eq!(
        shown,
        DecodeError::NAMES.iter().copied().collect(),
        "each way to refuse a frame has a vector"
    );
}

#[test]
fn every_vector_is_refused_for_the_field_it_names() {
    for refused in all() {
        let field = match refusal(refused.from, refused.body) {
            DecodeError::Field { frame, field, .. } => format!("{frame}.{field}"),
            _ => String::new(),
        };
        assert_eq!(field, refused.field, "{}", refused.name);
    }
}

fn to_json(refused: &Refused) -> Json {
    let error = refusal(refused.from, refused.body.clone());
    let mut members = vec![
        ("name".to_owned(), Json::text(refused.name)),
        ("from".to_owned(), Json::text(refused.from)),
        ("body".to_owned(), hex(&refused.body)),
        ("error".to_owned(), Json::text(error.name())),
    ];
    if !refused.field.is_empty() {
        members.push(("field".to_owned(), Json::text(refused.field)));
    }
    let answer = match error.answer() {
        Answer::Close(code) => Json::object([("close", Json::Number(code.number().into()))]),
        Answer::Refuse { request, code } => Json::object([
            ("request", Json::Text(request.to_string())),
            ("code", Json::Number(code as u64)),
        ]),
    };
    members.push(("answer".to_owned(), answer));
    Json::Object(members)
}

fn refusal(from: &str, body: Bytes) -> DecodeError {
    match from {
        "client" => decode_client(body).unwrap_err(),
        _ => decode_server(body).unwrap_err(),
    }
}

fn all() -> Vec<Refused> {
    let mut all = bytes::bodies();
    all.extend(client::publishes());
    all.extend(client::requests());
    all.extend(client::openings());
    all.extend(presence::bodies());
    all.extend(document::bodies());
    all.extend(server::deliveries());
    all.extend(server::answers());
    all
}

fn client(name: &'static str, field: &'static str, body: impl Into<client_frame::Body>) -> Refused {
    Refused {
        name,
        from: "client",
        body: encode_client(body).message(),
        field,
    }
}

fn server(name: &'static str, field: &'static str, body: impl Into<server_frame::Body>) -> Refused {
    Refused {
        name,
        from: "server",
        body: encode_server(body).message(),
        field,
    }
}

fn publish() -> Publish {
    Publish {
        request: 7,
        channel: "chat:lobby".into(),
        serial: 2,
        base: 1,
        since_ms: 1,
        ..Publish::default()
    }
}
