//! Messages that are in the store only, a page at a time.

use std::sync::Arc;

use rusqlite::Connection;
use starling_core::channel::{Message, PageRoom};

use super::row::{Failure, MESSAGE, message};
use crate::storage::Wanted;
use crate::storage::head::Head;
use crate::storage::sum::signed;

/// The page that is wanted; `None` if its messages are no longer kept.
pub(super) fn page(connection: &Connection, wanted: &Wanted) -> Result<Option<Vec<Arc<Message>>>, Failure> {
    let head = Head::find(connection, &wanted.channel)?;
    let Some(head) = head.filter(|head| head.epoch == wanted.epoch && head.floor <= wanted.after.next()) else {
        return Ok(None);
    };
    let select =
        format!("SELECT {MESSAGE} FROM message WHERE channel = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4");
    let mut statement = connection.prepare_cached(&select)?;
    let mut rows = statement.query((
        head.id,
        signed(wanted.after.0),
        signed(wanted.through.0),
        wanted.messages_max,
    ))?;
    let mut room = PageRoom::new(wanted.bytes_max, wanted.messages_max);
    let mut messages = Vec::new();
    let mut next = wanted.after.next();
    while let Some(row) = rows.next()? {
        let message = message(head.id, row)?;
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
