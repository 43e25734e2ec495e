//! Opening the file of SQLite, and what is refused.

use std::path::Path;

use rusqlite::Connection;

use super::*;
use crate::directory::DirectoryError;
use crate::storage::sqlite::FILE;

fn open(directory: &Path) -> Result<Sqlite, OpenError> {
    Sqlite::open(directory, SLOTS, Limits::default(), Arc::new(Metrics::new()))
}

fn refused(directory: &Directory) -> OpenError {
    match open(&directory.0) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

fn database(directory: &Directory) -> Connection {
    Connection::open(directory.0.join(FILE)).expect("opens")
}

fn rows(database: &Connection, table: &str) -> u64 {
    let count = database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
    count.expect("counts").unsigned_abs()
}

#[test]
fn a_directory_belongs_to_one_node() {
    let directory = Directory::new();
    let first = open(&directory.0).expect("opens");
    assert!(matches!(
        refused(&directory),
        OpenError::Directory(DirectoryError::Taken { .. })
    ));
    drop(first);
    open(&directory.0).expect("opens once the other is gone");
}

#[test]
fn a_directory_that_cannot_be_made_is_told() {
    let directory = Directory::new();
    std::fs::write(&directory.0, "a file").expect("writes");
    assert!(matches!(
        refused(&directory),
        OpenError::Directory(DirectoryError::Unusable { .. })
    ));
    std::fs::remove_file(&directory.0).expect("removes");
}

#[test]
fn what_is_no_store_of_ours_is_left_alone() {
    let directory = Directory::new();
    std::fs::create_dir_all(&directory.0).expect("makes");
    std::fs::write(
        directory.0.join(FILE),
        "no database at all, and long enough to be told from one",
    )
    .expect("writes");
    assert!(matches!(refused(&directory), OpenError::Foreign { .. }));
    std::fs::remove_file(directory.0.join(FILE)).expect("removes");
    database(&directory)
        .execute_batch("CREATE TABLE theirs (x)")
        .expect("makes");
    assert!(matches!(refused(&directory), OpenError::Foreign { .. }));
    assert_eq!(rows(&database(&directory), "theirs"), 0, "it is as it was");
}

#[test]
fn a_later_schema_and_another_number_of_slots_are_refused() {
    let directory = Directory::new();
    drop(open(&directory.0).expect("opens"));
    let other = Sqlite::open(&directory.0, 8, Limits::default(), Arc::new(Metrics::new()));
    assert!(matches!(
        other.err(),
        Some(OpenError::Slots {
            found: 4,
            configured: 8,
            ..
        })
    ));
    database(&directory)
        .pragma_update(None, "user_version", 4)
        .expect("writes");
    assert!(matches!(
        refused(&directory),
        OpenError::Newer { found: 4, known: 3, .. }
    ));
}
