//! What a node proves itself with to others, and what it asks of them.
//!
//! TLS 1.3 with a certificate on both ends, each from the cluster's authority. Sessions are not resumed: a certificate
//! that was taken back would live on in them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::{digest, hmac};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use starling_core::id::NodeName;
use thiserror::Error;

use crate::ca;
use crate::proof::{CHAIN_BYTES_MAX, CHAIN_MAX, Proof};

/// What is spoken: links of this kind, and nothing else.
pub(super) const ALPN: &[u8] = b"starling-mesh/1";

/// Why a node cannot prove itself.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// A file could not be read.
    #[error("cannot read {path}: {source}; check the files of [cluster] and who may read them")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A text is not what it should be.
    #[error("{what} cannot be read as PEM: {source}")]
    Pem {
        /// The authority, the certificate or the key.
        what: &'static str,
        /// Why not.
        source: rustls::pki_types::pem::Error,
    },
    /// There is nothing in it.
    #[error("{0} holds no certificate")]
    Empty(&'static str),
    /// No other node would be told of it.
    #[error(
        "the certificate and those between it and the authority are {certificates} with {bytes} bytes, and may be {CHAIN_MAX} with {CHAIN_BYTES_MAX}: leave out what is of another node or an authority itself, or use ECDSA keys"
    )]
    TooLong {
        /// How many they are.
        certificates: usize,
        /// How long, together.
        bytes: usize,
    },
    /// They do not go together.
    #[error("the certificate cannot be used: {0}; are the key and the authority its own?")]
    Unusable(String),
    /// The certificate is of another node, or of none.
    #[error("the certificate is {is}, and this node is \"{me}\"; make one with: starling cluster ca issue {me}")]
    Name {
        /// What it is for.
        is: String,
        /// Who this node is.
        me: NodeName,
    },
}

/// A node's certificate and the authorities that it trusts.
#[derive(Clone)]
pub struct Credentials {
    pub(super) server: Arc<QuicServerConfig>,
    pub(super) client: Arc<QuicClientConfig>,
    /// For QUIC's stateless resets: the same after a restart, so that a peer learns at once that its connection is gone.
    pub(super) reset: Arc<hmac::Key>,
    /// For what the node says in gossip.
    pub(crate) proof: Arc<Proof>,
    expires: i64,
}

impl Credentials {
    /// Reads them from files.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn read(me: &NodeName, authority: &Path, certificate: &Path, key: &Path) -> Result<Self, CredentialsError> {
        let read = |path: &Path| {
            let path = path.to_owned();
            std::fs::read(&path).map_err(|source| CredentialsError::File { path, source })
        };
        Self::from_pem(me, &read(authority)?, &read(certificate)?, &read(key)?)
    }

    /// Takes them from PEM. `authority` may hold several certificates: while nodes move from one authority to another, all
    /// trust both.
    ///
    /// # Errors
    /// When they cannot be read, do not go together, or are another node's.
    pub fn from_pem(me: &NodeName, authority: &[u8], certificate: &[u8], key: &[u8]) -> Result<Self, CredentialsError> {
        let unusable = |error: &dyn std::fmt::Display| CredentialsError::Unusable(error.to_string());
        let mut roots = RootCertStore::empty();
        for root in certificates("the authority", authority)? {
            roots.add(root).map_err(|error| unusable(&error))?;
        }
        let chain = certificates("the certificate", certificate)?;
        let bytes = chain.iter().map(|certificate| certificate.len()).sum();
        if chain.len() > CHAIN_MAX || bytes > CHAIN_BYTES_MAX {
            let certificates = chain.len();
            return Err(CredentialsError::TooLong { certificates, bytes });
        }
        let what = "the private key";
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|source| CredentialsError::Pem { what, source })?;
        let purpose = [&b"starling link reset"[..], key.secret_der()].concat();
        let reset = hmac::Key::new(hmac::HMAC_SHA256, digest::digest(&digest::SHA256, &purpose).as_ref());
        let named = ca::node_of(&chain[0]);
        if named.as_ref() != Some(me) {
            let is = named.map_or_else(|| "of no node".to_owned(), |name| format!("of \"{name}\""));
            return Err(CredentialsError::Name { is, me: me.clone() });
        }
        let expires = ca::expires(&chain[0]).ok_or(CredentialsError::Empty("the certificate"))?;
        let (roots, provider) = (Arc::new(roots), Arc::new(default_provider()));
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .map_err(|error| unusable(&error))?;
        let proof = Proof::new(chain.clone(), key.clone_key(), verifier.clone(), &provider);
        let proof = proof.map_err(|error| unusable(&error))?;
        // What cannot be signed with now could not be later.
        proof.sign(b"").map_err(|error| unusable(&error))?;
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| unusable(&error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|error| unusable(&error))?;
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| unusable(&error))?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(|error| unusable(&error))?;
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.resumption = Resumption::disabled();
        Ok(Self {
            server: Arc::new(QuicServerConfig::try_from(server).map_err(|error| unusable(&error))?),
            client: Arc::new(QuicClientConfig::try_from(client).map_err(|error| unusable(&error))?),
            reset: Arc::new(reset),
            proof: Arc::new(proof),
            expires,
        })
    }

    /// When the certificate ends, in seconds since 1970: for alerts.
    #[must_use]
    pub const fn expires(&self) -> i64 {
        self.expires
    }
}

/// The node that the other end of a connection has a certificate for.
pub(super) fn peer_of(connection: &quinn::Connection) -> Option<NodeName> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    ca::node_of(chain.first()?)
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|source| CredentialsError::Pem { what, source })?;
    if read.is_empty() {
        return Err(CredentialsError::Empty(what));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ca::{AUTHORITY_TIME, Authority, NODE_TIME};

    #[test]
    fn only_a_certificate_of_this_node_with_its_key_will_do() {
        let name = |text: &str| NodeName::parse(text).expect("a name");
        let (authority, root) = Authority::create(AUTHORITY_TIME).expect("made");
        let (a, b) = (
            authority.issue(&name("a"), &[], NODE_TIME).expect("issued"),
            authority.issue(&name("b"), &[], NODE_TIME).expect("issued"),
        );
        let take = |me: &str, root: &str, certificate: &str, key: &str| {
            let taken = Credentials::from_pem(&name(me), root.as_bytes(), certificate.as_bytes(), key.as_bytes());
            taken
                .map(|credentials| credentials.expires())
                .map_err(|error| error.to_string())
        };
        assert_eq!(take("a", &root.certificate, &a.certificate, &a.key), Ok(a.expires));
        for (case, told) in [
            (
                take("b", &root.certificate, &a.certificate, &a.key),
                "starling cluster ca issue b",
            ),
            (take("a", &root.certificate, &root.certificate, &root.key), "of no node"),
            (take("a", &root.certificate, &a.certificate, &b.key), "cannot be used"),
            (take("a", "", &a.certificate, &a.key), "holds no certificate"),
            (take("a", &root.certificate, &a.certificate, ""), "private key"),
        ] {
            let error = case.expect_err("it is refused");
            assert!(error.contains(told), "{error}");
        }
    }
}
