//! The heads of channels: their rows in `channel`.

use rusqlite::{Connection, OptionalExtension as _};
use starling_core::id::{ChannelName, Epoch, Seq, SlotId, Term};
use starling_core::time::WallTime;

use super::row::{Failure, number};
use crate::storage::head::Head;
use crate::storage::sum::{self, signed};

impl Head {
    /// The head of the channel, if there is one.
    pub(super) fn find(connection: &Connection, channel: &ChannelName) -> Result<Option<Self>, Failure> {
        let mut statement = connection.prepare_cached(
            "SELECT id, epoch, keyed, head, term, floor, keys_floor, used, due, sum FROM channel WHERE name = ?1",
        )?;
        let mut rows = statement.query([channel.as_str()])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let epoch: String = row.get(1)?;
        let due: Option<i64> = row.get(8)?;
        let head = Self {
            id: row.get(0)?,
            epoch: Epoch::parse(&epoch).map_err(|_| Failure::Damaged("epoch"))?,
            keyed: row.get(2)?,
            seq: Seq(number(row, 3)?),
            term: Term(number(row, 4)?),
            floor: Seq(number(row, 5)?),
            keys_floor: Seq(number(row, 6)?),
            used: WallTime(number(row, 7)?),
            due: due.map(|due| WallTime(due.cast_unsigned())),
        };
        match row.get::<_, i64>(9)? == sum::of_head(&head, channel) {
            true => Ok(Some(head)),
            false => Err(Failure::Damaged("head of a channel")),
        }
    }

    /// Writes the row of a channel that begins.
    pub(super) fn begin(
        connection: &Connection,
        channel: &ChannelName,
        slot: SlotId,
        epoch: &Epoch,
        keyed: bool,
        used: WallTime,
    ) -> Result<Self, Failure> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO channel (name, slot, epoch, keyed, head, term, floor, keys_floor, used, sum)
             VALUES (?1, ?2, ?3, ?4, 0, 0, 1, 0, ?5, 0)",
        )?;
        let used_at = signed(used.0);
        let id = statement.insert((channel.as_str(), slot.0, epoch.as_str(), keyed, used_at))?;
        Ok(Self::new(id, epoch, keyed, used))
    }

    /// Writes the row as it is now.
    pub(super) fn save(&self, connection: &Connection, channel: &ChannelName) -> Result<(), Failure> {
        let mut statement = connection.prepare_cached(
            "UPDATE channel SET head = ?2, term = ?3, floor = ?4, keys_floor = ?5, used = ?6, sum = ?7 WHERE id = ?1",
        )?;
        let changed = statement.execute((
            self.id,
            signed(self.seq.0),
            signed(self.term.0),
            signed(self.floor.0),
            signed(self.keys_floor.0),
            signed(self.used.0),
            sum::of_head(self, channel),
        ))?;
        if changed == 1 { Ok(()) } else { Err(Failure::Conflict) }
    }

    /// Writes when something is due. By itself, because it has an index that most batches leave as it is.
    pub(super) fn save_due(&self, connection: &Connection) -> Result<(), Failure> {
        let mut statement = connection.prepare_cached("UPDATE channel SET due = ?2 WHERE id = ?1")?;
        statement.execute((self.id, self.due.map(|due| signed(due.0))))?;
        Ok(())
    }
}

/// The term under which a slot may be written, by whom, if it was ever claimed.
pub(super) fn claimed(connection: &Connection, slot: SlotId) -> Result<Option<(Term, String, u64)>, Failure> {
    let mut statement = connection.prepare_cached("SELECT term, owner, generation FROM slot WHERE slot = ?1")?;
    let found = statement
        .query_row([slot.0], |row| {
            let (term, generation): (i64, i64) = (row.get(0)?, row.get(2)?);
            Ok((Term(term.cast_unsigned()), row.get(1)?, generation.cast_unsigned()))
        })
        .optional()?;
    Ok(found)
}
