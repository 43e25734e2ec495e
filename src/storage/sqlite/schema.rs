//! Making and checking the file.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::directory::DirectoryError;
use crate::storage::OpenError;

/// The database, in the data directory.
pub const FILE: &str = "starling.db";

/// Marks the file as ours: "star".
const APPLICATION: i32 = 0x7374_6172;

/// Each brings the schema from its place in the list to the next.
const MIGRATIONS: [&str; 3] = [
    include_str!("../migrations/sqlite/0001_initial.sql"),
    include_str!("../migrations/sqlite/0002_rank.sql"),
    include_str!("../migrations/sqlite/0003_documents.sql"),
];

/// How long a connection waits for another one's lock. Only making the file takes one that counts.
const BUSY_TIME_MAX: Duration = Duration::from_secs(5);

/// The write-ahead log is cut back to this after a burst: as much as the queue may hold.
const LOG_BYTES_KEPT: i64 = 64 << 20;

/// Opens the database for writing, and brings its schema up to date. Answers with its incarnation.
pub(super) fn open(directory: &Path, slots: u16) -> Result<(Connection, u32), OpenError> {
    let file = directory.join(FILE);
    let database = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => OpenError::Foreign { file: file.clone() },
        _ => OpenError::Database {
            file: file.clone(),
            source,
        },
    };
    // Messages are its owner's business: SQLite gives the log beside the file the same rights.
    let mut options = OpenOptions::new();
    let made = options.create(true).truncate(false).write(true).mode(0o600).open(&file);
    made.map_err(|source| DirectoryError::Unusable {
        directory: directory.to_owned(),
        source,
    })?;
    let mut connection = connect(&file).map_err(database)?;
    let (application, version, tables) = marks(&connection).map_err(database)?;
    if application != APPLICATION && (application != 0 || version != 0 || tables > 0) {
        return Err(OpenError::Foreign { file });
    }
    let known = MIGRATIONS.len();
    let found = u32::try_from(version).unwrap_or(u32::MAX);
    if found as usize > known {
        let known = u32::try_from(known).unwrap_or(u32::MAX);
        return Err(OpenError::Newer { file, found, known });
    }
    let pragmas = || {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)
    };
    pragmas().map_err(database)?;
    migrate(&mut connection, found as usize, slots).map_err(database)?;
    let made = connection.query_row("SELECT incarnation, slots FROM store", [], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    let (incarnation, made_for): (u32, u16) = made.map_err(database)?;
    if made_for != slots {
        return Err(OpenError::Slots {
            file,
            found: made_for,
            configured: slots,
        });
    }
    Ok((connection, incarnation))
}

/// Opens the database for reading.
pub(super) fn reader(directory: &Path) -> Result<Connection, OpenError> {
    let file = directory.join(FILE);
    let connection = connect(&file).and_then(|connection| {
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    });
    connection.map_err(|source| OpenError::Database { file, source })
}

fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(BUSY_TIME_MAX)?;
    // More statements than there are in this module.
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// Whose file it is, which schema it has, and how many tables.
fn marks(connection: &Connection) -> rusqlite::Result<(i32, i32, u32)> {
    Ok((
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
        connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?,
    ))
}

fn migrate(connection: &mut Connection, from: usize, slots: u16) -> rusqlite::Result<()> {
    if from == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in &MIGRATIONS[from..] {
        transaction.execute_batch(migration)?;
    }
    if from == 0 {
        transaction.execute(
            "INSERT INTO store (only, incarnation, slots) VALUES (1, ?1, ?2)",
            (rand::random::<u32>(), slots),
        )?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i32)?;
    transaction.commit()
}
