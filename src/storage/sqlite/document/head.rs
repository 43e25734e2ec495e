//! The heads of documents: their rows in `document`.

use rusqlite::{Connection, Row};
use starling_core::id::ChannelName;
use starling_core::time::WallTime;

use super::super::row::{Failure, number};
use crate::storage::documents::head::Head;
use crate::storage::documents::{self, History, Part};
use crate::storage::sum::{self, signed};

/// The columns a head is read from, in this order.
pub(super) const HEAD: &str = "id, made, last, snapshot, versions, sum, name";

/// Reads a head whose columns are [`HEAD`]; `None` if it is damaged.
pub(super) fn head(row: &Row<'_>) -> Result<Option<Head>, Failure> {
    let read = || {
        Ok(Head {
            history: History(row.get(0)?),
            made: WallTime(number(row, 1)?),
            last: number(row, 2)?,
            snapshot: number(row, 3)?,
            versions: number(row, 4)?,
        })
    };
    let head = match read() {
        Err(Failure::Damaged(_)) => return Ok(None),
        head => head?,
    };
    let name: String = row.get(6)?;
    let is_sound = row.get::<_, i64>(5)? == sum::of_document(&name, &head);
    Ok(is_sound.then_some(head))
}

impl Head {
    /// The head of the document, if there is one.
    pub(super) fn of(connection: &Connection, document: &ChannelName) -> Result<Option<Self>, Failure> {
        let select = format!("SELECT {HEAD} FROM document WHERE name = ?1 AND deleted IS NULL");
        let mut statement = connection.prepare_cached(&select)?;
        let mut rows = statement.query([document.as_str()])?;
        match rows.next()? {
            None => Ok(None),
            Some(row) => match head(row)? {
                Some(head) => Ok(Some(head)),
                None => Err(documents::Failure::Unreadable(Part::Head).into()),
            },
        }
    }

    /// Writes the row of a document that begins.
    pub(super) fn begin(connection: &Connection, document: &ChannelName, made: WallTime) -> Result<Self, Failure> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO document (name, made, last, snapshot, versions, sum) VALUES (?1, ?2, 0, 0, 0, 0)",
        )?;
        let id = statement.insert((document.as_str(), signed(made.0)))?;
        Ok(Self::new(History(id), made))
    }

    /// Writes the row as it is now.
    pub(super) fn save(&self, connection: &Connection, document: &ChannelName) -> Result<(), Failure> {
        let mut statement = connection
            .prepare_cached("UPDATE document SET last = ?2, snapshot = ?3, versions = ?4, sum = ?5 WHERE id = ?1")?;
        statement.execute((
            self.history.0,
            signed(self.last),
            signed(self.snapshot),
            signed(self.versions),
            sum::of_document(document.as_str(), self),
        ))?;
        Ok(())
    }

    /// Has the sweep look at it then, or before.
    pub(super) fn look(&self, connection: &Connection, at: WallTime) -> Result<(), Failure> {
        let mut statement =
            connection.prepare_cached("UPDATE document SET due = min(coalesce(due, ?2), ?2) WHERE id = ?1")?;
        statement.execute((self.history.0, signed(at.0)))?;
        Ok(())
    }
}
