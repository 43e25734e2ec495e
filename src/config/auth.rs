//! `[auth]`: who may connect, and the keys that it is checked with.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use super::unit;

/// `[auth]`: who may connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Whether a client without a token gets in, with every right. On loopback listeners only.
    pub anonymous: bool,
    /// The audience tokens must name; empty takes only those that name none.
    pub audience: String,
    /// The issuer tokens must name; empty takes any.
    pub issuer: String,
    /// How far the clocks of issuer and node may differ.
    #[serde(with = "unit::duration")]
    pub leeway: Duration,
    /// Longest time a token may have left.
    #[serde(with = "unit::duration")]
    pub lifetime_max: Duration,
    /// What tokens are checked with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    /// What services send over HTTP instead of a token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub api_keys: Vec<ApiKey>,
}

/// `[[auth.keys]]`: a key that tokens are checked with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its name: what a token's `kid` says.
    pub id: String,
    /// The one algorithm that is taken with it.
    pub algorithm: Algorithm,
    /// The secret of HS256.
    #[serde(default)]
    pub secret: Secret,
    /// The file with it; empty for none.
    #[serde(default)]
    pub secret_file: PathBuf,
    /// The environment variable with it; empty for none.
    #[serde(default)]
    pub secret_env: String,
    /// The PEM file with the public key of the others; empty for none.
    #[serde(default)]
    pub public_key_file: PathBuf,
}

/// How tokens are signed. As many as people use, and no weaker one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// HMAC with SHA-256: one secret signs and checks.
    HS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
    /// RSA, PKCS#1 v1.5, with SHA-256.
    RS256,
}

/// A text that is never shown.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "Secret()" } else { "Secret(..)" })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { "(hidden)" })
    }
}

/// `[[auth.api_keys]]`: what a service may do over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// Its name.
    pub id: String,
    /// SHA-256 of the key, in hexadecimal.
    pub sha256: String,
    /// What it may do.
    pub capabilities: Vec<Capability>,
}

/// A right to do some things with some channels, as it is written here and in tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capability {
    /// The channels, as a pattern.
    pub channels: String,
    /// What may be done there.
    pub operations: Vec<Operation>,
}

/// One thing that may be done with a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Send messages.
    Publish,
    /// Receive messages as they come.
    Subscribe,
    /// Receive messages that are in the past.
    History,
    /// Enter presence, and watch it.
    Presence,
    /// Open a document and see what is written in it.
    #[serde(rename = "doc-read")]
    DocRead,
    /// Write in a document.
    #[serde(rename = "doc-write")]
    DocWrite,
    /// Show who one is in a document, and where.
    Awareness,
    /// Act on the sessions of others.
    Admin,
}

impl Auth {
    /// Whether nobody could do anything.
    #[must_use]
    pub fn admits_nobody(&self) -> bool {
        !self.anonymous && self.keys.is_empty() && self.api_keys.is_empty()
    }
}

impl Algorithm {
    /// Whether one secret signs and checks.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256)
    }

    /// The name that tokens use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
            Self::RS256 => "RS256",
        }
    }
}

impl Key {
    /// The sources that are set, by the names of their keys.
    pub(super) fn sources(&self) -> Vec<&'static str> {
        [
            ("secret", self.secret.expose().is_empty()),
            ("secret_file", self.secret_file.as_os_str().is_empty()),
            ("secret_env", self.secret_env.is_empty()),
            ("public_key_file", self.public_key_file.as_os_str().is_empty()),
        ]
        .into_iter()
        .filter(|(_, is_empty)| !is_empty)
        .map(|(name, _)| name)
        .collect()
    }

    /// One with every key set, for what wants to know which keys there are.
    pub(super) fn example() -> Self {
        Self {
            id: "app".to_owned(),
            algorithm: Algorithm::HS256,
            secret: Secret::default(),
            secret_file: PathBuf::new(),
            secret_env: String::new(),
            public_key_file: PathBuf::new(),
        }
    }
}

impl ApiKey {
    /// One with every key set, for what wants to know which keys there are.
    pub(super) fn example() -> Self {
        Self {
            id: "app".to_owned(),
            sha256: String::new(),
            capabilities: Vec::new(),
        }
    }
}
