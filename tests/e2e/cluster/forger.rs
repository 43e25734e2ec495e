//! Somebody who has the gossip key, and knows how nodes seal and what they say, but has no certificate: it writes datagrams byte
//! by byte, as no node would.

use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// A start of a node, and where it is said to gossip.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) name: String,
    pub(super) generation: u64,
    pub(super) gossip: SocketAddr,
}

/// A message of chitchat that passes on what processes say.
pub(super) struct Ack(Vec<u8>);

/// What a datagram is sealed under: a start of a name, and the sender that it is said to be.
pub(super) struct Seal {
    key: LessSafeKey,
    header: Vec<u8>,
    counter: u64,
    inner: Vec<u8>,
}

/// What is said of a process by somebody else: by its certificate, which is no secret, and without its key.
pub(super) fn statement(pem: &str, facts: &str) -> String {
    let chain = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let (chain, signature) = (BASE64.encode(chain), BASE64.encode([7; 70]));
    format!(
        "{facts}sender {}\nchain {chain}\nsignature 0403 {signature}\n",
        "0f".repeat(16)
    )
}

impl Ack {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Says this of a process, as the statement of this number.
    pub(super) fn says(mut self, of: &Process, number: u64, statement: &str) -> Self {
        self.begin(of);
        self.key("says", statement, number);
        self
    }

    /// Sets a key of a process that no node sets.
    pub(super) fn sets(mut self, of: &Process, key: &str, value: &str) -> Self {
        self.begin(of);
        self.key(key, value, u64::MAX);
        self
    }

    /// What chitchat asserts on: it is told a number, and then that the newest is less.
    pub(super) fn steps_back(mut self, of: &Process, statement: &str) -> Self {
        self.begin(of);
        self.key("says", statement, u64::MAX);
        self.0.push(2);
        self.0.extend(1_u64.to_le_bytes());
        self
    }

    fn begin(&mut self, of: &Process) {
        self.0.push(0);
        process(&mut self.0, of);
        self.0.extend([0; 16]);
    }

    fn key(&mut self, key: &str, value: &str, version: u64) {
        self.0.push(1);
        text(&mut self.0, key);
        text(&mut self.0, value);
        self.0.extend(version.to_le_bytes());
        self.0.push(0);
    }

    pub(super) fn message(&self) -> Vec<u8> {
        let mut out = start(2);
        for block in self.0.chunks(16_384) {
            out.push(2);
            out.extend(short(block.len()));
            out.extend(block);
        }
        out.push(0);
        out
    }
}

/// A message that asks for all that is known, and claims to have heard of these.
pub(super) fn syn(cluster: &str, of: &[Process]) -> Vec<u8> {
    let mut out = start(0);
    out.extend(short(of.len()));
    for one in of {
        process(&mut out, one);
        out.extend([1_u64, 0, 0].map(u64::to_le_bytes).concat());
    }
    text(&mut out, cluster);
    out
}

impl Seal {
    /// For this start of a name, with a key in hexadecimal.
    pub(super) fn new(key: &[u8; 32], sender: [u8; 16], name: &str, generation: u64) -> Self {
        let derive = Salt::new(HKDF_SHA256, b"starling gossip").extract(key);
        let mut id = [0; 4];
        let okm = derive.expand(&[b"key id"], Length(4)).expect("four bytes");
        okm.fill(&mut id).expect("four bytes");
        let purpose: [&[u8]; 2] = [b"datagram", &sender];
        let key = derive.expand(&purpose, &AES_256_GCM).expect("a key");
        let mut inner = generation.to_le_bytes().to_vec();
        inner.push(u8::try_from(name.len()).expect("short"));
        inner.extend(name.as_bytes());
        Self {
            key: LessSafeKey::new(UnboundKey::from(key)),
            header: [&[1][..], &id, &sender].concat(),
            counter: 0,
            inner,
        }
    }

    /// A datagram with this message.
    pub(super) fn seal(&mut self, cluster: &str, message: &[u8]) -> Vec<u8> {
        self.counter += 1;
        let counter = self.counter.to_le_bytes();
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&counter);
        let header = [&self.header[..], &counter].concat();
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("after 1970");
        let now = u64::try_from(now.as_millis()).expect("small").to_le_bytes();
        let mut sealed = [&now, &self.inner[..], message].concat();
        let aad = Aad::from([&header, cluster.as_bytes()].concat());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealing = self.key.seal_in_place_append_tag(nonce, aad, &mut sealed);
        sealing.expect("it is short");
        [header, sealed].concat()
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn start(kind: u8) -> Vec<u8> {
    let mut out = 45_139_u16.to_le_bytes().to_vec();
    out.extend([0, kind]);
    out
}

fn process(out: &mut Vec<u8>, of: &Process) {
    text(out, &of.name);
    out.extend(of.generation.to_le_bytes());
    let IpAddr::V4(ip) = of.gossip.ip() else {
        panic!("{} is not where nodes of a test are", of.gossip);
    };
    out.push(4);
    out.extend(ip.octets());
    out.extend(of.gossip.port().to_le_bytes());
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(short(text.len()));
    out.extend(text.as_bytes());
}

fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("short").to_le_bytes()
}
