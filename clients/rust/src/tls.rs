//! Whom the client trusts.
//!
//! The crypto provider is named everywhere: a client never depends on what the process installed as its default.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore, version};
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use tokio::sync::OnceCell;
use wtransport::tls::Sha256Digest;
use wtransport::tls::client::ServerHashVerification;

/// The protocol that HTTP/3, and so WebTransport, is negotiated by.
const ALPN_H3: &[u8] = b"h3";

/// Why no one can be trusted.
#[derive(Debug, Error)]
pub(crate) enum TlsError {
    #[error("no certificate authority is trusted ({causes}); install the system's CA certificates or add a root")]
    NoRoots { causes: String },
    #[error("a root certificate cannot be used: {0}")]
    BadRoot(rustls::Error),
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
    #[error("the system's certificates could not be read: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// The certificate authorities of a client, read when they are first needed: a client of a plain `http` URL never
/// touches the disk.
#[derive(Debug)]
pub(crate) struct Tls {
    extra: Vec<CertificateDer<'static>>,
    roots: OnceCell<Arc<RootCertStore>>,
    config: OnceCell<Arc<ClientConfig>>,
}

/// How the certificate of a WebTransport server is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// By the certificate authorities.
    Roots,
    /// By these SHA-256 hashes, which came from a source that is trusted.
    Hashes(Vec<[u8; 32]>),
}

impl Tls {
    /// Trusts the system's certificate authorities and these.
    pub(crate) fn new(extra: Vec<CertificateDer<'static>>) -> Self {
        Self {
            extra,
            roots: OnceCell::new(),
            config: OnceCell::new(),
        }
    }

    /// For TCP.
    pub(crate) async fn config(&self) -> Result<&Arc<ClientConfig>, TlsError> {
        self.config
            .get_or_try_init(|| async {
                let config = ClientConfig::builder_with_provider(provider())
                    .with_safe_default_protocol_versions()?
                    .with_root_certificates(Arc::clone(self.roots().await?))
                    .with_no_client_auth();
                Ok(Arc::new(config))
            })
            .await
    }

    /// For QUIC.
    pub(crate) async fn quic_config(&self, trust: &Trust) -> Result<ClientConfig, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&version::TLS13])?;
        let mut config = match trust {
            Trust::Roots => builder
                .with_root_certificates(Arc::clone(self.roots().await?))
                .with_no_client_auth(),
            Trust::Hashes(hashes) => {
                let verifier = ServerHashVerification::new(hashes.iter().copied().map(Sha256Digest::new));
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(verifier))
                    .with_no_client_auth()
            }
        };
        config.alpn_protocols = vec![ALPN_H3.to_vec()];
        Ok(config)
    }

    async fn roots(&self) -> Result<&Arc<RootCertStore>, TlsError> {
        self.roots
            .get_or_try_init(|| async {
                let system = match SYSTEM.get_or_try_init(of_the_system).await {
                    Err(TlsError::NoRoots { .. }) if !self.extra.is_empty() => Arc::new(RootCertStore::empty()),
                    system => Arc::clone(system?),
                };
                if self.extra.is_empty() {
                    return Ok(system);
                }
                let mut roots = Arc::unwrap_or_clone(system);
                for root in &self.extra {
                    roots.add(root.clone()).map_err(TlsError::BadRoot)?;
                }
                Ok(Arc::new(roots))
            })
            .await
    }
}

/// The certificate authorities of the system: read once, for a service may have thousands of clients.
static SYSTEM: OnceCell<Arc<RootCertStore>> = OnceCell::const_new();

/// Reads hundreds of files.
async fn of_the_system() -> Result<Arc<RootCertStore>, TlsError> {
    let native = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(native.certs);
    if roots.is_empty() {
        let causes: Vec<_> = native.errors.iter().map(ToString::to_string).collect();
        return Err(TlsError::NoRoots {
            causes: causes.join("; "),
        });
    }
    Ok(Arc::new(roots))
}

/// 128 bits that nobody can guess, or `None` if the operating system gives none.
pub(crate) fn secret() -> Option<[u8; 16]> {
    let mut bits = [0; 16];
    provider().secure_random.fill(&mut bits).ok()?;
    Some(bits)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn clients_of_a_process_read_what_the_system_trusts_once() {
        let (one, other) = (Tls::new(Vec::new()), Tls::new(Vec::new()));
        match (one.roots().await, other.roots().await) {
            (Ok(one), Ok(other)) => assert!(Arc::ptr_eq(one, other)),
            // This machine trusts nobody.
            (Err(TlsError::NoRoots { .. }), Err(TlsError::NoRoots { .. })) => {}
            (one, other) => panic!("{one:?}, {other:?}"),
        }
    }
}
