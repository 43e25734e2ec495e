//! What a token says, read strictly: a claim of ours that is not understood is refused, not skipped, because it may
//! have been meant to take a right away. Claims of others are nobody's business here.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, de};
use starling_core::access::Capability;
use starling_core::id::Subject;
use starling_core::time::WallTime;

use crate::config;

/// Bytes of a subject. It is kept with every publisher of its, and is an identifier, not a document.
const SUBJECT_BYTES_MAX: usize = 128;

/// Capabilities of one token: each is looked at for each request, so a longer list costs more than it says. Patterns
/// say more in less.
const CAPABILITIES_MAX: usize = 32;

/// What the subjects of API keys begin with; no token may name one.
pub(super) const API_KEY_PREFIX: &str = "key:";

/// The claims that are looked at.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Claims {
    pub(super) sub: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) exp: Option<NumericDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nbf: Option<NumericDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) iat: Option<NumericDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) aud: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) iss: Option<serde_json::Value>,
    pub(super) starling: Option<Rights>,
}

/// The claim of our own.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rights {
    pub(super) capabilities: Vec<config::Capability>,
}

/// A point in time: seconds since 1970, with a fraction if need be (RFC 7519, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NumericDate(pub(super) WallTime);

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let millis = match (number.as_u64(), number.as_f64()) {
            (Some(seconds), _) => seconds.saturating_mul(1_000),
            // A cast of what does not fit gives the nearest that does.
            (None, Some(seconds)) if seconds >= 0.0 => (seconds * 1_000.0) as u64,
            _ => return Err(de::Error::custom("a time is a number of seconds since 1970")),
        };
        Ok(Self(WallTime(millis)))
    }
}

impl Serialize for NumericDate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.0 / 1_000)
    }
}

impl Claims {
    /// Whom it names and what it grants.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn rights(&self) -> Result<(Subject, Arc<[Capability]>), String> {
        let subject = self.sub.as_deref().unwrap_or_default();
        let is_plain = !subject.chars().any(char::is_control);
        if !(1..=SUBJECT_BYTES_MAX).contains(&subject.len()) || !is_plain {
            return Err(format!(
                "the subject (sub) must have 1 to {SUBJECT_BYTES_MAX} bytes and no control characters"
            ));
        }
        if subject.starts_with(API_KEY_PREFIX) {
            return Err(format!(
                "a subject (sub) that begins with \"{API_KEY_PREFIX}\" is an API key's"
            ));
        }
        let Some(Rights { capabilities }) = &self.starling else {
            return Err("there is no claim \"starling\", so it grants nothing".to_owned());
        };
        if capabilities.len() > CAPABILITIES_MAX {
            return Err(format!(
                "there are {} capabilities and {CAPABILITIES_MAX} are the most",
                capabilities.len()
            ));
        }
        Ok((Subject::new(subject), super::capabilities(capabilities)?))
    }
}
