//! One transaction of the writer: two trips to the database for whatever waited.
//!
//! The first begins it, holds the slots so that nobody claims them meanwhile, and reads the heads that the batches follow.
//! The second writes, and commits. A batch that does not fit is left out by [`Plan`]; when the database itself finds
//! something, the transaction is undone, and the writer tries its batches one by one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use starling_core::id::{ChannelName, Key, Seq, SlotId, Term};
use starling_core::slot::Change;
use starling_core::time::WallTime;
use tokio_postgres::Row;

use super::document::Appends;
use super::pipeline::{Pipeline, Sent};
use super::plan::{Before, Claimed, Plan};
use super::row::{self, Failure, number, text};
use super::statements::Statements;
use crate::storage::documents::request::Append;
use crate::storage::sum::signed;
use crate::storage::{Batch, Mark};

/// How long a transaction may take. Beyond it the connection is given up: a database that answers so late is not there.
pub(super) const TRANSACTION_TIME_MAX: Duration = Duration::from_secs(10);

/// A connection that writes.
pub(super) struct Session {
    pub(super) client: deadpool_postgres::ClientWrapper,
    statements: Statements,
}

/// What is to be done.
pub(super) enum Task<'a> {
    Batch(&'a Batch),
    Mark(&'a Mark),
    Append(&'a Append),
    Due(&'a Due),
    /// Only to be told when all before it is done.
    Nothing,
}

/// Channels that are to be found because something of them is due.
pub(super) struct Due {
    pub(super) now: WallTime,
    pub(super) again: WallTime,
    pub(super) max: u32,
    /// Whose channels: the node,
    pub(super) owner: Arc<str>,
    /// and which start of it.
    pub(super) generation: u64,
}

/// What is done beside that.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extras {
    /// Deletes some rows that are no longer kept.
    pub(super) collect: bool,
    /// Writes something in any case, to see whether that works.
    pub(super) probe: bool,
}

/// What a task came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Written, or left out.
    Written(Result<(), Failure>),
    /// Rows of a document: appended to which, or left out. `None` if that is not to be done here.
    Appended(Option<Result<i64, Failure>>),
    /// Channels of which something is due.
    Due(Vec<ChannelName>),
}

/// What a transaction came to.
pub(super) struct Done {
    /// In the order of the tasks.
    pub(super) outcomes: Vec<Outcome>,
    /// Whether there may be more to delete.
    pub(super) littered: bool,
    /// Bytes that the store takes, if that was looked at.
    pub(super) size: Option<u64>,
}

impl Session {
    pub(super) async fn new(client: deadpool_postgres::ClientWrapper) -> Result<Self, tokio_postgres::Error> {
        let statements = Box::pin(Statements::prepare(&client)).await?; // there are many of them
        Ok(Self { client, statements })
    }

    /// Does all in one transaction.
    ///
    /// # Errors
    /// When it was lost. Whether it was committed is known only if the failure [is of one](Failure::is_of_one) of the tasks:
    /// then it was not.
    pub(super) async fn transact(&self, tasks: &[Task<'_>], extras: Extras) -> Result<Done, Failure> {
        let transaction = tokio::time::timeout(TRANSACTION_TIME_MAX, self.run(tasks, extras));
        transaction.await.unwrap_or(Err(Failure::Silent))
    }

    async fn run(&self, tasks: &[Task<'_>], extras: Extras) -> Result<Done, Failure> {
        let is_due = |task: &Task<'_>| matches!(task, Task::Due(_));
        let touched = Touched::by(tasks);
        let mut appends = Appends::of(tasks.iter().filter_map(|task| match *task {
            Task::Append(append) => Some(append),
            _ => None,
        }));
        let is_touched = !touched.slots.is_empty() || !appends.is_empty();
        if !is_touched && !tasks.iter().any(is_due) && !extras.collect && !extras.probe {
            let outcomes = tasks.iter().map(|_| Outcome::Written(Ok(()))).collect();
            return Ok(Done {
                outcomes,
                littered: false,
                size: None,
            });
        }
        let before = match self.begin(&touched, &mut appends).await {
            Ok(before) => before,
            Err(failure) => {
                // One that is lost does not hear it.
                let _ = self.client.batch_execute("ROLLBACK").await;
                return Err(failure);
            }
        };
        let mut plan = Plan::new(before);
        let mut outcomes = Vec::with_capacity(tasks.len());
        for task in tasks {
            outcomes.push(match *task {
                Task::Batch(batch) => Outcome::Written(plan.batch(batch)),
                Task::Mark(mark) => Outcome::Written(plan.mark(mark)),
                Task::Append(append) => Outcome::Appended(appends.add(append)),
                Task::Due(_) | Task::Nothing => Outcome::Written(Ok(())),
            });
        }
        let (littered, size) = self.write(plan, appends, tasks, &mut outcomes, extras).await?;
        Ok(Done {
            outcomes,
            littered,
            size,
        })
    }

    /// The first trip.
    async fn begin(&self, touched: &Touched<'_>, appends: &mut Appends<'_>) -> Result<Before, Failure> {
        let (client, statements) = (&self.client, &self.statements);
        let slots: Vec<i32> = touched.slots.iter().map(|slot| i32::from(slot.0)).collect();
        let names: Vec<&str> = touched.channels.iter().map(|channel| channel.as_str()).collect();
        let (removed_of, removed): (Vec<&str>, Vec<&[u8]>) = touched
            .removed
            .iter()
            .map(|(channel, key)| (channel.as_str(), key.as_str().as_bytes()))
            .unzip();
        let begun = Sent::new(client.batch_execute("BEGIN")).await;
        let slots = Sent::new(async { client.query(&statements.slots, &[&slots]).await }).await;
        let heads = Sent::new(async { client.query(&statements.heads, &[&names]).await }).await;
        let known = match removed.is_empty() {
            true => None,
            false => {
                let known = async { client.query(&statements.known, &[&removed_of, &removed]).await };
                Some(Sent::new(known).await)
            }
        };
        let ids = match touched.begin {
            0 => None,
            begin => Some(Sent::new(async move { client.query(&statements.ids, &[&begin]).await }).await),
        };
        let documents = appends.ask(client, statements).await;
        begun.answer().await?;
        let mut before = Before::default();
        for row in slots.answer().await? {
            before.claimed(&row)?;
        }
        for row in heads.answer().await? {
            before.headed(&row)?;
        }
        if let Some(known) = known {
            for row in known.answer().await? {
                before.known(&row)?;
            }
        }
        if let Some(ids) = ids {
            for row in ids.answer().await? {
                before.ids.push(row.try_get(0)?);
            }
        }
        appends.answered(documents).await?;
        Ok(before)
    }

    /// The second trip. Answers whether there may be more to delete, and with the store's size, if somebody looked.
    async fn write(
        &self,
        plan: Plan<'_>,
        appends: Appends<'_>,
        tasks: &[Task<'_>],
        outcomes: &mut [Outcome],
        extras: Extras,
    ) -> Result<(bool, Option<u64>), Failure> {
        let (client, statements) = (&self.client, &self.statements);
        let litters = plan.litters();
        let mut pipeline = Pipeline::new(client);
        for stage in plan.into_stages() {
            stage.send(statements, &mut pipeline).await;
        }
        appends.send(statements, &mut pipeline).await;
        if extras.probe {
            pipeline.send(&statements.probe, Vec::new()).await;
        }
        let mut due = Vec::new();
        for (index, task) in tasks.iter().enumerate() {
            if let Task::Due(wanted) = task {
                let found = async move {
                    let (now, again, max) = (signed(wanted.now.0), signed(wanted.again.0), i64::from(wanted.max));
                    let (owner, generation) = (&*wanted.owner, signed(wanted.generation));
                    client
                        .query(&statements.due, &[&now, &again, &max, &owner, &generation])
                        .await
                };
                due.push((index, Sent::new(found).await));
            }
        }
        // What is due is asked every few seconds: often enough to look how large the store is.
        let size = match due.is_empty() {
            true => None,
            false => Some(Sent::new(async { client.query_one(&statements.size, &[]).await }).await),
        };
        let collected = match extras.collect {
            true => Some(Sent::new(async { client.execute(&statements.collect, &[]).await }).await),
            false => None,
        };
        // If anything before it has failed the database undoes all, and what has failed says so.
        let committed = Sent::new(client.batch_execute("COMMIT")).await;
        pipeline.answered().await?;
        for (index, found) in due {
            let rows = found.answer().await?;
            outcomes[index] = Outcome::Due(rows.iter().filter_map(name).collect());
        }
        let littered = match collected {
            Some(collected) => collected.answer().await? > 0,
            None => false,
        };
        let size = match size {
            Some(size) => Some(number(&size.answer().await?, 0)?),
            None => None,
        };
        committed.answer().await?;
        Ok((littered || litters, size))
    }
}

/// All that the tasks touch, to be read in the first trip.
#[derive(Default)]
struct Touched<'a> {
    slots: BTreeSet<SlotId>,
    channels: BTreeSet<&'a ChannelName>,
    /// Keys that are removed: whether they have a value makes a difference.
    removed: BTreeSet<(&'a ChannelName, &'a Key)>,
    /// Channels that may begin.
    begin: i32,
}

impl<'a> Touched<'a> {
    fn by(tasks: &[Task<'a>]) -> Self {
        let mut touched = Self::default();
        for task in tasks {
            match *task {
                Task::Batch(batch) => {
                    let channel = &batch.batch.channel;
                    touched.slots.insert(batch.fence.slot);
                    touched.channels.insert(channel);
                    for entry in &batch.batch.entries {
                        match &entry.change {
                            Change::Create { .. } => touched.begin += 1,
                            Change::Publish { message, .. } if message.deleted => {
                                touched.removed.extend(message.key.as_ref().map(|key| (channel, key)));
                            }
                            _ => {}
                        }
                    }
                }
                Task::Mark(mark) => {
                    touched.slots.insert(mark.fence.slot);
                    touched.channels.insert(&mark.channel);
                }
                Task::Append(_) | Task::Due(_) | Task::Nothing => {}
            }
        }
        touched
    }
}

impl Before {
    fn claimed(&mut self, row: &Row) -> Result<(), Failure> {
        let slot: i32 = row.try_get(0)?;
        let claimed = Claimed {
            term: Term(number(row, 1)?),
            owner: row.try_get(2)?,
            generation: number(row, 3)?,
        };
        let slot = u16::try_from(slot).map_err(|_| Failure::Damaged("slot"))?;
        self.slots.insert(SlotId(slot), claimed);
        Ok(())
    }

    fn headed(&mut self, row: &Row) -> Result<(), Failure> {
        let Some(channel) = name_at(row, 10) else {
            return Ok(()); // nobody asked for it by that name
        };
        match row::head(&channel, row) {
            Ok(head) => drop(self.heads.insert(channel, head)),
            Err(Failure::Damaged(what)) => drop(self.damaged.insert(channel, what)),
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    fn known(&mut self, row: &Row) -> Result<(), Failure> {
        let key = text(row.try_get(1)?).and_then(|key| Key::parse(key).ok());
        if let Some(key) = key {
            let values = self.known.entry(row.try_get(0)?).or_default();
            values.insert(key, (Seq(number(row, 2)?), row.try_get(3)?));
        }
        Ok(())
    }
}

/// A name that is none any more is damaged; whoever opens it finds that out.
fn name(row: &Row) -> Option<ChannelName> {
    name_at(row, 0)
}

fn name_at(row: &Row, column: usize) -> Option<ChannelName> {
    ChannelName::parse(row.try_get(column).ok()?).ok()
}
