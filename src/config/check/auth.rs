//! What must hold of the keys that clients are checked with.

use std::collections::BTreeSet;
use std::time::Duration;

use starling_core::access::Pattern;

use crate::auth::SECRET_BYTES_MIN;
use crate::config::{ApiKey, Config, Key};

use super::DAY;
use super::found::{At, Found};

impl Config {
    pub(super) fn check_auth(&self, found: &mut Found) {
        let auth = &self.auth;
        found.unless(
            self.client.is_loopback() || !auth.anonymous,
            &["auth.anonymous", "client.listen"],
            "anonymous clients have every right, so they are let in on loopback addresses only; set auth.anonymous = false, or listen on 127.0.0.1",
        );
        found.unless(
            !auth.admits_nobody(),
            &["auth.keys", "auth.anonymous"],
            "there is no key to check tokens with, and nobody is let in without one; add an entry to the configuration file: [[auth.keys]], as docs/authentication.md shows, or set auth.anonymous = true on a loopback address",
        );
        found.between_times("auth.leeway", auth.leeway, Duration::ZERO, Duration::from_secs(30));
        found.between_times(
            "auth.lifetime_max",
            auth.lifetime_max,
            Duration::from_secs(1),
            DAY * 365,
        );
        let mut names = BTreeSet::new();
        for (index, key) in auth.keys.iter().enumerate() {
            let mut at = At::new("auth.keys", index, found);
            named(&key.id, &mut names, &mut at);
            key.check(&mut at);
        }
        let mut names = BTreeSet::new();
        for (index, key) in auth.api_keys.iter().enumerate() {
            let mut at = At::new("auth.api_keys", index, found);
            named(&key.id, &mut names, &mut at);
            key.check(&mut at);
        }
    }
}

impl Key {
    fn check(&self, at: &mut At<'_>) {
        let sources = self.sources();
        let fits = match (self.algorithm.is_symmetric(), &sources[..]) {
            (true, [one]) => *one != "public_key_file",
            (false, [one]) => *one == "public_key_file",
            (_, _) => false,
        };
        let wanted = if self.algorithm.is_symmetric() {
            "needs its secret from just one place: secret_file, secret_env or secret"
        } else {
            "needs a public key and no secret: set public_key_file alone"
        };
        at.unless(
            fits,
            &["algorithm"],
            &format!(
                "{} {wanted} (set now: {})",
                self.algorithm.name(),
                if sources.is_empty() {
                    "none".to_owned()
                } else {
                    sources.join(", ")
                }
            ),
        );
        let bytes = self.secret.expose().len();
        at.unless(
            bytes == 0 || bytes >= SECRET_BYTES_MIN,
            &["secret"],
            &format!("has {bytes} bytes, and what is shorter than {SECRET_BYTES_MIN} can be found by trying; make one with: openssl rand -hex 32"),
        );
    }
}

impl ApiKey {
    fn check(&self, at: &mut At<'_>) {
        let is_hash = self.sha256.len() == 64 && self.sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        at.unless(
            is_hash,
            &["sha256"],
            "is not 64 hexadecimal digits; make it with: printf %s \"$KEY\" | sha256sum",
        );
        at.unless(
            !self.capabilities.is_empty(),
            &["capabilities"],
            "is empty, so the key could do nothing; write what it may, such as [{ channels = \"orders:*\", operations = [\"publish\"] }]",
        );
        for capability in &self.capabilities {
            if let Err(error) = Pattern::parse(&capability.channels) {
                at.unless(
                    false,
                    &["capabilities"],
                    &format!("\"{}\": {error}", capability.channels),
                );
            }
            at.unless(
                !capability.operations.is_empty(),
                &["capabilities"],
                &format!(
                    "\"{}\" has no operations; name some of \"publish\", \"subscribe\", \"history\"",
                    capability.channels
                ),
            );
        }
    }
}

/// The names of keys are short, and each is used once.
fn named<'a>(id: &'a str, names: &mut BTreeSet<&'a str>, at: &mut At<'_>) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    at.unless(
        (1..=64).contains(&id.len()) && id.bytes().all(is_plain),
        &["id"],
        &format!("\"{id}\" is no name of a key; write 1 to 64 of a-z, A-Z, 0-9, \".\", \"_\" and \"-\""),
    );
    at.unless(
        names.insert(id),
        &["id"],
        &format!("\"{id}\" has an entry already; give each key a name of its own"),
    );
}
