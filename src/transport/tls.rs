//! Certificates: loaded, or made; and their hashes for browsers.
//!
//! With `client.tls` set, TCP and QUIC serve that chain. Without it TCP is plain (loopback only) and
//! QUIC, which always encrypts, serves a self-signed certificate that clients pin by its hash
//! (`serverCertificateHashes`): ECDSA P-256, valid for less than 14 days, as browsers demand.
//!
//! A self-signed certificate serves for [`SERVICE_TIME`], and the next one is made and its hash
//! published that long before it is needed, so that a client that asked for the hashes at any time
//! during that connects with one of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;
use tokio::time::Instant;
use wtransport::tls::Sha256DigestFmt;

use crate::config::Client;

/// How long a self-signed certificate serves before the next one takes its place.
pub const SERVICE_TIME: Duration = Duration::from_secs(5 * 24 * 3600);

/// How long a self-signed certificate is valid: made one service time before it serves, it must
/// outlive its own, and browsers take no more than 14 days.
const VALIDITY_DAYS: u32 = 13;

/// Why a certificate cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file could not be read as PEM.
    #[error("cannot read {what} from {path}: {source}; check client.tls and who may read the file")]
    File {
        /// The chain or the key.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: rustls::pki_types::pem::Error,
    },
    /// Chain and key do not make a server certificate.
    #[error("the certificate cannot be used: {0}; check that client.tls.key belongs to client.tls.certificate")]
    Unusable(#[from] rustls::Error),
    /// A name the node listens under cannot stand in a certificate.
    #[error("a name of this node cannot stand in a certificate: {0}; check client.listen and client.public_url")]
    Name(String),
}

/// What the client port proves itself with.
#[derive(Clone)]
pub struct Certificate {
    resolver: Arc<Resolver>,
    made: Option<Arc<Made>>,
}

/// Self-signed certificates: the one that serves and the one that will.
struct Made {
    names: Vec<String>,
    next: ArcSwap<SelfSigned>,
    hashes: ArcSwap<[String; 2]>,
}

struct SelfSigned {
    key: Arc<CertifiedKey>,
    hash: String,
}

#[derive(Debug)]
struct Resolver(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Certificate {
    /// Loads the configured certificate, or makes the first two of its own.
    ///
    /// # Errors
    /// [`TlsError`] says what is wrong with which file.
    pub fn of(config: &Client) -> Result<Self, TlsError> {
        if let Some((chain, key)) = config.tls.files() {
            let resolver = Arc::new(Resolver(ArcSwap::new(load(chain, key)?)));
            return Ok(Self { resolver, made: None });
        }
        let mut names: Vec<_> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
        names.extend(config.listen.iter().map(|address| address.ip().to_string()));
        names.extend(
            url::Url::parse(&config.public_url)
                .ok()
                .and_then(|url| url.host_str().map(str::to_owned)),
        );
        names.sort();
        names.dedup();
        let (serving, next) = (self_signed(&names)?, self_signed(&names)?);
        let made = Made {
            hashes: ArcSwap::from_pointee([serving.hash.clone(), next.hash.clone()]),
            next: ArcSwap::from_pointee(next),
            names,
        };
        Ok(Self {
            resolver: Arc::new(Resolver(ArcSwap::new(serving.key))),
            made: Some(Arc::new(made)),
        })
    }

    /// Hashes a client may pin, SHA-256 in hexadecimal; empty when a public authority vouches.
    #[must_use]
    pub fn hashes(&self) -> Vec<String> {
        let made = self.made.as_ref();
        made.map_or_else(Vec::new, |made| made.hashes.load().to_vec())
    }

    /// Whether TCP is encrypted: a self-signed certificate is for QUIC only.
    #[must_use]
    pub const fn is_configured(&self) -> bool {
        self.made.is_none()
    }

    /// When the certificate that serves ends, in seconds since 1970: for alerts. A self-signed one is
    /// replaced before.
    #[must_use]
    pub fn expires(&self) -> f64 {
        let serving = self.resolver.0.load();
        serving
            .cert
            .first()
            .and_then(|der| not_after(der))
            .map_or(0.0, |at| at as f64)
    }

    /// The settings of one listener.
    #[must_use]
    pub fn server_config(&self, alpn: &[u8]) -> Arc<rustls::ServerConfig> {
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3 is among the versions of the provider")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.resolver) as _);
        config.alpn_protocols = vec![alpn.to_vec()];
        Arc::new(config)
    }

    /// Replaces self-signed certificates in time, for as long as the node runs.
    pub async fn rotate(self) {
        let Some(made) = &self.made else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep_until(Instant::now() + SERVICE_TIME).await;
            match self_signed(&made.names) {
                Ok(after) => self.advance(made, after),
                Err(error) => tracing::error!(%error, "no new certificate; WebTransport ends when this one does"),
            }
        }
    }

    fn advance(&self, made: &Made, after: SelfSigned) {
        let serving = made.next.load_full();
        made.hashes.store(Arc::new([serving.hash.clone(), after.hash.clone()]));
        self.resolver.0.store(Arc::clone(&serving.key));
        made.next.store(Arc::new(after));
        tracing::info!(hash = serving.hash, "the next self-signed certificate serves");
    }
}

fn load(chain: &Path, key: &Path) -> Result<Arc<CertifiedKey>, TlsError> {
    let file = |what, path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::File { what, path, source }
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(chain)
        .map_err(file("the certificate chain", chain))?
        .collect();
    let certificates = certificates.map_err(file("the certificate chain", chain))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(file("the private key", key))?;
    Ok(Arc::new(CertifiedKey::from_der(
        certificates,
        key,
        &default_provider(),
    )?))
}

fn self_signed(names: &[String]) -> Result<SelfSigned, TlsError> {
    let identity = wtransport::Identity::self_signed_builder()
        .subject_alt_names(names)
        .from_now_utc()
        .validity_days(VALIDITY_DAYS)
        .build()
        .map_err(|error| TlsError::Name(error.to_string()))?;
    let certificate = &identity.certificate_chain().as_slice()[0];
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(identity.private_key().secret_der().to_vec());
    Ok(SelfSigned {
        key: Arc::new(CertifiedKey::from_der(chain, key.into(), &default_provider())?),
        hash: certificate.hash().fmt(Sha256DigestFmt::DottedHex).replace(':', ""),
    })
}

/// The end of a certificate's validity, in seconds since 1970.
fn not_after(der: &CertificateDer<'_>) -> Option<i64> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn made() -> Certificate {
        Certificate::of(&Config::default().client).expect("nothing to load")
    }

    #[test]
    fn a_self_signed_certificate_is_one_that_browsers_take_by_hash() {
        let certificate = made();
        let serving = certificate.resolver.0.load();
        let (_, parsed) = x509_parser::parse_x509_certificate(&serving.cert[0]).expect("a certificate");
        let days = (parsed.validity().not_after.timestamp() - parsed.validity().not_before.timestamp()) / 86_400;
        assert!((10..14).contains(&days), "valid for {days} days");
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &serving.cert[0]);
        let hash: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(certificate.hashes()[0], hash);
    }

    #[test]
    fn the_hash_of_the_next_certificate_is_published_before_it_serves() {
        let certificate = made();
        let published = certificate.hashes();
        let made = certificate.made.clone().expect("made, not loaded");
        certificate.advance(&made, self_signed(&made.names).expect("names are valid"));
        let now = certificate.hashes();
        assert_eq!(now[0], published[1]);
        assert!(!published.contains(&now[1]));
    }
}
