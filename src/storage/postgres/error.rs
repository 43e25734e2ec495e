//! Why a database cannot be used, for whoever runs it.

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use super::row::Failure;

/// Why the store's database cannot be used. It is told of without its password.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// The URL cannot be read.
    #[error("storage.url cannot be read; write it as postgres://user:password@host:5432/database")]
    Url,
    /// The certificates that vouch for it cannot be read.
    #[error(
        "cannot read the certificates that vouch for the database from {path}: {fault}; check storage.authority and who may read the file"
    )]
    Authority {
        /// Where they are.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// It could not be reached, or does not let the node in.
    #[error("cannot use the database {database}: {}; check storage.url, that the database runs and lets this node in, and that it is no standby", Failure::text(.source))]
    Unreachable {
        /// Which.
        database: Arc<str>,
        /// What is wrong.
        source: tokio_postgres::Error,
    },
    /// It said nothing.
    #[error("the database {database} does not answer; check storage.url, and what is between it and this node")]
    Silent {
        /// Which.
        database: Arc<str>,
    },
    /// It does not keep what a store has to.
    #[error("the database {database} cannot keep what is acknowledged: {fault}")]
    Unfit {
        /// Which.
        database: Arc<str>,
        /// What is wrong, and what to do.
        fault: &'static str,
    },
    /// Its schema `starling` is not ours.
    #[error(
        "the database {database} has a schema \"starling\" that is no store of starling; rename it, or name another database in storage.url"
    )]
    Foreign {
        /// Which.
        database: Arc<str>,
    },
    /// It is another one than before.
    #[error(
        "the database {database} holds another store than when this node started; point storage.url at that one, or start the node again to use this"
    )]
    Replaced {
        /// Which.
        database: Arc<str>,
    },
    /// A later version has written it.
    #[error(
        "the store in the database {database} was written by a later version (schema {found}, this one knows {known}); run that version, or restore a backup"
    )]
    Newer {
        /// Which.
        database: Arc<str>,
        /// Its schema.
        found: u32,
        /// The latest this version knows.
        known: u32,
    },
    /// Its channels are spread over another number of slots.
    #[error(
        "the store in the database {database} holds channels spread over {found} slots and the configuration says {configured}; set slots.count = {found}"
    )]
    Slots {
        /// Which.
        database: Arc<str>,
        /// As it was made.
        found: u32,
        /// As configured.
        configured: u16,
    },
}
