//! The table that Raft's entries are applied to, and its snapshots.
//!
//! The table is in memory. What is on disk is the last snapshot; what was committed after it is applied again when
//! the node starts.

use std::io::Cursor;
use std::sync::Arc;

use arc_swap::ArcSwap;
use openraft::storage::{RaftSnapshotBuilder, RaftStateMachine, Snapshot};
use openraft::{BasicNode, EntryPayload, OptionalSend, SnapshotMeta as Meta, StorageIOError};
use serde::{Deserialize, Serialize};
use starling_core::table::Table;
use tokio::sync::watch;
use tracing::error;

use super::file::{File, FileError};
use super::raft::{Entry, LogId, Membership, SnapshotMeta, StorageError, TypeConfig};
use super::wire;

/// See the module.
#[derive(Debug)]
pub(super) struct Machine {
    file: File,
    table: Arc<Table>,
    applied: Option<LogId>,
    membership: Membership,
    view: Arc<ArcSwap<Table>>,
    changed: watch::Sender<u64>,
}

/// A snapshot as it is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    meta: SnapshotMeta,
    table: wire::Snapshot,
}

impl Machine {
    /// The table as of the last snapshot, or an empty one of `slots` slots.
    pub(super) fn open(file: File, slots: u16) -> Result<Self, FileError> {
        let kept: Option<Kept> = file.fact("snapshot")?;
        let (table, applied, membership) = match kept {
            Some(Kept { meta, table }) => {
                let table = table
                    .into_core()
                    .map_err(|error| FileError::Content(serde::de::Error::custom(error)))?;
                (table, meta.last_log_id, meta.last_membership)
            }
            None => (Table::new(slots), None, Membership::default()),
        };
        let table = Arc::new(table);
        Ok(Self {
            file,
            view: Arc::new(ArcSwap::new(Arc::clone(&table))),
            table,
            applied,
            membership,
            changed: watch::Sender::new(0),
        })
    }

    /// Where others see the table.
    pub(super) fn view(&self) -> Arc<ArcSwap<Table>> {
        Arc::clone(&self.view)
    }

    /// Counts what is applied.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Others see the table as it is now.
    fn show(&self) {
        self.view.store(Arc::clone(&self.table));
        self.changed.send_modify(|changes| *changes += 1);
    }

    fn carry_out(&mut self, batch: wire::Batch) -> Vec<wire::Outcome> {
        let commands = match batch.into_core() {
            Ok(commands) => commands,
            Err(refusal) => {
                // Every node that applies it says the same, so the tables stay alike.
                error!(%refusal, "a batch of commands for the slot table is none");
                return Vec::new();
            }
        };
        let table = Arc::make_mut(&mut self.table);
        let outcomes = commands.iter().map(|command| wire::Outcome::of(&table.apply(command)));
        outcomes.collect()
    }

    async fn keep(&self, kept: Kept) -> Result<(), StorageError> {
        let signature = kept.meta.signature();
        let saved = self.file.later(move |file| file.set_fact("snapshot", &kept)).await;
        saved.map_err(|error| StorageIOError::write_snapshot(Some(signature), &error).into())
    }
}

impl Kept {
    /// As Raft wants it.
    fn into_snapshot(self) -> Result<Snapshot<TypeConfig>, FileError> {
        let bytes = serde_json::to_vec(&self.table)?;
        Ok(Snapshot {
            meta: self.meta,
            snapshot: Box::new(Cursor::new(bytes)),
        })
    }
}

/// Makes a snapshot of one moment.
#[derive(Debug)]
pub(super) struct Builder {
    file: File,
    table: Arc<Table>,
    applied: Option<LogId>,
    membership: Membership,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, StorageError> {
        let at = self
            .applied
            .map_or_else(|| "empty".into(), |applied| applied.to_string());
        let meta = Meta {
            last_log_id: self.applied,
            last_membership: self.membership.clone(),
            snapshot_id: format!("{at}-{:08x}", rand::random::<u32>()),
        };
        let kept = Kept {
            meta: meta.clone(),
            table: wire::Snapshot::of(&self.table),
        };
        let saved = self.file.later(move |file| {
            file.set_fact("snapshot", &kept)?;
            kept.into_snapshot()
        });
        let saved = saved.await;
        saved.map_err(|error| StorageIOError::write_snapshot(Some(meta.signature()), &error).into())
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), StorageError> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Vec<wire::Outcome>>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut outcomes = Vec::new();
        for entry in entries {
            self.applied = Some(entry.log_id);
            outcomes.push(match entry.payload {
                EntryPayload::Blank => Vec::new(),
                EntryPayload::Normal(batch) => self.carry_out(batch),
                EntryPayload::Membership(membership) => {
                    self.membership = Membership::new(Some(entry.log_id), membership);
                    Vec::new()
                }
            });
        }
        self.show();
        Ok(outcomes)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder {
            file: self.file.clone(),
            table: Arc::clone(&self.table),
            applied: self.applied,
            membership: self.membership.clone(),
        }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &Meta<u64, BasicNode>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError> {
        let broken = |error: &dyn std::error::Error| {
            let error = std::io::Error::other(error.to_string());
            StorageIOError::read_snapshot(Some(meta.signature()), &error)
        };
        let table: wire::Snapshot = serde_json::from_slice(snapshot.get_ref()).map_err(|error| broken(&error))?;
        let kept = Kept {
            meta: meta.clone(),
            table: table.clone(),
        };
        let table = table.into_core().map_err(|error| broken(&error))?;
        self.keep(kept).await?;
        self.table = Arc::new(table);
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.show();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<TypeConfig>>, StorageError> {
        let kept = self.file.later(|file| {
            let kept: Option<Kept> = file.fact("snapshot")?;
            kept.map(Kept::into_snapshot).transpose()
        });
        let kept = kept.await;
        kept.map_err(|error| StorageIOError::read_snapshot(None, &error).into())
    }
}
