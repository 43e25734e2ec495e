//! Messages that are in the store only, a page at a time.

use std::sync::Arc;

use deadpool_postgres::Transaction;
use starling_core::channel::{Message, PageRoom};

use super::load::find;
use super::row::{self, Failure, message_columns};
use crate::storage::Wanted;
use crate::storage::sum::signed;

/// Messages after one, up to the first that goes beyond so many bytes: the last of them may not fit the page.
const PAGE: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM (SELECT *, sum(weight) OVER (ORDER BY seq) AS total FROM starling.message
         WHERE channel = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4) AS page
     WHERE total - weight <= $5::bigint ORDER BY seq"
);

/// The page that is wanted; `None` if its messages are no longer kept.
pub(super) async fn page(transaction: &Transaction<'_>, wanted: &Wanted) -> Result<Option<Vec<Arc<Message>>>, Failure> {
    let head = find(transaction, &wanted.channel).await?;
    let Some(head) = head.filter(|head| head.epoch == wanted.epoch && head.floor <= wanted.after.next()) else {
        return Ok(None);
    };
    let statement = transaction.prepare_cached(PAGE).await?;
    let (after, through) = (signed(wanted.after.0), signed(wanted.through.0));
    let (most, bytes) = (i64::from(wanted.messages_max.max(1)), i64::from(wanted.bytes_max));
    let rows = transaction
        .query(&statement, &[&head.id, &after, &through, &most, &bytes])
        .await?;
    let mut room = PageRoom::new(wanted.bytes_max, wanted.messages_max);
    let mut messages = Vec::with_capacity(rows.len());
    let mut next = wanted.after.next();
    for row in &rows {
        let message = row::message(head.id, row)?;
        if message.seq != next {
            return Err(Failure::Damaged("run of messages"));
        }
        if !room.take(&message) {
            break;
        }
        messages.push(message);
        next = next.next();
    }
    match messages.is_empty() {
        true => Err(Failure::Damaged("run of messages")),
        false => Ok(Some(messages)),
    }
}
