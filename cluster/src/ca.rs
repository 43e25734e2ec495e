//! The cluster's own authority: it vouches for nodes, and for nothing else.
//!
//! A node's certificate names it twice: as a DNS name, which is what TLS compares, and as `starling:node:NAME`, which
//! says what it is for. So a certificate that the same authority made for a page or a client opens no link. Keys are
//! ECDSA P-256: small, and fast to prove oneself with.
//!
//! `files.rs` keeps all of it in a directory.

mod files;

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls::pki_types::CertificateDer;
use thiserror::Error;
use x509_parser::extensions::GeneralName;

pub use files::{Directory, Issued};

use starling_core::id::NodeName;

/// How long an authority vouches: longer than most clusters live, because every node has to be told of a new one.
pub const AUTHORITY_TIME: Duration = Duration::from_secs(3_650 * 24 * 3600);

/// How long a node's certificate is good, unless it is asked for less: to be made anew once a year.
pub const NODE_TIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// A certificate counts from this much before it is made: clocks of the nodes differ.
const HEAD_START: Duration = Duration::from_secs(3600);

/// Longest name that DNS has.
const DNS_BYTES_MAX: usize = 253;

/// Before a node's name in its certificate.
const ROLE: &str = "starling:node:";

/// Why there is no certificate.
#[derive(Debug, Error)]
pub enum CaError {
    /// A file could not be read or written.
    #[error("cannot {what} {path}: {source}")]
    File {
        /// What was tried.
        what: &'static str,
        /// Which file.
        path: std::path::PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is there that would have to be overwritten.
    #[error("{0} is there already and is not overwritten; move it away first, or use another directory")]
    Exists(std::path::PathBuf),
    /// The authority's files are no authority.
    #[error("the authority cannot be used: {0}; are ca.pem and ca.key of one pair, and whole?")]
    Authority(String),
    /// A certificate would outlive its authority.
    #[error("the authority ends before the certificate would; ask for fewer days, or make a new authority")]
    Outlives,
    /// A name cannot stand in a certificate.
    #[error("{0:?} is neither a DNS name nor an IP address; nothing was made")]
    AlternativeName(String),
    /// It could not be made.
    #[error("the certificate could not be made: {0}; report this")]
    Made(#[from] rcgen::Error),
}

/// A certificate and its key, both in PEM.
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
}

/// An authority, able to vouch.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    expires: i64,
}

impl Authority {
    /// Makes a new one for `valid` from now on.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn create(valid: Duration) -> Result<(Self, Pair), CaError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "Starling cluster CA");
        // It vouches for nodes, not for other authorities.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let expires = set_validity(&mut params, valid);
        let certificate = params.self_signed(&key)?.pem();
        let pair = Pair {
            certificate: certificate.clone(),
            key: key.serialize_pem(),
            expires,
        };
        Ok((Self::new(&certificate, key, expires)?, pair))
    }

    /// Takes one up again from what [`create`](Self::create) made.
    ///
    /// # Errors
    /// When the two do not make an authority.
    pub fn open(certificate: &str, key: &str) -> Result<Self, CaError> {
        let not_one = |error: &dyn std::fmt::Display| CaError::Authority(error.to_string());
        let key = KeyPair::from_pem(key).map_err(|error| not_one(&error))?;
        let (_, pem) = x509_parser::pem::parse_x509_pem(certificate.as_bytes()).map_err(|error| not_one(&error))?;
        let parsed = pem.parse_x509().map_err(|error| not_one(&error))?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(CaError::Authority("the key is of another certificate".to_owned()));
        }
        let expires = parsed.validity().not_after.timestamp();
        Self::new(certificate, key, expires)
    }

    fn new(certificate: &str, key: KeyPair, expires: i64) -> Result<Self, CaError> {
        let issuer = Issuer::from_ca_cert_pem(certificate, key);
        Ok(Self {
            issuer: issuer.map_err(|error| CaError::Authority(error.to_string()))?,
            certificate: certificate.to_owned(),
            expires,
        })
    }

    /// Its certificate, which every node has to know.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Vouches for a node. `also` are names and addresses that stand in its certificate besides, for tools that look at
    /// them; links do not.
    ///
    /// # Errors
    /// When a name cannot stand there, or the authority ends before.
    pub fn issue(&self, node: &NodeName, also: &[String], valid: Duration) -> Result<Pair, CaError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, node.as_str());
        params.subject_alt_names = vec![dns(node.as_str())?, role(node)?];
        for name in also {
            params.subject_alt_names.push(match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => dns(name)?,
            });
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // A node dials and is dialled.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let expires = set_validity(&mut params, valid);
        if expires > self.expires {
            return Err(CaError::Outlives);
        }
        Ok(Pair {
            certificate: params.signed_by(&key, &self.issuer)?.pem(),
            key: key.serialize_pem(),
            expires,
        })
    }
}

/// The node that a certificate is for, if it is for one.
#[must_use]
pub fn node_of(certificate: &CertificateDer<'_>) -> Option<NodeName> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    let mut roles = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => uri.strip_prefix(ROLE),
        _ => None,
    });
    match (roles.next(), roles.next()) {
        (Some(name), None) => NodeName::parse(name).ok(),
        _ => None,
    }
}

/// When a certificate ends, in seconds since 1970.
#[must_use]
pub fn expires(certificate: &CertificateDer<'_>) -> Option<i64> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(parsed.validity().not_after.timestamp())
}

/// The day of an instant in seconds since 1970, as `2027-11-25`.
#[must_use]
pub fn day(seconds: i64) -> String {
    let since_1970 = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    (rcgen::date_time_ymd(1970, 1, 1) + since_1970).date().to_string()
}

fn dns(name: &str) -> Result<SanType, CaError> {
    let refused = || CaError::AlternativeName(name.to_owned());
    let part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if name.len() > DNS_BYTES_MAX || name.starts_with('-') || !name.split('.').all(part) {
        return Err(refused());
    }
    Ok(SanType::DnsName(name.try_into().map_err(|_| refused())?))
}

fn role(node: &NodeName) -> Result<SanType, CaError> {
    Ok(SanType::URI(format!("{ROLE}{node}").try_into()?))
}

/// Sets from when until when it is good, and says until when.
fn set_validity(params: &mut CertificateParams, valid: Duration) -> i64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    // Certificates count whole seconds.
    let now = Duration::from_secs(now.as_secs());
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(HEAD_START);
    params.not_after = epoch + (now + valid);
    params.not_after.unix_timestamp()
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    fn name() -> NodeName {
        NodeName::parse("starling-0.starling").expect("a name")
    }

    fn der(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
    }

    #[test]
    fn a_node_certificate_names_its_node_and_when_it_ends() {
        let (authority, own) = Authority::create(AUTHORITY_TIME).expect("made");
        let also = ["10.0.0.1".to_owned(), "Other.example".to_owned()];
        let pair = authority.issue(&name(), &also, NODE_TIME).expect("issued");
        let der = der(&pair.certificate);
        assert_eq!(node_of(&der), Some(name()));
        assert_eq!(expires(&der), Some(pair.expires));
        assert_eq!(
            (day(0), day(1_795_622_399)),
            ("1970-01-01".to_owned(), "2026-11-25".to_owned())
        );
        let year = i64::try_from(NODE_TIME.as_secs()).expect("fits");
        assert!(own.expires - pair.expires >= 8 * year);
        assert_eq!(node_of(&self::der(&own.certificate)), None, "an authority is no node");
    }

    #[test]
    fn an_authority_is_taken_up_again_with_its_own_key_only() {
        let (_, one) = Authority::create(AUTHORITY_TIME).expect("made");
        let (_, other) = Authority::create(AUTHORITY_TIME).expect("made");
        let again = Authority::open(&one.certificate, &one.key).expect("a pair");
        assert!(again.issue(&name(), &[], NODE_TIME).is_ok());
        for (certificate, key) in [
            (&one.certificate, &other.key),
            (&one.key, &one.key),
            (&one.certificate, &String::new()),
        ] {
            assert!(matches!(Authority::open(certificate, key), Err(CaError::Authority(_))));
        }
    }

    #[test]
    fn what_cannot_be_vouched_for_is_refused() {
        let (authority, _) = Authority::create(NODE_TIME).expect("made");
        let longer = authority.issue(&name(), &[], NODE_TIME + Duration::from_secs(60));
        assert!(matches!(longer, Err(CaError::Outlives)));
        for bad in ["", "a b", "*.example.org", "ä", "a/b", "-"] {
            let refused = authority.issue(&name(), &[bad.to_owned()], Duration::from_secs(60));
            assert!(matches!(refused, Err(CaError::AlternativeName(_))), "{bad:?}");
        }
    }
}
