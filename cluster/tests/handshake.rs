//! Who is not linked to, and why both ends know.

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use starling_cluster::ca::{Authority, NODE_TIME};
use starling_cluster::link::{Agreement, Credentials, Event, Refusal, Settings};
use support::linked::{self, Node, agreement, at, credentials, join, new_authority, start};
use support::{eventually, name, node, soon};

fn start_with(text: &str, agreement: Agreement) -> Node {
    linked::start_with(text, 1, agreement, Settings::default(), linked::authority())
}

#[tokio::test]
async fn nodes_of_different_minds_refuse_each_other_with_the_reason() {
    type Change = fn(&mut Agreement);
    let cases: [(Change, Refusal); 4] = [
        (|it| it.cluster = "staging".to_owned(), Refusal::Cluster),
        (|it| it.slots = 512, Refusal::Slots),
        (|it| it.hash_seed = 1, Refusal::HashSeed),
        (|it| it.wire = (2, 3), Refusal::Wire),
    ];
    for (change, refusal) in cases {
        let mut other = agreement();
        change(&mut other);
        let (mut a, b) = (start("a", 1), start_with("b", other));
        a.keep(&b.id, b.address);
        b.keep(&a.id, a.address);
        a.until(&Event::Refused(b.id.clone(), refusal)).await;
        // It goes on trying: the other may be the one that is mended.
        a.until(&Event::Refused(b.id.clone(), refusal)).await;
        assert!(b.counts.of(&format!("handshake {}", refusal.name())) > 0);
        assert_eq!((a.counts.of("links up"), b.counts.of("links up")), (0, 0));
    }
}

#[tokio::test]
async fn another_authority_is_not_trusted_from_either_end() {
    let other: Authority = new_authority();
    for stranger in ["a", "b"] {
        let of = |text: &str| if text == stranger { &other } else { linked::authority() };
        let start = |text| linked::start_with(text, 1, agreement(), Settings::default(), of(text));
        let (a, b) = (start("a"), start("b"));
        a.keep(&b.id, b.address);
        b.keep(&a.id, a.address);
        eventually("both know", || {
            a.counts.of("handshake untrusted") > 1 && b.counts.of("handshake untrusted") > 1
        })
        .await;
        assert_eq!((a.counts.of("links up"), b.counts.of("links up")), (0, 0));
    }
}

#[tokio::test]
async fn a_client_that_knows_the_way_but_has_no_certificate_is_not_let_in() {
    let b = start("b", 1);
    // A certificate of the right authority for something that is no node.
    let key = rcgen::KeyPair::generate().expect("made");
    let params = rcgen::CertificateParams::new(vec!["a".to_owned()]).expect("a name");
    let page = params.self_signed(&key).expect("made");
    let root = linked::authority().certificate().as_bytes();
    let taken = Credentials::from_pem(&name("a"), root, page.pem().as_bytes(), key.serialize_pem().as_bytes());
    assert!(taken.is_err_and(|error| error.to_string().contains("of no node")));
    // Garbage at the port opens nothing, and the port goes on.
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let mut dice = SmallRng::seed_from_u64(8_121);
    for _ in 0..500 {
        let mut garbage = vec![0; dice.random_range(1..2_000)];
        dice.fill_bytes(&mut garbage);
        stranger.send_to(&garbage, b.address).expect("loopback takes it");
    }
    eventually("it is counted", || {
        let strays = ["version", "unknown"].map(|reason| b.counts.of(&format!("stray {reason}")));
        // The socket's buffer holds that many, whenever it is read.
        strays.iter().all(|count| *count > 20)
    })
    .await;
    let (mut a, mut b) = (start("a", 1), b);
    join(&mut a, &mut b).await;
}

/// Connects with the certificate of a node, and says nothing.
async fn connect_silently(
    text: &str,
    to: SocketAddr,
    called: &str,
) -> Result<quinn::Connection, quinn::ConnectionError> {
    let pair = linked::authority().issue(&name(text), &[], NODE_TIME).expect("issued");
    let pem = |text: &str| CertificateDer::from_pem_slice(text.as_bytes()).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(pem(linked::authority().certificate())).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("it speaks that")
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![pem(&pair.certificate)],
            PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("a key"),
        )
        .expect("a pair");
    tls.alpn_protocols = vec![b"starling-mesh/1".to_vec()];
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(tls).expect("TLS 1.3");
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let config = quinn::ClientConfig::new(Arc::new(tls));
    endpoint.connect_with(config, to, called).expect("a name").await
}

#[tokio::test]
async fn handshakes_that_stand_still_are_bounded_and_end() {
    let settings = Settings {
        handshakes_max: 2,
        ..Settings::default()
    };
    let mut b = linked::start_with("b", 1, agreement(), settings, linked::authority());
    let mut held = Vec::new();
    for at in ["a0", "a1"] {
        held.push(connect_silently(at, b.address, "b").await.expect("there is room"));
    }
    let refused = connect_silently("a2", b.address, "b").await;
    assert!(
        matches!(refused, Err(quinn::ConnectionError::ConnectionClosed(_))),
        "{refused:?}"
    );
    assert_eq!(b.counts.of("limit cluster.handshakes"), 1);
    // They have five seconds; then a node gets in.
    let mut a = start("a", 1);
    join(&mut a, &mut b).await;
    assert_eq!(b.counts.of("handshake unreachable"), 2);
}

#[tokio::test]
async fn a_hello_that_cannot_be_read_is_refused_with_its_code() {
    let b = start("b", 1);
    // Three bytes that are no hello, and a length that is longer than one may be.
    for (at, hello) in [&[3, 0, 255, 255, 255][..], &[255, 255]].into_iter().enumerate() {
        let connection = connect_silently("a", b.address, "b").await.expect("it is trusted");
        let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
        send.write_all(hello).await.expect("it is taken");
        let answer = soon("an answer", receive.read_to_end(64)).await.expect("it ends");
        // A length, "refused", and the number of `malformed`: these bytes stay as they are.
        assert_eq!(answer, [2, 0, 1, 11]);
        assert_eq!(b.counts.of("handshake malformed"), at as u64 + 1);
    }
    assert!(b.links.all().is_empty());
}

#[tokio::test]
async fn whoever_answers_at_an_address_must_be_who_was_wanted() {
    let (a, c) = (start("a", 1), start("c", 1));
    // c stands where b is looked for: its certificate says so.
    a.keep(&node("b", 1), c.address);
    eventually("a does not trust it", || a.counts.of("handshake untrusted") > 1).await;
    assert_eq!((a.counts.of("links up"), c.counts.of("links up")), (0, 0));
}

#[tokio::test]
async fn another_generation_than_the_one_that_was_wanted_is_refused() {
    let (mut a, b) = (start("a", 1), start("b", 2));
    a.keep(&node("b", 1), b.address);
    a.until(&Event::Refused(node("b", 1), Refusal::WrongGeneration)).await;
    // Gossip tells, and then it is the right one.
    a.keep(&b.id, b.address);
    a.until(&Event::Up(b.id.clone())).await;
}

#[tokio::test]
async fn of_two_nodes_with_one_name_the_older_is_refused() {
    let mut b = start("b", 1);
    let (mut older, mut younger) = (start("a", 1), start("a", 2));
    join(&mut older, &mut b).await;
    younger.keep(&b.id, b.address);
    younger.until(&Event::Up(b.id.clone())).await;
    b.until(&Event::Up(younger.id.clone())).await;
    older.until(&Event::Refused(b.id.clone(), Refusal::OldGeneration)).await;
    assert_eq!(b.links.all().len(), 1);
    assert_eq!(
        b.links.of(&name("a")).map(|link| link.node().clone()),
        Some(younger.id.clone())
    );
}

#[tokio::test]
async fn certificates_are_changed_while_links_stand() {
    let next = new_authority();
    let both = |text: &str, authority: &Authority| {
        // While nodes move, they trust both authorities.
        let pair = authority.issue(&name(text), &[], NODE_TIME).expect("issued");
        let roots = [linked::authority().certificate(), next.certificate()].concat();
        Credentials::from_pem(
            &name(text),
            roots.as_bytes(),
            pair.certificate.as_bytes(),
            pair.key.as_bytes(),
        )
        .expect("a pair")
    };
    let (mut a, mut b) = (start("a", 1), start("b", 1));
    join(&mut a, &mut b).await;
    for (node, text) in [(&a, "a"), (&b, "b")] {
        node.links.renew(both(text, linked::authority()));
    }
    for (node, text) in [(&a, "a"), (&b, "b")] {
        node.links.renew(both(text, &next));
    }
    for (node, text) in [(&a, "a"), (&b, "b")] {
        node.links.renew(credentials(&next, text));
    }
    assert!(a.came().is_empty(), "the link that stood still stands");
    // A node that has only the new one gets in, and one that has only the old one does not.
    let c = linked::start_with("c", 1, agreement(), Settings::default(), &next);
    c.keep(&node("d", 1), at(a.address).address);
    a.keep(&c.id, c.address);
    a.until(&Event::Up(c.id.clone())).await;
    let old = start("e", 1);
    a.keep(&old.id, old.address);
    eventually("the old one is not trusted", || a.counts.of("handshake untrusted") > 0).await;
}
