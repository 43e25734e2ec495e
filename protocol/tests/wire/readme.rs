//! The tables of README.md name every code and every limit with its number, and none that does not exist.

use starling_protocol::close::CloseCode;
use starling_protocol::frame::DecodeError;
use starling_protocol::limits;
use starling_protocol::v1::ErrorCode;

use crate::schema;

const README: &str = include_str!("../../README.md");

#[test]
fn close_codes() {
    let returns = |code: &CloseCode| if code.returns() { "returns" } else { "stays away" };
    let row = |code: &CloseCode| vec![code.number().to_string(), quoted(code.name()), returns(code).to_owned()];
    assert_eq!(
        table("Close codes", 3),
        CloseCode::ALL.iter().map(row).collect::<Vec<_>>()
    );
}

#[test]
fn error_codes() {
    let later = |code: &ErrorCode| if code.is_retryable() { "yes" } else { "no" };
    let row = |code: &ErrorCode| vec![(*code as i32).to_string(), quoted(code.name()), later(code).to_owned()];
    assert_eq!(
        table("Error codes", 3),
        ErrorCode::ALL.iter().map(row).collect::<Vec<_>>()
    );
}

#[test]
fn refused_frames() {
    let row = |name: &&str| vec![quoted(name)];
    assert_eq!(
        table("Refused frames", 1),
        DecodeError::NAMES.iter().map(row).collect::<Vec<_>>()
    );
}

#[test]
fn limits() {
    let row = |(name, value): &(&str, u64)| vec![quoted(name), grouped(*value)];
    assert_eq!(table("Limits", 2), limits::ALL.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn reasons() {
    for (title, name, prefix) in [
        ("Why a position is lost", "Reason", "REASON_"),
        ("Why messages are skipped", "SkipReason", "SKIP_REASON_"),
        ("Policies", "Policy", "POLICY_"),
    ] {
        let values = schema::enum_values(name);
        let row = |(name, number): &(String, i32)| {
            vec![
                number.to_string(),
                quoted(&name.strip_prefix(prefix).unwrap().to_lowercase()),
            ]
        };
        let expected: Vec<_> = values.iter().filter(|(_, number)| *number != 0).map(row).collect();
        assert_eq!(table(title, 2), expected);
    }
}

/// The first `columns` cells of every row of the table under the heading `title`.
fn table(title: &str, columns: usize) -> Vec<Vec<String>> {
    let (_, section) = README
        .split_once(&format!("# {title}\n"))
        .unwrap_or_else(|| panic!("README.md has no section {title:?}"));
    section
        .lines()
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| line.starts_with('|'))
        .skip(2) // the head and the rule below it
        .map(|line| {
            line.trim_matches('|')
                .split('|')
                .take(columns)
                .map(|cell| cell.trim().to_owned())
                .collect()
        })
        .collect()
}

fn quoted(name: &str) -> String {
    format!("`{name}`")
}

/// A number with a comma before every third digit from the end.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let comma = |at: usize| {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            ","
        } else {
            ""
        }
    };
    digits
        .char_indices()
        .map(|(at, digit)| format!("{}{digit}", comma(at)))
        .collect()
}
