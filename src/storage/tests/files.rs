//! Opening the files, what is refused, and what is deleted.

use rusqlite::Connection;

use super::*;
use crate::directory::DirectoryError;
use crate::storage::sqlite::FILE;

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
        .pragma_update(None, "user_version", 3)
        .expect("writes");
    assert!(matches!(
        refused(&directory),
        OpenError::Newer { found: 3, known: 2, .. }
    ));
}

#[tokio::test]
async fn what_is_not_kept_is_deleted_a_slice_at_a_time() {
    let directory = Directory::new();
    let opened = filled(&directory, 2_000).await;
    opened.commit("t:a", vec![publish(2_001, 65)]).await.expect("commits");
    let beside = database(&directory);
    assert_eq!(rows(&beside, "message"), 2_001 - 64, "a chunk goes with the batch");
    opened
        .commit("t:a", vec![Change::Truncate { floor: Seq(1_900) }])
        .await
        .expect("commits");
    let left = rows(&beside, "message");
    assert!(left > 102, "no batch waits for all of it: {left}");
    // Whatever else is written, or nothing: the writer goes on deleting, and this waits behind it.
    for _ in 0..8 {
        let due = opened.store.due(WallTime(0), WallTime(0), 1).await;
        assert_eq!(due, Ok(vec![]));
    }
    assert_eq!(rows(&beside, "message"), 102);
    assert_eq!(rows(&beside, "garbage"), 0);
}

#[tokio::test]
async fn a_forgotten_channel_leaves_nothing() {
    let directory = Directory::new();
    let opened = filled(&directory, 700).await;
    opened.commit("t:a", vec![Change::ForgetHead]).await.expect("commits");
    assert_eq!(opened.load("t:a").await, Ok(None));
    // The name begins anew while the rest of its last history is on its way out.
    opened
        .commit("t:a", vec![create(), publish(1, 1)])
        .await
        .expect("commits");
    for _ in 0..8 {
        opened.store.due(WallTime(0), WallTime(0), 1).await.expect("asks");
    }
    let beside = database(&directory);
    let tables = ["channel", "message", "term", "result", "garbage"];
    assert_eq!(tables.map(|table| rows(&beside, table)), [1, 1, 1, 1, 0]);
}

#[tokio::test]
async fn results_and_requests_are_bounded() {
    let directory = Directory::new();
    let opened = filled(&directory, 200).await;
    assert_eq!(rows(&database(&directory), "result"), 64);
    let requests = (201..=1_300).map(|seq| {
        let Change::Publish { message, floor, .. } = publish(seq, 1) else {
            unreachable!("it is a publish");
        };
        let origin = Origin::Idempotency {
            subject: Subject::new("anna"),
            key: starling_core::id::IdempotencyKey::parse(&format!("key-{seq}")).expect("valid"),
        };
        Change::Publish { message, origin, floor }
    });
    opened.commit("t:a", requests.collect()).await.expect("commits");
    assert_eq!(rows(&database(&directory), "request"), 1_000);
}
