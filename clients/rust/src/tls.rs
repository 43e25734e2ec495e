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
                // It reads hundreds of files.
                let native = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await?;
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(native.certs);
                for root in &self.extra {
                    roots.add(root.clone()).map_err(TlsError::BadRoot)?;
                }
                if roots.is_empty() {
                    let causes: Vec<_> = native.errors.iter().map(ToString::to_string).collect();
                    return Err(TlsError::NoRoots {
                        causes: causes.join("; "),
                    });
                }
                Ok(Arc::new(roots))
            })
            .await
    }
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
