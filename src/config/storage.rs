//! `[storage]`: where persisted channels are kept.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio_postgres::config::{Host, SslMode};

use super::unit;

/// `[storage]`: where persisted channels are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// The PostgreSQL database; empty for a file in `node.data_dir`.
    pub url: StoreUrl,
    /// Certificates that vouch for the database; empty for those of the system.
    pub authority: PathBuf,
}

/// `[documents]`: collaborative documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Documents {
    /// Whether they are served. They are kept where persisted channels are.
    pub enabled: bool,
    /// The namespace of documents whose names have none.
    pub namespace: String,
    /// Documents that a session may have open at once.
    pub per_session_max: u32,
    /// Messages a second that are read of one connection of an editor; 0 for no limit.
    pub message_rate: u32,
    /// How old the last version that was made by itself is when a snapshot becomes another; 0 for none.
    #[serde(with = "unit::duration")]
    pub version_every: Duration,
    /// How long a document that nobody has open stays in memory.
    #[serde(with = "unit::duration")]
    pub idle: Duration,
}

/// Where a database is found, and as whom. Its password is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StoreUrl(String);

/// Whether the connection to a database is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// It is, and the certificate is checked.
    Required,
    /// It is not.
    None,
    /// The URL does not say.
    Unsaid,
}

impl StoreUrl {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How to connect; `None` if the URL cannot be read.
    #[must_use]
    pub fn parse(&self) -> Option<tokio_postgres::Config> {
        let is_url = self.0.starts_with("postgres://") || self.0.starts_with("postgresql://");
        let parsed = self.0.parse::<tokio_postgres::Config>().ok();
        parsed.filter(|parsed| is_url && !parsed.get_hosts().is_empty())
    }

    /// Whether the connection is to be encrypted.
    #[must_use]
    pub fn encryption(&self) -> Encryption {
        match self.parse().map(|parsed| parsed.get_ssl_mode()) {
            Some(SslMode::Require) => Encryption::Required,
            Some(SslMode::Disable) => Encryption::None,
            // "prefer" lets whoever is on the way choose; here nobody is.
            Some(_) if self.is_local() => Encryption::None,
            _ => Encryption::Unsaid,
        }
    }

    /// Whether the database is on this machine, however it is reached.
    fn is_local(&self) -> bool {
        let is_local = |host: &Host| match host {
            Host::Tcp(host) => {
                host == "localhost"
                    || host
                        .parse()
                        .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
            }
            Host::Unix(_) => true,
        };
        self.parse()
            .is_some_and(|parsed| parsed.get_hosts().iter().all(is_local))
    }
}

/// Built from what was read, so that a password which is written in an odd place does not slip through.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        let Some(parsed) = self.parse() else {
            return f.write_str("(hidden)");
        };
        f.write_str("postgres://")?;
        if let Some(user) = parsed.get_user() {
            f.write_str(user)?;
            if parsed.get_password().is_some() {
                f.write_str(":(hidden)")?;
            }
            f.write_str("@")?;
        }
        let ports = parsed.get_ports();
        for (index, host) in parsed.get_hosts().iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(host) if host.contains(':') => write!(f, "[{host}]")?,
                Host::Tcp(host) => f.write_str(host)?,
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            if let Some(port) = ports.get(index).or_else(|| ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(
            f,
            "/{}",
            parsed.get_dbname().or_else(|| parsed.get_user()).unwrap_or_default()
        )
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

impl Serialize for StoreUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl From<&str> for StoreUrl {
    fn from(url: &str) -> Self {
        Self(url.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("", ""),
            (
                "postgres://anna:hunter2@db.example.org/app",
                "postgres://anna:(hidden)@db.example.org:5432/app",
            ),
            (
                "postgres://anna@db/app?password=hunter2&sslmode=require",
                "postgres://anna:(hidden)@db:5432/app",
            ),
            (
                "postgresql://anna:hunter2@one:5432,two:5433/app",
                "postgres://anna:(hidden)@one:5432,two:5433/app",
            ),
            (
                "postgres://%2Frun%2Fpostgresql/app",
                "postgres:///run/postgresql:5432/app",
            ),
            ("postgres://anna:hunter2@db:port/app", "(hidden)"),
            ("host=db password=hunter2", "(hidden)"),
            ("mysql://anna:hunter2@db/app", "(hidden)"),
        ] {
            let url = StoreUrl::from(url);
            let texts = [
                url.to_string(),
                format!("{url:?}"),
                toml::Value::try_from(&url).expect("text").to_string(),
            ];
            assert_eq!(texts[0], shown);
            assert!(texts.iter().all(|text| !text.contains("hunter2")), "{texts:?}");
        }
    }

    #[test]
    fn what_leaves_the_machine_says_whether_it_is_encrypted() {
        for (url, encryption) in [
            ("postgres://db/app", Encryption::Unsaid),
            ("postgres://db/app?sslmode=prefer", Encryption::Unsaid),
            ("postgres://db/app?sslmode=require", Encryption::Required),
            ("postgres://db/app?sslmode=disable", Encryption::None),
            ("postgres://localhost,db/app", Encryption::Unsaid),
            ("postgres://localhost/app", Encryption::None),
            ("postgres://127.0.0.1/app?sslmode=require", Encryption::Required),
            ("postgres://%2Frun%2Fpostgresql/app", Encryption::None),
        ] {
            assert_eq!(StoreUrl::from(url).encryption(), encryption, "{url}");
        }
    }
}
