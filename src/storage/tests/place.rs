//! Where a store under test keeps what it keeps, and a way to get at it beside the store.

use std::rc::Rc;

use rusqlite::Connection;

use super::*;
use crate::config;
use crate::storage::documents::Documents;
use crate::storage::postgres::Postgres;
use crate::storage::sqlite::FILE;

#[path = "../../../tests/e2e/support/postgres.rs"]
pub(super) mod server;

pub(super) use server::Postgres as Server;

/// See the module.
pub(super) enum Place {
    File(Directory),
    Database { server: Rc<Server>, url: String },
}

impl Place {
    pub(super) fn file() -> Self {
        Self::File(Directory::new())
    }

    pub(super) fn server() -> Rc<Server> {
        Rc::new(Server::start())
    }

    /// A database with nothing in it. There is one for all, because making one takes longer than most tests: what stands in
    /// it is deleted, but for the store itself. Whoever was left behind there is sent away: this thread is the one that
    /// would end its transaction, and it waits.
    pub(super) fn database(server: &Rc<Server>) -> Self {
        server.sql("postgres", EMPTY);
        Self::Database {
            url: server.url("postgres"),
            server: Rc::clone(server),
        }
    }

    /// An empty one of the same kind; what was in this one may be gone.
    pub(super) fn another(&self) -> Self {
        match self {
            Self::File(_) => Self::file(),
            Self::Database { server, .. } => Self::database(server),
        }
    }

    pub(super) async fn open(&self) -> Arc<dyn Store> {
        self.open_both(Limits::default(), &Arc::new(Metrics::new())).await.0
    }

    /// The store, and the documents in it.
    pub(super) async fn open_both(&self, limits: Limits, metrics: &Arc<Metrics>) -> (Arc<dyn Store>, Documents) {
        let metrics = Arc::clone(metrics);
        match self {
            Self::File(directory) => {
                let store = Arc::new(Sqlite::open(&directory.0, SLOTS, limits, metrics).expect("opens"));
                let documents = store.documents();
                (store, documents)
            }
            Self::Database { url, .. } => {
                let opened = Postgres::open(&storage(url), SLOTS, limits, metrics).await;
                let store = Arc::new(opened.expect("opens"));
                let documents = store.documents();
                (store, documents)
            }
        }
    }

    /// Changes rows behind the store's back.
    pub(super) fn damage(&self, statement: &str) {
        let changed = match self {
            Self::File(directory) => beside(directory).execute(statement, []).expect("changes") as u64,
            Self::Database { server, url } => {
                let told = server.sql(url, statement);
                let count = told.rsplit(' ').next().and_then(|count| count.parse().ok());
                count.expect("it says how many rows it has changed")
            }
        };
        assert!(changed > 0, "{statement} changes something");
    }

    /// Schemas that were released before the present one.
    pub(super) fn earlier_versions(&self) -> std::ops::Range<u32> {
        match self {
            Self::File(_) => 1..3,
            Self::Database { .. } => 1..2,
        }
    }

    /// Makes of a closed store what an earlier version would have made.
    pub(super) fn set_back(&self, version: u32) {
        match self {
            Self::File(directory) => {
                let file = beside(directory);
                for table in DOCUMENTS {
                    file.execute_batch(&format!("DROP TABLE {table}")).expect("drops");
                }
                if version < 2 {
                    file.execute_batch("ALTER TABLE slot DROP COLUMN rank").expect("drops");
                }
                file.pragma_update(None, "user_version", version).expect("writes");
            }
            Self::Database { server, url } => {
                for table in DOCUMENTS {
                    server.sql(url, &format!("DROP TABLE {table}"));
                }
                server.sql(url, &format!("UPDATE store SET version = {version}"));
            }
        }
    }

    pub(super) fn rows(&self, table: &str) -> u64 {
        let count = format!("SELECT count(*) FROM {table}");
        match self {
            Self::File(directory) => {
                let rows = beside(directory).query_row(&count, [], |row| row.get::<_, i64>(0));
                rows.expect("counts").unsigned_abs()
            }
            Self::Database { server, url } => server.sql(url, &count).parse().expect("a number"),
        }
    }

    /// How many runs are made of what is random: a database takes milliseconds for what a file of ours does in one.
    pub(super) const fn seeds(&self) -> u64 {
        match self {
            Self::File(_) => 12,
            Self::Database { .. } => 6,
        }
    }
}

const EMPTY: &str = "DO $$ BEGIN
    PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid();
    IF to_regnamespace('starling') IS NOT NULL THEN
        DELETE FROM starling.slot; DELETE FROM starling.channel; DELETE FROM starling.message; DELETE FROM starling.term;
        DELETE FROM starling.value; DELETE FROM starling.result; DELETE FROM starling.request; DELETE FROM starling.garbage;
        DELETE FROM starling.document; DELETE FROM starling.document_row; DELETE FROM starling.document_snapshot;
        DELETE FROM starling.document_version; DELETE FROM starling.document_piece; DELETE FROM starling.document_loose;
    END IF;
END $$";

/// The tables of documents.
const DOCUMENTS: [&str; 6] = [
    "document",
    "document_row",
    "document_snapshot",
    "document_version",
    "document_piece",
    "document_loose",
];

/// A configuration with a database.
pub(super) fn storage(url: &str) -> config::Storage {
    config::Storage {
        url: url.into(),
        authority: PathBuf::new(),
    }
}

fn beside(directory: &Directory) -> Connection {
    Connection::open(directory.0.join(FILE)).expect("opens")
}
