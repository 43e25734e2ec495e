//! A connection to the database, and what it must be like before anything is kept there.
//!
//! A database that acknowledges before it has synced, or that another one may take the place of at any time without what
//! it acknowledged, would make our own acknowledgements untrue. What can be asked is asked on every connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Connect};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinHandle;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, Error, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::DatabaseError;
use crate::config::{self, Encryption};

/// How long a connection may take. Over the slowest network that a store may lie behind it is made in a second.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// The oldest version that is known to be right: the tests run with 15, and nothing that is used is younger than 12.
const VERSION_MIN: i32 = 120_000;

/// What holds for every connection, whatever the database's defaults are.
///
/// A transaction whose node has gone is ended by the database, or its locks would keep the next owner of a slot waiting.
/// One that waits for a lock or a statement for so long has met something that is not ours. Every statement here finds its
/// rows by an index, so the planner is kept from anything else, and plans each time: what it thinks of a table that is
/// small would be kept when it has grown. None is worth compiling.
const SESSION: &str = "SET default_transaction_isolation = 'read committed';
     SET idle_in_transaction_session_timeout = '5s';
     SET lock_timeout = '5s';
     SET statement_timeout = '20s';
     SET client_min_messages = 'warning';
     SET enable_seqscan = off;
     SET enable_hashjoin = off;
     SET enable_mergejoin = off;
     SET plan_cache_mode = force_custom_plan;
     SET jit = off";

/// Reaches the database.
#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    /// How the database is told of, without its password.
    pub(super) shown: Arc<str>,
}

impl Connector {
    /// # Errors
    /// When the certificates that vouch for the database cannot be read.
    pub(super) fn new(storage: &config::Storage) -> Result<Self, DatabaseError> {
        let shown: Arc<str> = storage.url.to_string().into();
        let mut config = storage.url.parse().ok_or(DatabaseError::Url)?;
        if config.get_application_name().is_none() {
            config.application_name("starling");
        }
        // Of several hosts the primary: what a standby has not got yet would be read as if it were not there.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.connect_timeout(CONNECT_TIME_MAX);
        // A peer that has gone without a word is noticed in seconds, not in the hours that are the system's default.
        config.keepalives_idle(Duration::from_secs(10));
        config.keepalives_interval(Duration::from_secs(2));
        config.keepalives_retries(3);
        config.tcp_user_timeout(Duration::from_secs(15));
        let tls = match storage.url.encryption() {
            Encryption::Required => Some(MakeRustlsConnect::new(client_config(&storage.authority)?)),
            Encryption::None | Encryption::Unsaid => {
                config.ssl_mode(SslMode::Disable);
                None
            }
        };
        Ok(Self { config, tls, shown })
    }

    /// Another connection, looked at and set up.
    ///
    /// # Errors
    /// What an operator has to mend, or wait for.
    pub(super) async fn connect(&self) -> Result<ClientWrapper, DatabaseError> {
        let connected = tokio::time::timeout(CONNECT_TIME_MAX, async {
            let (client, task) = self.dial(&self.config).await.map_err(|error| self.unreachable(error))?;
            let client = ClientWrapper::new(client, task);
            self.inspect(&client).await?;
            Ok(client)
        });
        connected.await.unwrap_or_else(|_| {
            let database = Arc::clone(&self.shown);
            Err(DatabaseError::Silent { database })
        })
    }

    /// What an error means that came while a connection was set up.
    pub(super) fn unreachable(&self, source: Error) -> DatabaseError {
        let database = Arc::clone(&self.shown);
        DatabaseError::Unreachable { database, source }
    }

    async fn inspect(&self, client: &Client) -> Result<(), DatabaseError> {
        let row = client.query_one(SETTINGS, &[]).await;
        let (fault, synchronous) = row
            .and_then(|row| Ok((fault(&row)?, row.try_get::<_, String>(2)?)))
            .map_err(|error| self.unreachable(error))?;
        let database = Arc::clone(&self.shown);
        if let Some(fault) = fault {
            return Err(DatabaseError::Unfit { database, fault });
        }
        // From now on whatever is set for others holds for them alone.
        let keep = format!("SET synchronous_commit = '{synchronous}'");
        client
            .batch_execute(&keep)
            .await
            .map_err(|error| self.unreachable(error))
    }

    /// What the pool hands to [`Connect::connect`].
    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    async fn dial(&self, config: &Config) -> Result<(Client, JoinHandle<()>), Error> {
        let (client, task) = match &self.tls {
            None => {
                let (client, connection) = config.connect(NoTls).await?;
                (client, tokio::spawn(drive(connection)))
            }
            Some(tls) => {
                let (client, connection) = config.connect(tls.clone()).await?;
                (client, tokio::spawn(drive(connection)))
            }
        };
        client.batch_execute(SESSION).await?;
        Ok((client, task))
    }
}

/// How the pool of readers connects.
impl Connect for Connector {
    fn connect(&self, config: &Config) -> futures_util::future::BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        let config = config.clone();
        Box::pin(async move { self.dial(&config).await })
    }
}

async fn drive<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    if let Err(error) = connection.await {
        // Whoever uses it is told by the request that fails.
        tracing::debug!(%error, "a connection to the store's database has ended");
    }
}

/// What is asked of each connection that writes.
const SETTINGS: &str = "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
     current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes')";

/// What keeps the database from being a store, and what to do about it.
fn fault(row: &Row) -> Result<Option<&'static str>, Error> {
    let setting = |column: usize| row.try_get::<_, &str>(column);
    let unfit = |fault| Ok(Some(fault));
    if row.try_get::<_, i32>(0)? < VERSION_MIN {
        return unfit("it is older than PostgreSQL 12; use a later version");
    }
    if setting(1)? != "UTF8" {
        return unfit(
            "its encoding is not UTF8, so some names could not be kept; make the database anew with ENCODING 'UTF8'",
        );
    }
    if setting(2)? == "off" {
        return unfit(
            "its synchronous_commit is off, so commits are confirmed before they are on the disk and a crash would lose messages that were acknowledged; set it to on, for the database, the role and in the options of storage.url",
        );
    }
    if setting(3)? != "on" || setting(4)? != "on" {
        return unfit(
            "its fsync or full_page_writes is off, so a loss of power would lose messages that were acknowledged, or damage all of it; set both to on",
        );
    }
    Ok(None)
}

fn client_config(authority: &Path) -> Result<ClientConfig, DatabaseError> {
    let failed = |source: &dyn std::fmt::Display| DatabaseError::Authority {
        path: authority.to_owned(),
        fault: source.to_string(),
    };
    let mut roots = RootCertStore::empty();
    if authority.as_os_str().is_empty() {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let path = PathBuf::from("the system's store of certificates");
            let fault = found
                .errors
                .first()
                .map_or_else(|| "it is empty".to_owned(), ToString::to_string);
            return Err(DatabaseError::Authority { path, fault });
        }
    } else {
        let certificates = CertificateDer::pem_file_iter(authority).map_err(|error| failed(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| failed(&error))?;
            roots.add(certificate).map_err(|error| failed(&error))?;
        }
        if roots.is_empty() {
            return Err(failed(&"it holds no certificate"));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the versions that rustls thinks safe");
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
