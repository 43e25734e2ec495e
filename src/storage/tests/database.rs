//! Reaching PostgreSQL, and what is refused.

use super::place::{Server, storage};
use super::*;
use crate::storage::postgres::{DatabaseError, Postgres};

async fn open(url: &str, slots: u16) -> Result<Postgres, DatabaseError> {
    Postgres::open(&storage(url), slots, Limits::default(), Arc::new(Metrics::new())).await
}

async fn refused(url: &str) -> DatabaseError {
    match open(url, SLOTS).await {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => error,
    }
}

/// A store that was closed again.
async fn made(url: &str) {
    open(url, SLOTS).await.expect("opens").close().await;
}

#[tokio::test]
async fn what_is_no_store_for_this_node_is_left_alone() {
    let server = Server::start();
    let url = server.database();
    // Three that start at once: one of them makes the schema.
    let together = tokio::join!(open(&url, SLOTS), open(&url, SLOTS), open(&url, SLOTS));
    for one in [together.0, together.1, together.2] {
        one.expect("opens").close().await;
    }
    assert_eq!(server.sql(&url, "SELECT count(*) FROM store"), "1");
    assert!(matches!(
        open(&url, 8).await.err(),
        Some(DatabaseError::Slots {
            found: 4,
            configured: 8,
            ..
        })
    ));
    server.sql(&url, "UPDATE store SET version = 99");
    assert!(matches!(
        refused(&url).await,
        DatabaseError::Newer {
            found: 99,
            known: 2,
            ..
        }
    ));

    let theirs = server.database();
    server.sql(&theirs, "CREATE SCHEMA starling");
    server.sql(&theirs, "CREATE TABLE starling.store (x INT)");
    assert!(matches!(refused(&theirs).await, DatabaseError::Foreign { .. }));
    server.sql(&theirs, "DROP TABLE starling.store");
    server.sql(&theirs, "CREATE TABLE starling.theirs (x INT)");
    assert!(matches!(refused(&theirs).await, DatabaseError::Foreign { .. }));
    // A schema that an operator has made is used by whoever may use it, and no more.
    server.sql(&theirs, "DROP TABLE starling.theirs");
    server.sql(&theirs, "CREATE ROLE guest LOGIN");
    server.sql(&theirs, "ALTER SCHEMA starling OWNER TO guest");
    made(&theirs.replace("starling@", "guest@")).await;
}

#[tokio::test]
async fn a_database_that_forgets_what_it_confirms_is_refused() {
    let mut server = Server::start();
    let url = server.database();
    let unfit = async |url: &str, setting: &str| {
        let error = refused(url).await;
        assert!(
            matches!(&error, DatabaseError::Unfit { fault, .. } if fault.contains(setting)),
            "{error}"
        );
    };
    unfit(
        &format!("{url}?options=-csynchronous_commit%3Doff"),
        "synchronous_commit",
    )
    .await;
    made(&format!("{url}?options=-csynchronous_commit%3Dremote_apply")).await;
    let name = url.rsplit('/').next().expect("a name");
    server.sql(&url, &format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    unfit(&url, "synchronous_commit").await;
    server.sql(&url, &format!("ALTER DATABASE {name} RESET synchronous_commit"));
    server.sql("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
    unfit(&server.url("latin"), "UTF8").await;
    server.sql(
        &url,
        &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"),
    );
    let read_only = refused(&url).await;
    assert!(read_only.to_string().contains("standby"), "{read_only}");
    server.stop();
    let gone = refused(&url).await;
    assert!(matches!(gone, DatabaseError::Unreachable { .. }), "{gone}");
    server.set("fsync=off");
    server.start_again();
    unfit(&server.url("postgres"), "fsync").await;
}

/// An authority of the test, the server's certificate for `name`, and its key, in PEM.
fn certificates(name: &str) -> [String; 3] {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&key).expect("a certificate");
    let issuer = rcgen::Issuer::new(authority, key);
    let server_key = rcgen::KeyPair::generate().expect("a key");
    let server = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    let server = server.signed_by(&server_key, &issuer).expect("a certificate");
    [certificate.pem(), server.pem(), server_key.serialize_pem()]
}

#[tokio::test]
async fn over_tls_the_database_has_to_be_whom_the_authority_vouches_for() {
    let (mut server, port) = Server::start_on_tcp();
    let plain = server.database();
    let name = plain.rsplit('/').next().expect("a name").to_owned();
    let [authority, certificate, key] = certificates("localhost");
    let [other, ..] = certificates("localhost");
    for (file, text) in [
        ("ca.pem", authority),
        ("other.pem", other),
        ("server.pem", certificate),
        ("server.key", key),
    ] {
        let path = server.directory().join(file);
        std::fs::write(&path, text).expect("writes");
        server.give(&path);
    }
    let open = async |host: &str, authority: &str| {
        let settings = crate::config::Storage {
            url: (&*format!("postgres://starling@{host}:{port}/{name}?sslmode=require")).into(),
            authority: server.directory().join(authority),
        };
        let opened = Postgres::open(&settings, SLOTS, Limits::default(), Arc::new(Metrics::new())).await;
        match opened {
            Ok(store) => {
                store.close().await;
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    };
    let refused = open("localhost", "ca.pem")
        .await
        .expect_err("the server has no certificate yet");
    assert!(refused.contains("TLS"), "{refused}");
    for setting in [
        "ssl = on",
        "ssl_cert_file = '../server.pem'",
        "ssl_key_file = '../server.key'",
    ] {
        server.sql("postgres", &format!("ALTER SYSTEM SET {setting}"));
    }
    server.sql("postgres", "SELECT pg_reload_conf()");
    open("localhost", "ca.pem").await.expect("vouched for");
    for (host, authority) in [("localhost", "other.pem"), ("127.0.0.1", "ca.pem")] {
        let refused = open(host, authority).await.expect_err("not vouched for");
        assert!(refused.contains("certificate"), "{refused}");
    }
    assert!(
        open("localhost", "missing.pem")
            .await
            .expect_err("no file")
            .contains("storage.authority")
    );
    server.stop();
}
