//! The keys that tokens are checked with. Each has one algorithm, fixed here: what a token says of its own algorithm
//! chooses nothing.

use std::fmt;
use std::path::{Path, PathBuf};

use jsonwebtoken::{DecodingKey, EncodingKey};
use thiserror::Error;

use crate::config::{self, Algorithm};

/// The shortest secret that is taken: as long as what HS256 makes of it (RFC 7518, section 3.2). A shorter one is
/// found by trying, from any token it signed.
pub const SECRET_BYTES_MIN: usize = 32;

/// Why a key cannot be used.
#[derive(Debug, Error)]
pub enum KeyError {
    /// A file cannot be read.
    #[error("auth key \"{id}\": {} cannot be read: {source}; check its name and who may read it", .path.display())]
    File {
        /// The key.
        id: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A variable is not set, or no text.
    #[error("auth key \"{id}\": the environment variable {variable} is not set; set it to the secret")]
    Variable {
        /// The key.
        id: String,
        /// The variable.
        variable: String,
    },
    /// A secret is too short.
    #[error(
        "auth key \"{id}\": the secret has {bytes} bytes, and what is shorter than {SECRET_BYTES_MIN} can be found by trying; make one with: openssl rand -hex 32"
    )]
    Short {
        /// The key.
        id: String,
        /// How long it is.
        bytes: usize,
    },
    /// A key of another kind stands where a secret should.
    #[error(
        "auth key \"{id}\": the secret is a PEM file; a public key is no secret, so name the algorithm it is for and set public_key_file"
    )]
    PublicSecret {
        /// The key.
        id: String,
    },
    /// It is no key of its algorithm.
    #[error("auth key \"{id}\": this is no {} key in PEM: {cause}; see docs/authentication.md for how to make one", .algorithm.name())]
    Unusable {
        /// The key.
        id: String,
        /// What it should be for.
        algorithm: Algorithm,
        /// What the library says.
        cause: String,
    },
    /// An API key's rights cannot be read.
    #[error("API key \"{id}\": {cause}")]
    ApiKey {
        /// The key.
        id: String,
        /// What is wrong.
        cause: String,
    },
}

/// Every key of a node, by name.
#[derive(Debug, Default)]
pub struct Keys(Vec<Key>);

/// One key.
pub struct Key {
    /// Its name.
    pub id: String,
    /// The one algorithm it is for.
    pub algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, {})", self.id, self.algorithm.name())
    }
}

impl Keys {
    /// Reads every key.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn read(entries: &[config::Key]) -> Result<Self, KeyError> {
        let key = |entry: &config::Key| Key::new(&entry.id, entry.algorithm, &bytes(entry)?);
        entries.iter().map(key).collect::<Result<_, _>>().map(Self)
    }

    /// These.
    #[must_use]
    pub const fn of(keys: Vec<Key>) -> Self {
        Self(keys)
    }

    /// Just this one.
    #[must_use]
    pub fn one(key: Key) -> Self {
        Self::of(vec![key])
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key a token names; the only one if it names none.
    pub(super) fn find(&self, id: Option<&str>) -> Option<&Key> {
        match (id, &self.0[..]) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(id), keys) => keys.iter().find(|key| key.id == id),
        }
    }
}

impl Key {
    /// A key from a secret, or from a public key in PEM.
    ///
    /// # Errors
    /// Why it cannot be one.
    pub fn new(id: &str, algorithm: Algorithm, bytes: &[u8]) -> Result<Self, KeyError> {
        let decoding = match algorithm {
            Algorithm::HS256 => Ok(DecodingKey::from_secret(secret(id, bytes)?)),
            Algorithm::ES256 => DecodingKey::from_ec_pem(bytes),
            Algorithm::EdDSA => DecodingKey::from_ed_pem(bytes),
            Algorithm::RS256 => DecodingKey::from_rsa_pem(bytes),
        };
        Ok(Self {
            id: id.to_owned(),
            algorithm,
            decoding: decoding.map_err(|error| unusable(id, algorithm, &error))?,
        })
    }
}

/// What signs tokens: the same secret, or the private key of a pair in PEM.
///
/// # Errors
/// Why it cannot.
pub fn signing(id: &str, algorithm: Algorithm, bytes: &[u8]) -> Result<EncodingKey, KeyError> {
    let key = match algorithm {
        Algorithm::HS256 => Ok(EncodingKey::from_secret(secret(id, bytes)?)),
        Algorithm::ES256 => EncodingKey::from_ec_pem(bytes),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(bytes),
        Algorithm::RS256 => EncodingKey::from_rsa_pem(bytes),
    };
    key.map_err(|error| unusable(id, algorithm, &error))
}

/// The secret or the public key of an entry, from wherever it is kept.
///
/// # Errors
/// When it cannot be read.
pub fn bytes(entry: &config::Key) -> Result<Vec<u8>, KeyError> {
    let id = &entry.id;
    let path = |path: &PathBuf| (!path.as_os_str().is_empty()).then(|| path.clone());
    if let Some(path) = path(&entry.secret_file).or_else(|| path(&entry.public_key_file)) {
        return file(id, &path);
    }
    if entry.secret_env.is_empty() {
        return Ok(entry.secret.expose().as_bytes().to_vec());
    }
    let variable = &entry.secret_env;
    let text = std::env::var(variable).map_err(|_| KeyError::Variable {
        id: id.clone(),
        variable: variable.clone(),
    })?;
    Ok(text.into_bytes())
}

/// The bytes of a file, without the line feed that editors leave at its end.
///
/// # Errors
/// When it cannot be read.
pub fn file(id: &str, path: &Path) -> Result<Vec<u8>, KeyError> {
    let mut bytes = std::fs::read(path).map_err(|source| KeyError::File {
        id: id.to_owned(),
        path: path.to_owned(),
        source,
    })?;
    while bytes.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(bytes)
}

/// A secret that is one.
fn secret<'a>(id: &str, bytes: &'a [u8]) -> Result<&'a [u8], KeyError> {
    let id = || id.to_owned();
    if bytes.starts_with(b"-----BEGIN") {
        return Err(KeyError::PublicSecret { id: id() });
    }
    if bytes.len() < SECRET_BYTES_MIN {
        return Err(KeyError::Short {
            id: id(),
            bytes: bytes.len(),
        });
    }
    Ok(bytes)
}

fn unusable(id: &str, algorithm: Algorithm, error: &jsonwebtoken::errors::Error) -> KeyError {
    KeyError::Unusable {
        id: id.to_owned(),
        algorithm,
        cause: error.to_string(),
    }
}
