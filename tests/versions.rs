//! The locked version of every crate with a known hole is one that has it closed.
//!
//! `make advisories` asks the RustSec database, which needs the network; this table needs nothing, and holds for
//! whoever runs the tests. It names crates that the tree does not have yet: they must not arrive in a bad version.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

const LOCK: &str = include_str!("../Cargo.lock");

/// The first good version of each crate, and what is wrong with those before it.
const MINIMUM: &[(&str, &str, &str)] = &[
    ("aws-lc-sys", "0.41.0", "its C code has five advisories of 2026"),
    (
        "bytes",
        "1.11.1",
        "`BytesMut::reserve` overflows and lies about its capacity (RUSTSEC-2026-0007)",
    ),
    (
        "h2",
        "0.4.16",
        "a peer's empty frames queue without bound (RUSTSEC-2026-0258)",
    ),
    (
        "postgres-protocol",
        "0.6.12",
        "a server can exhaust or crash its client (RUSTSEC-2026-0179, -0180)",
    ),
    (
        "quinn-proto",
        "0.11.15",
        "gaps that a peer leaves in a stream cost memory without bound",
    ),
    (
        "rustls",
        "0.23.18",
        "a fragmented hello can crash a server that accepts lazily (RUSTSEC-2024-0399)",
    ),
    (
        "rustls-webpki",
        "0.103.13",
        "a revocation list can crash its reader (RUSTSEC-2026-0104)",
    ),
    (
        "sqlx",
        "0.8.1",
        "a value above 4 GiB is read as protocol (RUSTSEC-2024-0363)",
    ),
    (
        "tokio-postgres",
        "0.7.18",
        "a short row crashes the client (RUSTSEC-2026-0178)",
    ),
    (
        "tungstenite",
        "0.20.1",
        "a handshake without end is read without end (RUSTSEC-2023-0065)",
    ),
    ("yrs", "0.28.1", "a few hostile bytes in an update abort the process"),
];

#[test]
fn no_locked_crate_is_known_to_be_bad() {
    let packages = locked(LOCK);
    assert!(packages.len() > 100, "Cargo.lock was read: {} packages", packages.len());
    assert_eq!(bad(&packages), Vec::<String>::new());
}

#[test]
fn a_planted_old_version_is_caught() {
    for (planted, caught) in [
        ("0.11.14", true),
        ("0.10.99", true),
        ("0.11.15-rc.1", true),
        ("0.11.15", false),
        ("0.11.15+build", false),
        ("0.12.0", false),
        ("1.0.0-alpha.1", false),
    ] {
        let lock = format!(
            "version = 4\n\
             [[package]]\nname = \"quinn\"\nversion = \"0.1.0\"\n\
             [[package]]\nname = \"quinn-proto\"\nversion = \"0.11.19\"\n\
             [[package]]\nname = \"quinn-proto\"\nversion = \"{planted}\"\n"
        );
        let found = bad(&locked(&lock));
        assert_eq!(found.len(), usize::from(caught), "{planted}: {found:?}");
        assert!(found.iter().all(|line| line.contains(planted)), "{found:?}");
    }
}

#[test]
fn every_crate_has_one_minimum() {
    assert!(MINIMUM.is_sorted_by(|a, b| a.0 < b.0), "in order of name, each once");
}

/// What is locked below its minimum, a sentence each.
fn bad(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages {
        for (name, minimum, wrong) in MINIMUM {
            if package.name == *name && package.version < version(minimum) {
                let Package { name, version } = package;
                found.push(format!("{name} {version} is below {minimum}, and {wrong}; update it"));
            }
        }
    }
    found
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Version,
}

fn locked(lock: &str) -> Vec<Package> {
    let lock: Lock = toml::from_str(lock).expect("a Cargo.lock");
    lock.package
}

/// A version as Cargo orders them, but for the order among pre-releases of one version, which no minimum is.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
struct Version {
    numbers: [u64; 3],
    prerelease: Option<String>,
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (text, _build) = text.split_once('+').unwrap_or((text, ""));
        let (numbers, prerelease) = match text.split_once('-') {
            Some((numbers, prerelease)) => (numbers, Some(prerelease.to_owned())),
            None => (text, None),
        };
        let numbers: Result<Vec<u64>, _> = numbers.split('.').map(str::parse).collect();
        let numbers = numbers.ok().and_then(|numbers| numbers.try_into().ok());
        let numbers = numbers.ok_or_else(|| format!("{text:?} is no version"))?;
        Ok(Self { numbers, prerelease })
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        // A pre-release comes before the version it leads to.
        let released = |version: &Self| version.prerelease.is_none();
        let order = (self.numbers, released(self)).cmp(&(other.numbers, released(other)));
        (order != Ordering::Equal || self == other).then_some(order)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        match &self.prerelease {
            Some(prerelease) => write!(f, "-{prerelease}"),
            None => Ok(()),
        }
    }
}

fn version(text: &str) -> Version {
    text.parse().expect("the table holds versions")
}
