//! What a voter keeps on disk: one small SQLite file.
//!
//! Everything that is written is synced before it is answered (`synchronous=FULL`): a voter that forgot its vote, or
//! an entry that it acknowledged, could let the table lose what was decided. A voter whose file is gone is another
//! voter, so the file also holds the name that Raft knows it by.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::OpenError;

/// The file, in the node's data directory.
pub(super) const FILE: &str = "slot-table.sqlite";

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct File {
    connection: Arc<Mutex<Connection>>,
    path: Arc<str>,
    raft_id: u64,
}

/// The file did not take or give something.
#[derive(Debug, Error)]
pub(super) enum FileError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("it does not hold what this version writes: {0}")]
    Content(#[from] serde_json::Error),
    #[error("the task that used it failed")]
    Task,
}

impl File {
    /// Opens the file in `directory`, or makes it.
    pub(super) fn open(directory: &Path) -> Result<Self, OpenError> {
        let path: Arc<str> = directory.join(FILE).to_string_lossy().into();
        let opened = Self::try_open(&path);
        opened.map_err(|error| OpenError::File {
            path: path.to_string(),
            reason: error.to_string(),
        })
    }

    fn try_open(path: &Arc<str>) -> Result<Self, FileError> {
        let connection = Connection::open(&**path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
             CREATE TABLE IF NOT EXISTS log (position INTEGER PRIMARY KEY, entry TEXT NOT NULL) STRICT;",
        )?;
        let file = Self {
            connection: Arc::new(Mutex::new(connection)),
            path: Arc::clone(path),
            raft_id: 0,
        };
        let raft_id = match file.fact("raft_id")? {
            Some(raft_id) => raft_id,
            None => {
                // Never 0, which is what Raft takes for nobody in places.
                let raft_id = rand::random::<u64>() | 1;
                file.set_fact("raft_id", &raft_id)?;
                raft_id
            }
        };
        Ok(Self { raft_id, ..file })
    }

    /// The name that Raft knows this file's node by.
    pub(super) const fn raft_id(&self) -> u64 {
        self.raft_id
    }

    /// What is said when it cannot be used.
    pub(super) fn error(&self, error: &FileError) -> OpenError {
        OpenError::File {
            path: self.path.to_string(),
            reason: error.to_string(),
        }
    }

    /// Something that was written down once.
    pub(super) fn fact<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, FileError> {
        let value: Option<String> = self.with(|connection| {
            connection
                .query_row("SELECT value FROM fact WHERE name = ?1", [name], |row| row.get(0))
                .optional()
        })?;
        Ok(value.map(|value| serde_json::from_str(&value)).transpose()?)
    }

    /// Writes something down in place of what was there.
    pub(super) fn set_fact<T: Serialize>(&self, name: &str, value: &T) -> Result<(), FileError> {
        let value = serde_json::to_string(value)?;
        let upsert = "INSERT INTO fact (name, value) VALUES (?1, ?2)
                      ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.with(|connection| connection.execute(upsert, params![name, value]))?;
        Ok(())
    }

    /// Does something with the connection.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T, FileError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(act(&mut connection)?)
    }

    /// Does something that waits for the disk, on a thread that may wait.
    pub(super) async fn later<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Self) -> Result<T, FileError> + Send + 'static,
    ) -> Result<T, FileError> {
        let file = self.clone();
        let done = tokio::task::spawn_blocking(move || act(&file)).await;
        done.unwrap_or(Err(FileError::Task))
    }
}
