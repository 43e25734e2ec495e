//! What must hold of `[storage]`.

use super::super::Config;
use super::super::storage::Encryption;
use super::Found;

impl Config {
    pub(super) fn check_storage(&self, found: &mut Found) {
        let storage = &self.storage;
        if storage.url.is_empty() {
            found.unless(
                storage.authority.as_os_str().is_empty(),
                &["storage.authority", "storage.url"],
                "vouches for a database and no storage.url names one; set both, or leave both empty",
            );
            return;
        }
        // What it holds is not told: it may be a password.
        if storage.url.parse().is_none() {
            found.add(
                &["storage.url"],
                "cannot be read; write it as postgres://user:password@host:5432/database, with special characters of the password percent-encoded"
                    .to_owned(),
            );
            return;
        }
        found.unless(
            storage.url.encryption() != Encryption::Unsaid,
            &["storage.url"],
            "leads to another machine and does not say whether it is encrypted; add ?sslmode=require, or ?sslmode=disable on a network that nobody else is on",
        );
        found.unless(
            storage.authority.as_os_str().is_empty() || storage.url.encryption() == Encryption::Required,
            &["storage.authority", "storage.url"],
            "vouches for a database that is reached without encryption; add ?sslmode=require to storage.url",
        );
    }
}
