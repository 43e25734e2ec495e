//! The publisher table by itself: what was model-checked, and each boundary.

use super::super::publishers::{Check, Fate, Publishers};
use super::*;

const HOUR: WallTime = WallTime(3_600_000);

fn check(table: &Publishers, serial: u64, base: u64) -> Check {
    table.check(&anna(), Serial(serial), Serial(base), HOUR, HOUR, 10)
}

fn published(seq: u64) -> Fate {
    Fate::Published {
        seq: Seq(seq),
        term: Term(1),
    }
}

#[test]
fn only_the_next_serial_is_accepted() {
    let mut table = Publishers::new();
    table.record(&anna(), Serial(5), published(1), start());
    table.record(&anna(), Serial(6), Fate::Skipped, start());
    assert_eq!(check(&table, 5, 1), Check::Duplicate(published(1)));
    assert_eq!(check(&table, 6, 6), Check::Duplicate(Fate::Skipped));
    assert_eq!(check(&table, 7, 1), Check::Accept);
    let gap = Check::Gap { expected: Serial(7) };
    assert_eq!(check(&table, 8, 1), gap);
    assert_eq!(check(&table, u64::MAX, 1), gap);
    assert_eq!(
        check(&table, 4, 1),
        Check::OutcomeUnknown,
        "before the first that is known"
    );
}

#[test]
fn an_entry_that_does_not_follow_is_noticed() {
    let mut table = Publishers::new();
    assert!(table.fits(&anna(), Serial(5)).is_ok(), "a row may begin anywhere");
    table.record(&anna(), Serial(5), published(1), start());
    assert!(table.fits(&anna(), Serial(6)).is_ok());
    assert!(table.fits(&anna(), Serial(5)).is_err());
    assert!(table.fits(&anna(), Serial(7)).is_err());
    table.record(&anna(), Serial(6), Fate::Skipped, start());
    table.expire(&[anna()]);
    assert!(table.fits(&anna(), Serial(5)).is_ok());
}

#[test]
fn a_publisher_may_have_results_of_a_history_that_is_lost() {
    let mut table = Publishers::new();
    table.record(&anna(), Serial(5), published(1), start());
    assert_eq!(check(&table, 10, 9), Check::Gap { expected: Serial(6) }, "nine first");
    assert_eq!(check(&table, 9, 9), Check::Beyond);
    assert_eq!(check(&table, 7, 5), Check::Gap { expected: Serial(6) });
}

#[test]
fn the_end_of_the_numbers_is_an_end() {
    let mut table = Publishers::new();
    table.record(&anna(), Serial(u64::MAX), published(1), start());
    assert_eq!(check(&table, u64::MAX, 1), Check::Duplicate(published(1)));
    assert!(table.fits(&anna(), Serial(u64::MAX)).is_err());
}

#[test]
fn rows_expire_by_their_last_entry() {
    let ben = Author {
        subject: Subject::new("ben"),
        publisher: PublisherId([2; 16]),
    };
    let mut table = Publishers::new();
    table.record(&anna(), Serial(1), published(1), start());
    table.record(&ben, Serial(1), published(2), start() + seconds(60));
    table.record(&anna(), Serial(2), published(3), start() + seconds(90));
    assert_eq!(table.oldest(), Some(start() + seconds(60)));
    assert_eq!(table.expired(9, start() + Duration::from_millis(659_999)), []);
    assert_eq!(table.expired(9, start() + seconds(660)), std::slice::from_ref(&ben));
    assert_eq!(
        table.expired(1, start() + seconds(690)),
        [anna()],
        "no more than asked for"
    );
    table.expire(&[anna(), ben]);
    assert!(table.is_empty());
}
