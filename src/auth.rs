//! Who may open a session or send a request, and with what rights.
//!
//! A session presents a token: a JWT, signed by whoever issues them and checked here with a key of the
//! configuration. A request over HTTP may present one too, or an API key. What is accepted becomes a
//! [`Grant`]; the rules (`core::access`, `core::session`) do the rest.
//!
//! * [`keys`]: the keys, and where they are read from;
//! * `claims`: what a token says, read strictly;
//! * [`token`]: whether one is accepted, and how one is made;
//! * `api_keys`: the keys of services;
//! * [`denied`]: why somebody is not let in.

use std::sync::Arc;

use arc_swap::ArcSwap;
use starling_core::access::{Capability, Grant, Operations, Pattern};
use starling_core::id::Subject;
use starling_core::time::WallTime;

use crate::config;

mod api_keys;
mod claims;
pub mod denied;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
pub mod keys;
pub mod token;

pub use denied::Denied;
pub use keys::{KeyError, SECRET_BYTES_MIN};

use api_keys::ApiKeys;
use keys::Keys;

/// Checks what sessions and requests present.
#[derive(Debug)]
pub struct Auth {
    /// What whoever presents nothing gets; `None` for nothing.
    anonymous: Option<Arc<Grant>>,
    config: config::Auth,
    /// Replaced as a whole when they are read again.
    keys: ArcSwap<Keys>,
    api_keys: ApiKeys,
}

impl Auth {
    /// Reads the keys of the configuration.
    ///
    /// # Errors
    /// Which key cannot be read, and why.
    ///
    /// # Panics
    /// Never: the pattern is a constant.
    pub fn new(config: &config::Auth) -> Result<Self, KeyError> {
        let grant = || {
            Arc::new(Grant {
                subject: Subject::anonymous(),
                capabilities: Arc::new([Capability {
                    pattern: Pattern::parse("*").expect("a wildcard is a pattern"),
                    operations: Operations::ALL,
                }]),
                expires: None,
            })
        };
        Ok(Self {
            anonymous: config.anonymous.then(grant),
            keys: ArcSwap::from_pointee(Keys::read(&config.keys)?),
            api_keys: ApiKeys::new(&config.api_keys)?,
            config: config.clone(),
        })
    }

    /// Reads the files of the keys again. Sessions that are open keep what they were granted.
    ///
    /// # Errors
    /// Which key cannot be read, and why. The keys stay what they were.
    pub fn reload(&self) -> Result<(), KeyError> {
        self.keys.store(Arc::new(Keys::read(&self.config.keys)?));
        Ok(())
    }

    /// Whether whoever presents nothing is let in.
    #[must_use]
    pub const fn admits_anybody(&self) -> bool {
        self.anonymous.is_some()
    }

    /// What a session may do that presents this token, or none.
    ///
    /// # Errors
    /// Why it is not let in.
    pub fn admit(&self, token: &str, now: WallTime) -> Result<Arc<Grant>, Denied> {
        let keys = self.keys.load();
        match (token.is_empty(), &self.anonymous) {
            (true, Some(grant)) => Ok(Arc::clone(grant)),
            (true, None) if keys.is_empty() => Err(Denied::NobodyAdmitted),
            (true, None) => Err(Denied::Missing),
            (false, _) if keys.is_empty() => Err(Denied::NoKeys),
            (false, _) => token::check(token, &keys, &self.config, now).map(Arc::new),
        }
    }

    /// What a request over HTTP may do that presents these credentials, or none: an API key, or a token.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn admit_request(&self, credentials: Option<&str>, now: WallTime) -> Result<Arc<Grant>, Denied> {
        let credentials = credentials.unwrap_or_default();
        if token::is_one(credentials) || credentials.is_empty() {
            match self.admit(credentials, now) {
                Err(Denied::NobodyAdmitted) if !self.api_keys.is_empty() => Err(Denied::Missing),
                verdict => verdict,
            }
        } else {
            self.api_keys.find(credentials).ok_or(Denied::UnknownApiKey)
        }
    }
}

/// Rights as they are written.
///
/// # Errors
/// What is wrong with which.
fn capabilities(entries: &[config::Capability]) -> Result<Arc<[Capability]>, String> {
    let read = |entry: &config::Capability| {
        let pattern = Pattern::parse(&entry.channels).map_err(|error| format!("\"{}\": {error}", entry.channels))?;
        if entry.operations.is_empty() {
            return Err(format!("\"{}\" has no operations", entry.channels));
        }
        let operations = entry.operations.iter().fold(Operations::NONE, |set, one| {
            set.with(match one {
                config::Operation::Publish => starling_core::access::Operation::Publish,
                config::Operation::Subscribe => starling_core::access::Operation::Subscribe,
                config::Operation::History => starling_core::access::Operation::History,
                config::Operation::Presence => starling_core::access::Operation::Presence,
                config::Operation::DocRead => starling_core::access::Operation::DocRead,
                config::Operation::DocWrite => starling_core::access::Operation::DocWrite,
                config::Operation::Awareness => starling_core::access::Operation::Awareness,
                config::Operation::Admin => starling_core::access::Operation::Admin,
            })
        });
        Ok(Capability { pattern, operations })
    };
    entries.iter().map(read).collect()
}

#[cfg(test)]
mod tests;
