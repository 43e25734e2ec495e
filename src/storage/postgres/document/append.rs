//! The rows that are appended in one transaction of the writer.
//!
//! Channels share it, so it waits for nobody: a document whose head another transaction holds, perhaps one of a node that
//! stands still, is passed by, and so is one that is not there yet. What belongs to those goes to the chores, where it may
//! wait.

use std::collections::{BTreeSet, HashMap};

use deadpool_postgres::Transaction;
use starling_core::document::log::Row;
use starling_core::id::ChannelName;
use starling_core::time::WallTime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error};

use super::super::pipeline::{Column, Pipeline, Sent};
use super::super::row::Failure;
use super::super::statements::{DOCUMENT_ROWS, Statements};
use super::head::{begin, head, hold, save};
use crate::storage::documents::head::Head;
use crate::storage::documents::request::Append;
use crate::storage::documents::{self, History, Part};
use crate::storage::sum::{self, signed};

/// See the module.
#[derive(Default)]
pub(in super::super) struct Appends<'a> {
    touched: BTreeSet<&'a ChannelName>,
    /// Those that are held here; `None` for one that is damaged.
    heads: HashMap<String, Option<Head>>,
    changed: HashMap<&'a ChannelName, Head>,
    rows: Vec<(History, WallTime, &'a Row)>,
}

/// The heads that are asked for, if there are any.
pub(in super::super) type Asked<'c> = Option<Sent<'c, Result<Vec<tokio_postgres::Row>, Error>>>;

impl<'a> Appends<'a> {
    /// Of these.
    pub(in super::super) fn of(appends: impl Iterator<Item = &'a Append>) -> Self {
        Self {
            touched: appends.map(|append| &append.document).collect(),
            ..Self::default()
        }
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.touched.is_empty()
    }

    /// Holds the heads that nobody else does.
    pub(in super::super) async fn ask<'c>(&self, client: &'c Client, statements: &'c Statements) -> Asked<'c> {
        if self.is_empty() {
            return None;
        }
        let names: Vec<String> = self.touched.iter().map(ToString::to_string).collect();
        let heads = async move { client.query(&statements.documents, &[&names]).await };
        Some(Sent::new(heads).await)
    }

    /// Takes in what the database has answered.
    pub(in super::super) async fn answered(&mut self, asked: Asked<'_>) -> Result<(), Failure> {
        let Some(heads) = asked else {
            return Ok(());
        };
        for row in heads.answer().await? {
            self.heads.insert(row.try_get(6)?, head(&row)?);
        }
        Ok(())
    }

    /// Takes rows, if they fit. `None` if their document is not held here.
    pub(in super::super) fn add(&mut self, append: &'a Append) -> Option<Result<i64, Failure>> {
        let head = self.heads.get_mut(append.document.as_str())?;
        let appended = match head {
            None => Err(documents::Failure::Unreadable(Part::Head)),
            Some(head) => head.append(append.history, &append.rows).map(|()| head.clone()),
        };
        Some(appended.map_err(Failure::from).map(|head| {
            let (history, time) = (head.history, append.time);
            self.changed.insert(&append.document, head);
            self.rows.extend(append.rows.iter().map(|row| (history, time, row)));
            history.0
        }))
    }

    /// Sends what is to be written.
    pub(in super::super) async fn send<'c>(self, statements: &'c Statements, pipeline: &mut Pipeline<'c>)
    where
        'a: 'c,
    {
        if self.rows.is_empty() {
            return;
        }
        let heads: Vec<_> = self.changed.into_iter().collect();
        let columns: Vec<Column<'c>> = vec![
            column(&heads, |(_, head)| head.history.0),
            column(&heads, |(_, head)| signed(head.last)),
            column(&heads, |(name, head)| sum::of_document(name.as_str(), head)),
        ];
        pipeline.send(&statements.save_documents, columns).await;
        pipeline.send(&statements.document_rows, columns_of(&self.rows)).await;
    }
}

/// Rows, as the statement that inserts them takes them.
pub(super) fn columns_of<'c>(rows: &[(History, WallTime, &'c Row)]) -> Vec<Column<'c>> {
    vec![
        column(rows, |(history, ..)| history.0),
        column(rows, |(_, _, row)| signed(row.n)),
        column(rows, |(_, time, _)| signed(time.0)),
        column(rows, |(history, time, row)| {
            sum::of_row(*history, row.n, *time, &row.update)
        }),
        Box::new(rows.iter().map(|(_, _, row)| &*row.update).collect::<Vec<_>>()),
    ]
}

fn column<'c, R>(rows: &[R], number: impl Fn(&R) -> i64) -> Column<'c> {
    Box::new(rows.iter().map(number).collect::<Vec<_>>())
}

/// Appends rows in a transaction of their own, which waits for whoever holds the head, and begins a document that is new.
pub(super) async fn alone(transaction: &Transaction<'_>, append: &Append) -> Result<i64, Failure> {
    let Append {
        document,
        history,
        rows,
        time,
    } = append;
    let head = match (hold(transaction, document).await?, history) {
        (Some(head), _) => Some(head),
        (None, None) => {
            begin(transaction, document, *time).await?;
            hold(transaction, document).await?
        }
        (None, Some(_)) => None,
    };
    let mut head = head.ok_or(documents::Failure::Gone)?;
    head.append(*history, rows)?;
    let rows: Vec<_> = rows.iter().map(|row| (head.history, *time, row)).collect();
    let columns = columns_of(&rows);
    let columns: Vec<_> = columns.iter().map(|column| &**column as &(dyn ToSql + Sync)).collect();
    let insert = transaction.prepare_cached(DOCUMENT_ROWS).await?;
    transaction.execute(&insert, &columns).await?;
    save(transaction, &head, document).await?;
    Ok(head.history.0)
}
