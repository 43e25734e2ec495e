//! The configuration: one readable page, typed, checked before anything binds.
//!
//! `config/default.toml` is the manual and the default at once. Over it are laid, in this order, the operator's
//! file, the environment and the command line ([`load()`]); what comes out is checked for relations between keys
//! ([`check`](Config::check)) and handed to the node as a [`Config`].
//!
//! | file | holds |
//! | --- | --- |
//! | `section.rs`, `auth.rs`, `cluster.rs`, `namespace.rs`, `storage.rs` | the keys, as the node reads them |
//! | `unit.rs`, `address.rs`, `origin.rs`, `browser.rs` | values that need reading: durations, sizes, addresses, origins, browsers |
//! | `load.rs`, `layer.rs`, `source.rs` | which value wins, and where it came from |
//! | `check.rs` | what must hold between keys |
//! | `show.rs` | the effective values, each with its source |
//! | `error.rs` | what an operator is told |

mod address;
mod auth;
mod browser;
mod check;
mod cluster;
mod error;
mod layer;
mod load;
mod namespace;
mod origin;
mod section;
mod show;
mod source;
mod storage;
mod unit;

#[cfg(test)]
mod manual;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use auth::{Algorithm, ApiKey, Auth, Capability, Key, Operation, Secret};
pub use browser::{Browser, BrowserError};
pub use check::Conflict;
pub use cluster::Cluster;
pub use error::{Error, Problem};
pub use load::{Loaded, load};
pub use namespace::{Durability, History, Namespace, Policy, Presence, PresenceMode};
pub use origin::{Origin, OriginError};
pub use section::{Admin, Client, Fanout, Limits, Log, LogFormat, Node, Session, Slots, Tls};
pub use show::{Setting, settings, show};
pub use source::Source;
pub use storage::{Documents, Encryption, Storage, StoreUrl};
pub use unit::{Size, UnitError, parse_duration, parse_size};

/// Every key, its unit and the reason for its value: the first layer of every configuration.
pub const DEFAULT: &str = include_str!("../config/default.toml");

/// What `starling dev` lays over it.
pub const DEVELOPMENT: &str = include_str!("../config/development.toml");

/// The whole configuration of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who this process is.
    pub node: Node,
    /// Where clients reach it.
    pub client: Client,
    /// Health, metrics and the admin API.
    pub admin: Admin,
    /// How one client's connection behaves.
    pub session: Session,
    /// What the node as a whole takes.
    pub limits: Limits,
    /// Who may connect.
    pub auth: Auth,
    /// The units of ownership.
    pub slots: Slots,
    /// The ring of encoded messages that the readers of a channel share.
    pub fanout: Fanout,
    /// Where persisted channels are kept.
    pub storage: Storage,
    /// Collaborative documents.
    pub documents: Documents,
    /// Other nodes.
    pub cluster: Cluster,
    /// What goes to standard error.
    pub log: Log,
    /// What the channels of each namespace promise. At least one, and no two of one name.
    #[serde(default)]
    pub namespaces: Vec<Namespace>,
}

/// The values of `config/default.toml`. They name no namespace, so they serve nobody before one is added.
impl Default for Config {
    fn default() -> Self {
        toml::from_str(DEFAULT).expect("the embedded default file holds every key: a test reads it")
    }
}

impl Config {
    /// What `starling dev` runs, on this machine alone: clients on `port`, admin on the one after it. Port 0 lets
    /// the system choose both.
    #[must_use]
    pub fn for_dev(port: u16, data_dir: &Path) -> Self {
        let flags = Self::dev_flags(port, data_dir);
        let file = Some((Path::new("config/development.toml"), DEVELOPMENT));
        let loaded = load(file, std::iter::empty(), &flags);
        loaded
            .expect("the embedded development file holds with any port: a test loads it")
            .config
    }

    /// The keys that the flags of `starling dev` set, and their values.
    #[must_use]
    pub fn dev_flags(port: u16, data_dir: &Path) -> Vec<(String, String)> {
        // Two listeners on port 0 would get two different ports, and a URL names one.
        let listen = match port {
            0 => "127.0.0.1:0".to_owned(),
            port => format!("127.0.0.1:{port},[::1]:{port}"),
        };
        let admin = match port {
            0 => 0,
            port => port.checked_add(1).unwrap_or(0),
        };
        vec![
            ("client.listen".to_owned(), listen),
            ("admin.listen".to_owned(), format!("127.0.0.1:{admin}")),
            ("node.data_dir".to_owned(), data_dir.to_string_lossy().into_owned()),
        ]
    }

    /// The settings of a namespace, by the name before a channel's first colon.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.namespaces.iter().find(|namespace| namespace.name == name)
    }

    /// Whether a web page may connect that the browser says is of `origin`, when `host` is the `Host` (or
    /// `:authority`) it asked for.
    #[must_use]
    pub fn allows_origin(&self, origin: &str, host: &str) -> bool {
        origin::is_own(origin, host, &self.client.public_url)
            || self.client.origins.iter().any(|allowed| allowed.allows(origin))
    }
}
