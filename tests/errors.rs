//! docs/errors.md names every code that a client or an operator can meet, with its number and whether to come back,
//! and none that does not exist; and it says of each what to do.

use std::collections::BTreeMap;

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
