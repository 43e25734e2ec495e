//! What is signed by whom, and who is believed.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize, SanType,
};

use super::*;
use crate::ca::{AUTHORITY_TIME, Authority, NODE_TIME};
use crate::link::{Credentials, CredentialsError};

pub(crate) fn name(text: &str) -> NodeName {
    NodeName::parse(text).expect("a name")
}

pub(crate) fn authority() -> Authority {
    Authority::create(AUTHORITY_TIME).expect("made").0
}

/// What a node of this name has from an authority, and whom it trusts.
pub(crate) fn credentials(authority: &Authority, trusted: &[&Authority], node: &str) -> Credentials {
    let pair = authority.issue(&name(node), &[], NODE_TIME).expect("issued");
    let roots: String = trusted.iter().map(|one| one.certificate()).collect();
    let (certificate, key) = (pair.certificate.as_bytes(), pair.key.as_bytes());
    Credentials::from_pem(&name(node), roots.as_bytes(), certificate, key).expect("a pair")
}

pub(crate) fn now() -> UnixTime {
    UnixTime::now()
}

fn check(believer: &Proof, speaker: &Proof, node: &str, message: &[u8], at: UnixTime) -> Result<(), Doubt> {
    let signature = speaker.sign(b"it serves").expect("signed");
    believer.check(&name(node), speaker.chain(), message, &signature, at)
}

#[test]
fn a_node_is_believed_for_what_it_signed_in_its_name_and_in_time() {
    let (ours, theirs) = (authority(), authority());
    let a = credentials(&ours, &[&ours], "a").proof;
    let b = credentials(&ours, &[&ours, &theirs], "b").proof;
    let stranger = credentials(&theirs, &[&theirs], "a").proof;
    let said = b"it serves";
    assert_eq!(check(&b, &a, "a", said, now()), Ok(()));
    assert_eq!(check(&a, &a, "a", b"it leaves", now()), Err(Doubt::Signature));
    assert_eq!(check(&a, &b, "a", said, now()), Err(Doubt::Certificate), "another name");
    assert_eq!(check(&a, &stranger, "a", said, now()), Err(Doubt::Certificate));
    assert_eq!(check(&b, &stranger, "a", said, now()), Ok(()), "it trusts both");
    let later = UnixTime::since_unix_epoch(Duration::from_secs(now().as_secs()) + NODE_TIME + Duration::from_secs(60));
    assert_eq!(check(&b, &a, "a", said, later), Err(Doubt::Certificate));
    let earlier = UnixTime::since_unix_epoch(Duration::from_secs(now().as_secs() - 2 * 3600));
    assert_eq!(check(&b, &a, "a", said, earlier), Err(Doubt::Certificate));
    assert_eq!(
        a.check(&name("a"), &[], said, &a.sign(said).expect("signed"), now()),
        Err(Doubt::Certificate)
    );
}

#[test]
fn the_certificate_of_another_does_not_help_who_lacks_its_key() {
    let ours = authority();
    let (a, b) = (
        credentials(&ours, &[&ours], "a").proof,
        credentials(&ours, &[&ours], "b").proof,
    );
    let signature = b.sign(b"it leaves").expect("signed");
    let checked = b.check(&name("a"), a.chain(), b"it leaves", &signature, now());
    assert_eq!(checked, Err(Doubt::Signature));
    let mut scheme = a.sign(b"it serves").expect("signed");
    scheme.scheme = SignatureScheme::ED25519.into();
    let checked = b.check(&name("a"), a.chain(), b"it serves", &scheme, now());
    assert_eq!(checked, Err(Doubt::Signature));
}

/// A certificate for the node "a", or an authority's, with a key of its own.
fn made(node: bool, key: &KeyPair, issuer: Option<&Issuer<'_, &KeyPair>>) -> (CertificateParams, String) {
    let mut params = CertificateParams::default();
    if node {
        let uri = "starling:node:a".try_into().expect("ASCII");
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    } else {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    }
    let made = match issuer {
        Some(issuer) => params.signed_by(key, issuer),
        None => params.self_signed(key),
    };
    (params, made.expect("made").pem())
}

#[test]
fn every_kind_of_key_signs_and_so_does_one_with_authorities_between() {
    let root_key = KeyPair::generate().expect("a key");
    let (root, root_pem) = made(false, &root_key, None);
    let root = Issuer::new(root, &root_key);
    let rsa = || KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key");
    let mut keys: Vec<_> = [&PKCS_ED25519, &PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384]
        .into_iter()
        .map(|kind| KeyPair::generate_for(kind).expect("a key"))
        .collect();
    keys.push(rsa());
    let between_key = rsa();
    let (between, between_pem) = made(false, &between_key, Some(&root));
    let between = Issuer::new(between, &between_key);
    let take = |chain: &str, key: &KeyPair| {
        let key = key.serialize_pem();
        Credentials::from_pem(&name("a"), root_pem.as_bytes(), chain.as_bytes(), key.as_bytes())
    };
    for key in &keys {
        let direct = made(true, key, Some(&root)).1;
        let through = made(true, key, Some(&between)).1 + &between_pem;
        for chain in [direct, through] {
            let proof = take(&chain, key).expect("a pair").proof;
            assert_eq!(check(&proof, &proof, "a", b"it serves", now()), Ok(()), "{key:?}");
        }
    }
    let long = made(true, &keys[0], Some(&root)).1 + &between_pem.repeat(CHAIN_MAX);
    let refused = take(&long, &keys[0]).err();
    assert!(
        matches!(refused, Some(CredentialsError::TooLong { certificates, .. }) if certificates == CHAIN_MAX + 1),
        "{refused:?}"
    );
}
