//! Documents in the database: what each write does to the tables, and what is read of them.
//!
//! Two nodes may write one document. Each write holds its head until it has ended, so the second sees what the first did.
//! Rows are appended by the writer, in the transaction that channels share; all else, of which nobody types the next
//! letter meanwhile, one by one on a connection of the pool, where neither 64 MiB nor another node hold a publish up.
//!
//! * `append`: the rows of a transaction; `chores`: the task that does the rest, and here: what that is;
//! * `head`: the row that says what there is; `body`: pieces;
//! * `snapshot`: snapshots and versions; `trash`: deletion, and what comes back from it;
//! * `read`: a document or a version in whole; `list`: what an operator asks.

use deadpool_postgres::Transaction;
use starling_core::time::WallTime;

use super::row::Failure;
use crate::storage::documents::request::Write;
use crate::storage::documents::{self, TRASH_TIME};
use crate::storage::sum::signed;

mod append;
mod body;
pub(super) mod chores;
mod head;
mod list;
mod read;
mod snapshot;
mod trash;

pub(super) use append::Appends;
pub(super) use head::document_columns;
pub(super) use read::start as answer;

/// Does one write in a transaction of its own.
async fn write(transaction: &Transaction<'_>, write: &Write) -> Result<i64, Failure> {
    match write {
        Write::Append(append) => append::alone(transaction, append).await,
        Write::Piece { body, n, bytes, time } => {
            body::put_first(transaction, *body, *n, bytes, *time).await?;
            Ok(0)
        }
        Write::Snapshot {
            document,
            history,
            through,
            body,
            last,
            time,
        } => {
            let mut head = head::hold(transaction, document)
                .await?
                .ok_or(documents::Failure::Gone)?;
            head.replace(*history, *through)?;
            body::put_last(transaction, *body, last).await?;
            snapshot::put(transaction, &head, *body, *time).await?;
            head::save(transaction, &head, document).await?;
            head::look(transaction, &head, after_trash(*time)).await?;
            Ok(0)
        }
        Write::MakeVersion {
            document,
            history,
            made,
            body,
            last,
        } => {
            let mut head = head::hold(transaction, document)
                .await?
                .ok_or(documents::Failure::Gone)?;
            head.reaches(*history, made.through)?;
            head.versions += 1;
            snapshot::make_room(transaction, &head, made).await?;
            body::put_last(transaction, *body, last).await?;
            snapshot::put_version(transaction, &head, made, *body).await?;
            head::save(transaction, &head, document).await?;
            Ok(signed(head.versions))
        }
        Write::DeleteVersion { document, number, time } => {
            let head = head::hold(transaction, document)
                .await?
                .ok_or(documents::Failure::NotFound)?;
            snapshot::delete_version(transaction, head.history, signed(*number), *time).await?;
            Ok(0)
        }
        Write::Delete { document, time } => trash::delete(transaction, document, *time).await,
        Write::Restore { history, time } => trash::restore(transaction, *history, *time).await,
        Write::Sweep { now } => trash::sweep(transaction, *now).await.map(i64::from),
    }
}

/// When what goes into the trash now may leave it.
fn after_trash(time: WallTime) -> WallTime {
    let kept = u64::try_from(TRASH_TIME.as_millis()).unwrap_or(u64::MAX);
    WallTime(time.0.saturating_add(kept))
}
