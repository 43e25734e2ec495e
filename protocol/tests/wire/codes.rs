//! `vectors/codes.json`, `limits.json` and `versions.json`: the numbers that clients in other languages must share.

use starling_protocol::close::{self, CloseCode};
use starling_protocol::v1::ErrorCode;
use starling_protocol::{limits, refusal, version};

use crate::json::{Json, golden};

#[test]
fn codes() {
    let close = |code: &CloseCode| {
        Json::object([
            ("code", Json::Number(code.number().into())),
            ("name", Json::text(code.name())),
            ("returns", Json::Bool(code.returns())),
            ("sentence", Json::text(code.sentence())),
        ])
    };
    let error = |code: &ErrorCode| {
        Json::object([
            ("code", Json::Number(*code as u64)),
            ("name", Json::text(code.name())),
            ("retryable", Json::Bool(code.is_retryable())),
        ])
    };
    // Codes of no meaning yet: a client judges them by their range.
    let unknown_close = [0, 1001, 1006, 4399, 4450, 4499, 4500, 4550, 4599, 4600, 65_535_u16].map(|code| {
        Json::object([
            ("code", Json::Number(code.into())),
            ("returns", Json::Bool(close::returns(code))),
        ])
    });
    let unknown_error = [0, 50, 99, 150, 199, 200].map(|code| {
        Json::object([
            ("code", Json::Number(code)),
            (
                "retryable",
                Json::Bool(refusal::is_retryable(i32::try_from(code).unwrap())),
            ),
        ])
    });
    let about = "Close codes and error codes; those unknown to a client are judged by their range.";
    golden(
        "codes.json",
        &Json::object([
            ("about", Json::text(about)),
            ("close", Json::List(CloseCode::ALL.iter().map(close).collect())),
            ("unknownClose", Json::List(unknown_close.into())),
            ("error", Json::List(ErrorCode::ALL.iter().map(error).collect())),
            ("unknownError", Json::List(unknown_error.into())),
        ]),
    );
}

#[test]
fn limits() {
    let members = limits::ALL
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Json::Number(*value)));
    let about = "Every limit on the wire; README.md says what each counts.";
    golden(
        "limits.json",
        &Json::object([
            ("about", Json::text(about)),
            ("limits", Json::Object(members.collect())),
        ]),
    );
}

#[test]
fn versions() {
    let offers = [(1, 1), (1, 2), (1, u32::MAX), (2, 2), (2, 9), (0, 1), (0, 0), (2, 1)];
    let choice = |(min, max): (u32, u32)| {
        let mut members = vec![
            ("min".to_owned(), Json::Number(min.into())),
            ("max".to_owned(), Json::Number(max.into())),
        ];
        let chosen = version::choose(min, max).map(|version| ("chosen".to_owned(), Json::Number(version.into())));
        members.extend(chosen);
        Json::Object(members)
    };
    let about = "The version a server that speaks `spoken` chooses from a range; none, and it says goodbye with 4406.";
    golden(
        "versions.json",
        &Json::object([
            ("about", Json::text(about)),
            (
                "spoken",
                Json::object([
                    ("min", Json::Number(version::VERSION_MIN.into())),
                    ("max", Json::Number(version::VERSION_MAX.into())),
                ]),
            ),
            ("offers", Json::List(offers.into_iter().map(choice).collect())),
        ]),
    );
}
