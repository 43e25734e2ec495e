//! Raft's log and vote, in the file.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};

use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader, StorageIOError, Vote};
use rusqlite::params;

use super::file::{File, FileError};
use super::raft::{Entry, LogId, StorageError, TypeConfig};

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Log {
    file: File,
}

impl Log {
    pub(super) const fn new(file: File) -> Self {
        Self { file }
    }
}

fn positions(range: &impl RangeBounds<u64>) -> (i64, i64) {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => i64::MAX as u64,
    };
    (signed(start), signed(end))
}

fn signed(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

fn reads(error: FileError) -> StorageError {
    StorageIOError::read_logs(&error).into()
}

fn writes(error: FileError) -> StorageError {
    StorageIOError::write_logs(&error).into()
}

impl RaftLogReader<TypeConfig> for Log {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError> {
        let (start, end) = positions(&range);
        let entries = self.file.later(move |file| {
            let texts: Vec<String> = file.with(|connection| {
                let select = "SELECT entry FROM log WHERE position >= ?1 AND position < ?2 ORDER BY position";
                let mut select = connection.prepare_cached(select)?;
                select.query_map(params![start, end], |row| row.get(0))?.collect()
            })?;
            let entries = texts.iter().map(|text| serde_json::from_str(text));
            Ok(entries.collect::<Result<_, _>>()?)
        });
        entries.await.map_err(reads)
    }
}

impl RaftLogStorage<TypeConfig> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError> {
        let state = self.file.later(|file| {
            let purged: Option<LogId> = file.fact("purged")?;
            let last: Option<String> = file.with(|connection| {
                use rusqlite::OptionalExtension;
                let select = "SELECT entry FROM log ORDER BY position DESC LIMIT 1";
                connection.query_row(select, [], |row| row.get(0)).optional()
            })?;
            let last = last.map(|text| serde_json::from_str::<Entry>(&text)).transpose()?;
            Ok(LogState {
                last_purged_log_id: purged,
                last_log_id: last.map(|entry| entry.log_id).or(purged),
            })
        });
        state.await.map_err(reads)
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Result<(), StorageError> {
        let vote = *vote;
        let saved = self.file.later(move |file| file.set_fact("vote", &vote)).await;
        saved.map_err(|error| StorageIOError::write_vote(&error).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<u64>>, StorageError> {
        let vote = self.file.later(|file| file.fact("vote")).await;
        vote.map_err(|error| StorageIOError::read_vote(&error).into())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), StorageError> {
        let saved = self
            .file
            .later(move |file| file.set_fact("committed", &committed))
            .await;
        saved.map_err(writes)
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        let committed = self.file.later(|file| file.fact::<Option<LogId>>("committed")).await;
        committed.map(Option::flatten).map_err(reads)
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<TypeConfig>) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let appended = self.file.later(move |file| {
            let texts = entries
                .iter()
                .map(|entry| Ok((entry.log_id.index, serde_json::to_string(entry)?)));
            let texts: Vec<_> = texts.collect::<Result<_, serde_json::Error>>()?;
            file.with(|connection| {
                let transaction = connection.transaction()?;
                {
                    let insert = "INSERT OR REPLACE INTO log (position, entry) VALUES (?1, ?2)";
                    let mut insert = transaction.prepare_cached(insert)?;
                    for (position, text) in &texts {
                        insert.execute(params![signed(*position), text])?;
                    }
                }
                transaction.commit()
            })
        });
        match appended.await {
            // Synced: a commit in this mode does not return before that.
            Ok(()) => callback.log_io_completed(Ok(())),
            Err(error) => {
                callback.log_io_completed(Err(io::Error::other(error.to_string())));
                return Err(writes(error));
            }
        }
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let delete = move |file: &File| {
            let delete = "DELETE FROM log WHERE position >= ?1";
            file.with(|connection| connection.execute(delete, [signed(log_id.index)]))?;
            Ok(())
        };
        self.file.later(delete).await.map_err(writes)
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let purge = move |file: &File| {
            // In this order: what is said to be gone may still be there, and not the reverse.
            file.set_fact("purged", &log_id)?;
            let delete = "DELETE FROM log WHERE position <= ?1";
            file.with(|connection| connection.execute(delete, [signed(log_id.index)]))?;
            Ok(())
        };
        self.file.later(purge).await.map_err(writes)
    }
}
