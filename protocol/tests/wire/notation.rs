//! Bytes and text in vector files: hexadecimal and plain, with long runs of one byte or character shortened.
//!
//! A value is a string, or a list of strings and runs: `["0a80", { "repeat": "61", "times": 65536 }, "ff"]`.

use serde_json::Value;

use crate::json::Json;

/// Shortest run that is worth a line of its own.
const RUN_MIN: usize = 32;

pub(crate) fn hex(bytes: &[u8]) -> Json {
    shorten(bytes, |byte| format!("{byte:02x}"))
}

pub(crate) fn text(text: &str) -> Json {
    shorten(&text.chars().collect::<Vec<_>>(), char::to_string)
}

/// Bytes from the notation of [`hex`].
pub(crate) fn unhex(value: &Value) -> Vec<u8> {
    let digits = untext(value);
    assert!(
        digits.is_ascii() && digits.len().is_multiple_of(2),
        "two digits a byte: {digits}"
    );
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

/// Text from the notation of [`text`].
pub(crate) fn untext(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(untext).collect(),
        Value::Object(run) => {
            let times = usize::try_from(run["times"].as_u64().unwrap()).unwrap();
            run["repeat"].as_str().unwrap().repeat(times)
        }
        other => panic!("neither text nor a list of parts: {other}"),
    }
}

fn shorten<T: PartialEq>(units: &[T], print: impl Fn(&T) -> String) -> Json {
    let mut parts = Vec::new();
    let mut plain = String::new();
    for run in units.chunk_by(|a, b| a == b) {
        if run.len() < RUN_MIN {
            run.iter().for_each(|unit| plain.push_str(&print(unit)));
            continue;
        }
        if !plain.is_empty() {
            parts.push(Json::Text(std::mem::take(&mut plain)));
        }
        let times = Json::Number(run.len() as u64);
        parts.push(Json::object([("repeat", Json::text(print(&run[0]))), ("times", times)]));
    }
    if parts.is_empty() {
        return Json::Text(plain);
    }
    if !plain.is_empty() {
        parts.push(Json::Text(plain));
    }
    Json::List(parts)
}

#[test]
fn notation_reads_back() {
    let bytes = [&[1, 2][..], &[7; 40], &[3], &[0; 31], &[9; 32]].concat();
    let printed = hex(&bytes);
    assert!(matches!(&printed, Json::List(parts) if parts.len() == 4));
    let mut json = String::new();
    let Json::List(parts) = printed else {
        unreachable!("asserted above")
    };
    for part in parts {
        match part {
            Json::Text(plain) => json.push_str(&plain),
            Json::Object(run) => {
                let [(_, Json::Text(unit)), (_, Json::Number(times))] = &run[..] else {
                    panic!("a run has two members")
                };
                json.push_str(&unit.repeat(usize::try_from(*times).unwrap()));
            }
            _ => panic!("a part is plain or a run"),
        }
    }
    assert_eq!(unhex(&Value::from(json)), bytes);
    let value = serde_json::json!(["ab", { "repeat": "61", "times": 3 }]);
    assert_eq!(unhex(&value), [0xab, 0x61, 0x61, 0x61]);
}
