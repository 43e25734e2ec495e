//! Loads and pages, on connections of a small pool: each sees one moment of the database.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Object, Transaction};
use starling_core::channel::{Memory, Message, Stored};
use starling_core::id::ChannelName;
use starling_core::slot::StoreFailure;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio_postgres::IsolationLevel;

use super::row::Failure;
use super::{READERS, Shared, load, page};
use crate::storage::{PageFailure, Wanted};

/// How long something may take to be read.
pub(super) const READ_TIME_MAX: Duration = Duration::from_secs(10);

/// A channel that is to be loaded.
pub(super) struct Load {
    pub(super) channel: ChannelName,
    pub(super) memory: Memory,
    pub(super) reply: oneshot::Sender<Result<Option<Box<Stored>>, StoreFailure>>,
    /// Among those that may wait.
    pub(super) permit: OwnedSemaphorePermit,
}

impl Load {
    /// Reads it, and answers.
    pub(super) fn start(self, shared: &Arc<Shared>) {
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let found = read(&shared, &self)
                .await
                .map_err(|failure| told(&shared, &self.channel, &failure));
            let _ = self.reply.send(found.map(|found| found.map(Box::new))); // whoever asked may have gone
            drop(self.permit);
        });
    }
}

/// A page that is to be read.
pub(super) async fn page(shared: &Shared, wanted: &Wanted) -> Result<Vec<Arc<Message>>, PageFailure> {
    match read(shared, wanted).await {
        Ok(Some(messages)) => Ok(messages),
        Ok(None) => Err(PageFailure::Truncated),
        Err(failure) => Err(told(shared, &wanted.channel, &failure).into()),
    }
}

/// Something that is read as of one moment.
pub(super) trait Question: Sync {
    type Found: Send;

    fn read(&self, transaction: &Transaction<'_>) -> impl Future<Output = Result<Self::Found, Failure>> + Send;
}

impl Question for Load {
    type Found = Option<Stored>;

    fn read(&self, transaction: &Transaction<'_>) -> impl Future<Output = Result<Self::Found, Failure>> + Send {
        load::load(transaction, &self.channel, self.memory)
    }
}

impl Question for Wanted {
    type Found = Option<Vec<Arc<Message>>>;

    fn read(&self, transaction: &Transaction<'_>) -> impl Future<Output = Result<Self::Found, Failure>> + Send {
        page::page(transaction, self)
    }
}

/// Reads. What is read on a connection that has died meanwhile is read again on another.
pub(super) async fn read<Q: Question>(shared: &Shared, question: &Q) -> Result<Q::Found, Failure> {
    // As many may have died as there are.
    for _ in 0..=READERS {
        if !shared.is_connected() {
            break;
        }
        let mut client = shared.reading().await?;
        let found = tokio::time::timeout(READ_TIME_MAX, snapshot(&mut client, question)).await;
        match found.unwrap_or(Err(Failure::Silent)) {
            Err(failure) if failure.is_lost() => {
                drop(Object::take(client));
                if matches!(failure, Failure::Silent) {
                    return Err(failure);
                }
            }
            found => return found,
        }
    }
    Err(Failure::Pool("the database cannot be reached".to_owned()))
}

async fn snapshot<Q: Question>(client: &mut Object, question: &Q) -> Result<Q::Found, Failure> {
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let found = question.read(&transaction).await?;
    transaction.commit().await?;
    Ok(found)
}

fn told(shared: &Shared, channel: &ChannelName, failure: &Failure) -> StoreFailure {
    shared.metrics.store_failed("read");
    match failure.kind() {
        // That it is away was said once.
        StoreFailure::Unavailable if !shared.is_connected() => {
            tracing::debug!(%channel, %failure, "a channel could not be read from the store");
        }
        StoreFailure::Unavailable => {
            tracing::warn!(%channel, %failure, "a channel could not be read from the store");
        }
        // The name of a channel may be a secret of its users, but an operator has to find it.
        _ => tracing::error!(%channel, %failure, "a channel could not be read from the store"),
    }
    failure.kind()
}
