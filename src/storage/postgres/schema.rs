//! The schema `starling`: made and brought up to date by whichever node comes first.

use std::sync::Arc;

use tokio_postgres::{Client, Error};

use super::connect::Connector;
use super::error::DatabaseError;

/// Each brings the schema from its place in the list to the next. Those that were released stay as they are.
const MIGRATIONS: [&str; 2] = [
    include_str!("../migrations/postgres/0001_initial.sql"),
    include_str!("../migrations/postgres/0002_documents.sql"),
];

/// Names the lock that nodes take before they touch the schema: "starling".
const LOCK: i64 = 0x7374_6172_6c69_6e67;

/// What the store says of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    version: u32,
    pub(super) incarnation: u32,
    slots: u32,
}

/// Looks whether the store is there, for this version and for `slots`, and makes it or brings it up to date.
pub(super) async fn prepare(client: &mut Client, connector: &Connector, slots: u16) -> Result<Made, DatabaseError> {
    let database = Arc::clone(&connector.shown);
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let mut found = find(client).await.map_err(|error| connector.unreachable(error))?;
    if !matches!(found, Found::Store(made) if made.version >= known) {
        found = migrate(client, slots)
            .await
            .map_err(|error| connector.unreachable(error))?;
    }
    let made = match found {
        Found::Store(made) => made,
        Found::Foreign | Found::Nothing => return Err(DatabaseError::Foreign { database }),
    };
    if made.version > known {
        let found = made.version;
        return Err(DatabaseError::Newer { database, found, known });
    }
    if made.slots != u32::from(slots) {
        let (found, configured) = (made.slots, slots);
        return Err(DatabaseError::Slots {
            database,
            found,
            configured,
        });
    }
    Ok(made)
}

enum Found {
    /// Nothing is called as our schema is, or what is called so is empty.
    Nothing,
    /// Somebody else's schema.
    Foreign,
    Store(Made),
}

async fn find(client: &Client) -> Result<Found, Error> {
    let row = client
        .query_one(
            "SELECT to_regclass('starling.store') IS NOT NULL,
                 EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('starling'))",
            &[],
        )
        .await?;
    match (row.try_get(0)?, row.try_get(1)?) {
        (false, false) => return Ok(Found::Nothing),
        (false, true) => return Ok(Found::Foreign),
        (true, _) => {}
    }
    let row = client
        .query_opt("SELECT version, incarnation, slots FROM starling.store", &[])
        .await;
    match row {
        Ok(Some(row)) => Ok(Found::Store(Made {
            version: row.try_get::<_, i32>(0)?.cast_unsigned(),
            incarnation: u32::try_from(row.try_get::<_, i64>(1)?).unwrap_or_default(),
            slots: row.try_get::<_, i32>(2)?.cast_unsigned(),
        })),
        Ok(None) => Ok(Found::Foreign),
        // A table of that name without these columns.
        Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::UNDEFINED_COLUMN) => Ok(Found::Foreign),
        Err(error) => Err(error),
    }
}

/// Brings the schema up to date. Nodes that start together do so one after the other: the second finds it done.
async fn migrate(client: &mut Client, slots: u16) -> Result<Found, Error> {
    let transaction = client.transaction().await?;
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
        .await?;
    let from = match find(transaction.client()).await? {
        Found::Nothing => 0,
        Found::Store(made) => made.version as usize,
        Found::Foreign => return Ok(Found::Foreign),
    };
    for migration in MIGRATIONS.iter().skip(from) {
        transaction.batch_execute(migration).await?;
    }
    let version = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
    if from == 0 {
        let incarnation = i64::from(rand::random::<u32>());
        transaction
            .execute(
                "INSERT INTO starling.store (version, incarnation, slots) VALUES ($1, $2, $3)",
                &[&version, &incarnation, &i32::from(slots)],
            )
            .await?;
    } else if from < MIGRATIONS.len() {
        transaction
            .execute("UPDATE starling.store SET version = $1", &[&version])
            .await?;
        tracing::info!(from, to = version, "the schema of the store was brought up to date");
    }
    let found = find(transaction.client()).await?;
    transaction.commit().await?;
    Ok(found)
}
