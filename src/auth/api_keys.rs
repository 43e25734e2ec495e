//! The keys of services. Only their hashes are known here: a key comes from a random source and is as long as a hash,
//! so one round of SHA-256 hides it as well as any slower hash would.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use starling_core::access::Grant;
use starling_core::id::Subject;

use super::KeyError;
use super::claims::API_KEY_PREFIX;
use crate::config;

/// Every API key of a node.
#[derive(Debug)]
pub(super) struct ApiKeys(Vec<ApiKey>);

struct ApiKey {
    hash: [u8; SHA256_OUTPUT_LEN],
    grant: Arc<Grant>,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({})", self.grant.subject)
    }
}

impl ApiKeys {
    pub(super) fn new(entries: &[config::ApiKey]) -> Result<Self, KeyError> {
        let read = |entry: &config::ApiKey| {
            let refused = |cause: &str| KeyError::ApiKey {
                id: entry.id.clone(),
                cause: cause.to_owned(),
            };
            let hash = unhex(&entry.sha256).ok_or_else(|| refused("sha256 is not 64 hexadecimal digits"))?;
            let capabilities = super::capabilities(&entry.capabilities).map_err(|cause| refused(&cause))?;
            let grant = Grant {
                subject: Subject::new(&format!("{API_KEY_PREFIX}{}", entry.id)),
                capabilities,
                expires: None,
            };
            Ok(ApiKey {
                hash,
                grant: Arc::new(grant),
            })
        };
        entries.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a key may do. Every hash is compared, and each to its end: how long it takes tells nothing.
    pub(super) fn find(&self, key: &str) -> Option<Arc<Grant>> {
        let hash = digest(&SHA256, key.as_bytes());
        let is_it = |one: &&ApiKey| verify_slices_are_equal(&one.hash, hash.as_ref()).is_ok();
        let found = self.0.iter().filter(is_it).fold(None, |found, one| found.or(Some(one)));
        found.map(|one| Arc::clone(&one.grant))
    }
}

fn unhex(text: &str) -> Option<[u8; SHA256_OUTPUT_LEN]> {
    let digits = text.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        let is_hex = pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| u8::from_str_radix(pair, 16).ok())?
    });
    digits.collect::<Option<Vec<_>>>()?.try_into().ok()
}
