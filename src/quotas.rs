//! How often one party may ask for what costs the node something lasting, over all its sessions and
//! requests: a client that connects again begins no new count.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use starling_core::access::Grant;
use starling_core::channel::{Limit, Refusal};
use starling_core::id::Subject;
use starling_core::rate::Quotas as Table;

use crate::auth::Denied;
use crate::config::Config;

/// Parties told apart at once, in each table. At some hundred bytes each a table takes less than two
/// megabytes; those who find no room in it share one rate.
const PARTIES_MAX: usize = 16_384;

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Party {
    /// Whom a token names.
    Subject(Subject),
    /// Whoever asks from an address and names nobody.
    Address(IpAddr),
}

impl Party {
    /// Whoever it was names itself by a token; who names nobody stays what it was.
    pub fn identify(&mut self, grant: &Grant) {
        if !grant.subject.is_anonymous() {
            *self = Self::Subject(grant.subject.clone());
        }
    }

    /// Whoever asks from `address`. An IPv6 network of 64 bits counts as one: whoever has an address in it
    /// has all of them.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self::Address(match address {
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(address) => address.into(),
                None => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
            },
            address => address,
        })
    }
}

/// See the module.
#[derive(Debug)]
pub struct Quotas {
    openings: Mutex<Table<Party>>,
    http_publishes: Mutex<Table<Party>>,
    denials: Mutex<Table<Party>>,
    http_requests: Mutex<Table<Party>>,
}

impl Quotas {
    /// Nobody has asked for anything.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let table = |per_second| Mutex::new(Table::new(per_second, PARTIES_MAX));
        Self {
            openings: table(config.slots.open_rate),
            http_publishes: table(config.limits.http_publish_rate),
            denials: table(config.limits.auth_failure_rate),
            http_requests: table(config.limits.http_request_rate),
        }
    }

    /// Puts a channel into use that nobody uses.
    ///
    /// # Errors
    /// When the party has done so too often.
    pub fn open(&self, party: &Party, now: Instant) -> Result<(), Refusal> {
        take(&self.openings, Limit::OpenRate, party, now)
    }

    /// Publishes over HTTP.
    ///
    /// # Errors
    /// When the party has done so too often.
    pub fn publish(&self, party: &Party, now: Instant) -> Result<(), Refusal> {
        take(&self.http_publishes, Limit::HttpPublishRate, party, now)
    }

    /// Checks what somebody presents, unless too much of what came from the same party was not accepted lately: then
    /// it is not even looked at, and who is guessing learns nothing more. Whoever presents nothing guesses nothing.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn admit(
        &self,
        party: &Party,
        now: Instant,
        check: impl FnOnce() -> Result<Arc<Grant>, Denied>,
    ) -> Result<Arc<Grant>, Denied> {
        locked(&self.denials)
            .look(party, now)
            .map_err(|retry_after| Denied::TooOften { retry_after })?;
        let verdict = check();
        if verdict.as_ref().is_err_and(Denied::is_a_guess) {
            let _ = locked(&self.denials).take(party.clone(), now); // the next is told
        }
        verdict
    }

    /// Asks for anything else over HTTP.
    ///
    /// # Errors
    /// When the party has done so too often.
    pub fn request(&self, party: &Party, now: Instant) -> Result<(), Refusal> {
        take(&self.http_requests, Limit::HttpRequestRate, party, now)
    }
}

fn locked(table: &Mutex<Table<Party>>) -> MutexGuard<'_, Table<Party>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take(table: &Mutex<Table<Party>>, limit: Limit, party: &Party, now: Instant) -> Result<(), Refusal> {
    locked(table)
        .take(party.clone(), now)
        .map_err(|retry_after| Refusal::RateLimited { limit, retry_after })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_one_party_and_a_mapped_address_is_the_one_it_maps() {
        let at = |text: &str| Party::at(text.parse().expect("an address"));
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:0:0:2"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
    }

    #[test]
    fn who_guesses_is_not_looked_at_for_a_while_and_others_are() {
        let mut config = Config::default();
        config.limits.auth_failure_rate = 5;
        let (quotas, now) = (Quotas::new(&config), Instant::now());
        let at = |host: u8| Party::at([192, 0, 2, host].into());
        let admit = |party: &Party, verdict: Result<(), Denied>| {
            let grant = || {
                Arc::new(Grant {
                    subject: Subject::new("anna"),
                    capabilities: Arc::new([]),
                    expires: None,
                })
            };
            quotas.admit(party, now, || verdict.map(|()| grant())).err()
        };
        for _ in 0..100 {
            assert_eq!(admit(&at(1), Err(Denied::Missing)), Some(Denied::Missing), "no guess");
        }
        for _ in 0..6 {
            assert_eq!(admit(&at(1), Err(Denied::Forged)), Some(Denied::Forged));
        }
        let refused = admit(&at(1), Ok(()));
        assert!(
            matches!(refused, Some(Denied::TooOften { .. })),
            "not even a good one: {refused:?}"
        );
        assert_eq!(admit(&at(2), Ok(())), None);
        let later = now + std::time::Duration::from_millis(250);
        let again = quotas.admit(&at(1), later, || Err(Denied::Forged)).err();
        assert_eq!(again, Some(Denied::Forged), "it is looked at again");
    }

    #[test]
    fn each_limit_is_told_by_its_name_and_counts_alone() {
        let mut config = Config::default();
        (config.slots.open_rate, config.limits.http_publish_rate) = (1, 1);
        config.limits.http_request_rate = 1;
        let (quotas, now) = (Quotas::new(&config), Instant::now());
        let party = Party::Subject(Subject::new("anna"));
        let used_up = |take: &dyn Fn() -> Result<(), Refusal>| (0..9).find_map(|_| take().err()).expect("a limit");
        let refusal = used_up(&|| quotas.open(&party, now));
        assert_eq!(refusal.limit(), Some("open_rate"));
        let refusal = used_up(&|| quotas.publish(&party, now));
        assert_eq!(refusal.limit(), Some("http_publish_rate"));
        let refusal = used_up(&|| quotas.request(&party, now));
        assert_eq!(refusal.limit(), Some("http_request_rate"));
        assert!(quotas.open(&Party::Subject(Subject::new("ben")), now).is_ok());
    }
}
