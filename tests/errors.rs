//! docs/errors.md names every code that a client or an operator can meet, with its number and whether to come back,
//! and none that does not exist; and it says of each what to do.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use starling_protocol::close::CloseCode;
use starling_protocol::v1::{ErrorCode, Reason, SkipReason};

const PAGE: &str = include_str!("../docs/errors.md");

#[test]
fn close_codes() {
    let returns = |code: CloseCode| if code.returns() { "returns" } else { "stays away" };
    let row = |code: &CloseCode| {
        [
            code.number().to_string(),
            quoted(code.name()),
            returns(*code).to_owned(),
        ]
    };
    assert_eq!(table("Close codes"), CloseCode::ALL.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn error_codes() {
    let later = |code: ErrorCode| if code.is_retryable() { "yes" } else { "no" };
    let row = |code: &ErrorCode| [(*code as i32).to_string(), quoted(code.name()), later(*code).to_owned()];
    assert_eq!(table("Error codes"), ErrorCode::ALL.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn the_document_of_the_http_api_names_the_same_codes() {
    let document: Value = serde_json::from_str(include_str!("../src/api/openapi.json")).expect("JSON");
    let detail = &document["components"]["schemas"]["ErrorDetail"]["properties"];
    let codes = |field: &str| {
        let codes = detail[field]["enum"].as_array().expect("an enum");
        codes
            .iter()
            .map(|code| quoted(code.as_str().expect("a name")))
            .collect()
    };
    let documented: BTreeSet<String> = codes("code");
    let http: BTreeSet<_> = table("Codes of the HTTP API")
        .into_iter()
        .map(|[_, name, _]| name)
        .collect();
    let protocol: BTreeSet<_> = table("Error codes").into_iter().map(|[_, name, _]| name).collect();
    assert!(http.is_subset(&documented), "{http:?} and {documented:?}");
    let both = http.union(&protocol).cloned().collect();
    assert!(documented.is_subset(&both), "{documented:?} and {both:?}");
    // What only sessions are told: they have serials, channels that they are attached to and are in, and documents
    // open.
    let sessions_only = [
        "too_many_channels",
        "serial_gap",
        "not_attached",
        "serial_skipped",
        "not_entered",
        "too_many_documents",
    ];
    let missing: BTreeSet<_> = both.difference(&documented).cloned().collect();
    assert_eq!(missing, sessions_only.map(quoted).into());
    let reasons: BTreeSet<String> = codes("reason");
    let told: BTreeSet<_> = numbered("Lost positions").into_values().collect();
    assert!(reasons.is_subset(&told), "{reasons:?} and {told:?}");
}

#[test]
fn reasons() {
    let reason = |number| Reason::try_from(number).ok().map(|reason| reason.as_str_name());
    assert_eq!(numbered("Lost positions"), named(reason, "REASON_"));
    let skip = |number| SkipReason::try_from(number).ok().map(|reason| reason.as_str_name());
    assert_eq!(numbered("Skipped messages"), named(skip, "SKIP_REASON_"));
}

#[test]
fn every_row_says_what_to_do() {
    let rows = PAGE.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let mut count = 0;
    for row in rows {
        let last = cells(row).pop().unwrap_or_default();
        assert!(last.len() > 15, "{row:?} does not say what to do");
        count += 1;
    }
    assert!(count > CloseCode::ALL.len() + ErrorCode::ALL.len(), "{count} rows");
}

/// The first three cells of each row of the table under a heading.
fn table(title: &str) -> Vec<[String; 3]> {
    let first = |line: &str| cells(line).into_iter().take(3).collect::<Vec<_>>();
    rows(title)
        .map(|line| first(line).try_into().expect("a row of three cells and more"))
        .collect()
}

/// Number and name of each row of the table under a heading.
fn numbered(title: &str) -> BTreeMap<i32, String> {
    let pair = |[number, name, _]: [String; 3]| (number.parse().expect("a number"), name);
    table(title).into_iter().map(pair).collect()
}

/// Number and name of each value of an enum of the schema, without "unspecified".
fn named(name_of: impl Fn(i32) -> Option<&'static str>, prefix: &str) -> BTreeMap<i32, String> {
    let name = |name: &str| quoted(&name.strip_prefix(prefix).expect("the schema's prefix").to_lowercase());
    (1..=99)
        .filter_map(|number| Some((number, name(name_of(number)?))))
        .collect()
}

fn rows(title: &str) -> impl Iterator<Item = &'static str> {
    let (_, section) = PAGE
        .split_once(&format!("\n## {title}\n"))
        .expect("the page has this section");
    let lines = section.lines().take_while(|line| !line.starts_with('#'));
    lines.filter(|line| line.starts_with('|')).skip(2) // the head and the rule below it
}

fn cells(row: &str) -> Vec<String> {
    row.trim_matches('|')
        .split('|')
        .map(|cell| cell.trim().to_owned())
        .collect()
}

fn quoted(name: &str) -> String {
    format!("`{name}`")
}
