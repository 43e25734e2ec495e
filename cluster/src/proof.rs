//! A node's word, as whoever has its certificate signs it and whoever trusts its authority checks it.
//!
//! What is asked of a certificate is what a link asks: an authority of ours, in time, and a node by its role. So nobody is
//! believed who could not be linked.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::SigningKey;
use rustls::{Error, SignatureScheme};
use starling_core::id::NodeName;
use webpki::EndEntityCert;

use crate::ca;

/// Bytes of a node's certificate and those between it and the authority. A node's own of `starling cluster ca` has 500; an
/// authority with RSA keys of 4,096 bits makes some 2,000 of each, so this is one with two between.
pub(crate) const CHAIN_BYTES_MAX: usize = 6 * 1024;

/// Certificates in it.
pub(crate) const CHAIN_MAX: usize = 4;

/// Longest signature: RSA with 4,096 bits.
pub(crate) const SIGNATURE_BYTES_MAX: usize = 512;

/// What a node signs with, and what it believes.
pub(crate) struct Proof {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
    verifier: Arc<dyn ClientCertVerifier>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Bytes that vouch for others, and how they were made.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) scheme: u16,
    pub(crate) bytes: Vec<u8>,
}

/// Why something was not said by a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The certificate is of no authority of ours, out of time, or another node's.
    Certificate,
    /// It did not sign this.
    Signature,
}

impl Proof {
    pub(crate) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        verifier: Arc<dyn ClientCertVerifier>,
        provider: &CryptoProvider,
    ) -> Result<Self, Error> {
        Ok(Self {
            chain,
            key: provider.key_provider.load_private_key(key)?,
            verifier,
            algorithms: provider.signature_verification_algorithms,
        })
    }

    /// The node's certificate, and those between it and the authority.
    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Signs with the node's key.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Signature, Error> {
        let unusable = || Error::General("its key can sign nothing that the others could check".to_owned());
        let schemes = self.algorithms.supported_schemes();
        let signer = self.key.choose_scheme(&schemes).ok_or_else(unusable)?;
        let bytes = signer.sign(message)?;
        if bytes.len() > SIGNATURE_BYTES_MAX {
            return Err(unusable());
        }
        Ok(Signature {
            scheme: signer.scheme().into(),
            bytes,
        })
    }

    /// Whether the node of this name signed the message.
    pub(crate) fn check(
        &self,
        name: &NodeName,
        chain: &[CertificateDer<'_>],
        message: &[u8],
        signature: &Signature,
        now: UnixTime,
    ) -> Result<(), Doubt> {
        let (leaf, between) = chain.split_first().ok_or(Doubt::Certificate)?;
        if ca::node_of(leaf).as_ref() != Some(name) {
            return Err(Doubt::Certificate);
        }
        let trusted = self.verifier.verify_client_cert(leaf, between, now);
        trusted.map_err(|_| Doubt::Certificate)?;
        let certificate = EndEntityCert::try_from(leaf).map_err(|_| Doubt::Certificate)?;
        let scheme = SignatureScheme::from(signature.scheme);
        // One scheme stands for several where it does not say which curve.
        let fitting = self.algorithms.mapping.iter().filter(|(one, _)| *one == scheme);
        let mut fitting = fitting.flat_map(|(_, algorithms)| *algorithms);
        let holds = fitting.any(|algorithm| {
            certificate
                .verify_signature(*algorithm, message, &signature.bytes)
                .is_ok()
        });
        holds.then_some(()).ok_or(Doubt::Signature)
    }
}

#[cfg(test)]
pub(crate) mod tests;
