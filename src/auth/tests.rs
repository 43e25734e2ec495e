//! Every way a token can be wrong, and those in which it is right.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use starling_core::access::Operation;
use starling_core::id::ChannelName;
use starling_protocol::limits::TOKEN_BYTES_MAX;

use super::keys::{Key, signing};
use super::token::{Minted, check, mint};
use super::*;
use crate::config::Algorithm;

const SECRET: &[u8] = b"a secret of the tests, longer than it must be";

/// Seconds since 1970, of which the tests are.
const NOW: u64 = 1_800_000_000;

/// A moment after `NOW`.
fn at(seconds: u64) -> WallTime {
    WallTime((NOW + seconds) * 1_000)
}

/// Keys of every algorithm, by the algorithm's name, each with what signs for it.
struct Ring {
    keys: Vec<Key>,
    signing: Vec<(Algorithm, EncodingKey)>,
    rsa_public: String,
}

impl Ring {
    fn new() -> Self {
        let pair = |algorithm| rcgen::KeyPair::generate_for(algorithm).expect("a pair");
        let rsa = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
        let pairs = [
            (Algorithm::ES256, pair(&rcgen::PKCS_ECDSA_P256_SHA256)),
            (Algorithm::EdDSA, pair(&rcgen::PKCS_ED25519)),
            (Algorithm::RS256, rsa.expect("a pair")),
        ];
        let mut ring = Self {
            keys: vec![Key::new("HS256", Algorithm::HS256, SECRET).expect("a secret")],
            signing: vec![(Algorithm::HS256, EncodingKey::from_secret(SECRET))],
            rsa_public: pairs[2].1.public_key_pem(),
        };
        for (algorithm, pair) in pairs {
            let name = algorithm.name();
            ring.keys
                .push(Key::new(name, algorithm, pair.public_key_pem().as_bytes()).expect("a public key"));
            let private = signing(name, algorithm, pair.serialize_pem().as_bytes());
            ring.signing.push((algorithm, private.expect("a private key")));
        }
        ring
    }
}

fn config() -> config::Auth {
    config::Auth {
        leeway: Duration::from_secs(5),
        ..config::Config::default().auth
    }
}

fn claims() -> Value {
    json!({
        "sub": "anna",
        "exp": NOW + 600,
        "starling": { "capabilities": [{ "channels": "chat:*", "operations": ["subscribe", "history"] }] },
    })
}

/// The claims with some changed; `null` takes one out.
fn with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().expect("an object") {
        let all = claims.as_object_mut().expect("an object");
        if value.is_null() {
            all.remove(name);
        } else {
            all.insert(name.clone(), value.clone());
        }
    }
    claims
}

/// A token put together by hand, signed with this secret.
fn token(head: &Value, claims: &Value, secret: &[u8]) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(head), part(claims));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
    let signature = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

fn head() -> Value {
    json!({ "alg": "HS256", "typ": "JWT", "kid": "HS256" })
}

/// What becomes of claims that are signed as they should be.
fn of(claims: &Value, config: &config::Auth) -> Result<Grant, Denied> {
    let keys = Keys::one(Key::new("HS256", Algorithm::HS256, SECRET).expect("a secret"));
    check(&token(&head(), claims, SECRET), &keys, config, at(0))
}

fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).expect("a name")
}

#[test]
fn a_token_of_each_algorithm_grants_what_it_says() {
    let ring = Ring::new();
    let keys = Keys::of(ring.keys);
    for (algorithm, signing) in &ring.signing {
        let minted = Minted {
            key: Some(algorithm.name()),
            algorithm: *algorithm,
            subject: "anna",
            capabilities: vec![config::Capability {
                channels: "chat:*".to_owned(),
                operations: vec![config::Operation::Publish],
            }],
            now: at(0),
            expires: at(60),
            audience: "",
            issuer: "",
        };
        let token = mint(minted, signing).expect("a token");
        let grant = check(&token, &keys, &config(), at(0)).expect("it is accepted");
        assert_eq!((grant.subject.as_str(), grant.expires), ("anna", Some(at(60))));
        assert!(grant.allows(&name("chat:a"), Operation::Publish));
        assert!(!grant.allows(&name("chat:a"), Operation::Subscribe));
        // With one letter of the signature changed it is nobody's.
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let other = if signature.starts_with('A') { 'B' } else { 'A' };
        let forged = format!("{signed}.{other}{}", &signature[1..]);
        assert_eq!(
            check(&forged, &keys, &config(), at(0)),
            Err(Denied::Forged),
            "{algorithm:?}"
        );
        // And so is one that claims more under the same signature.
        let mut parts: Vec<_> = token.split('.').collect();
        let more = URL_SAFE_NO_PAD.encode(with(json!({ "sub": "root" })).to_string());
        parts[1] = &more;
        assert_eq!(check(&parts.join("."), &keys, &config(), at(0)), Err(Denied::Forged));
    }
}

#[test]
fn the_key_decides_how_a_token_is_signed() {
    let ring = Ring::new();
    let rsa_public = ring.rsa_public.clone();
    let keys = Keys::of(ring.keys);
    let denied = |head: Value, secret: &[u8]| check(&token(&head, &claims(), secret), &keys, &config(), at(0)).err();
    // The classic: the public key, which anybody may know, used as the secret of HS256.
    let confused = json!({ "alg": "HS256", "kid": "RS256" });
    assert_eq!(
        denied(confused, rsa_public.as_bytes()),
        Some(Denied::WrongAlgorithm("RS256"))
    );
    for kid in ["HS256", "ES256", "EdDSA", "RS256"] {
        for alg in ["none", "None", "HS384", "PS256", "ES384", "RS512", ""] {
            let head = json!({ "alg": alg, "kid": kid });
            assert!(
                matches!(denied(head, SECRET), Some(Denied::WrongAlgorithm(_))),
                "{alg} with {kid}"
            );
        }
    }
    // An unsigned token has an empty third part.
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let unsigned = format!("{}.{}.", part(json!({ "alg": "none", "kid": "HS256" })), part(claims()));
    assert_eq!(
        check(&unsigned, &keys, &config(), at(0)).err(),
        Some(Denied::WrongAlgorithm("HS256"))
    );
    let unsigned = format!("{}.{}.", part(head()), part(claims()));
    assert_eq!(check(&unsigned, &keys, &config(), at(0)).err(), Some(Denied::Forged));
    // A public key is no secret, whoever configures it as one.
    let configured = Key::new("RS256", Algorithm::HS256, rsa_public.as_bytes());
    assert!(matches!(configured, Err(KeyError::PublicSecret { .. })));
}

#[test]
fn a_key_is_found_by_its_name_alone() {
    let key = |id: &str| Key::new(id, Algorithm::HS256, SECRET).expect("a secret");
    let several = Keys::of(vec![key("a"), key("b")]);
    let denied = |head: Value, keys: &Keys| check(&token(&head, &claims(), SECRET), keys, &config(), at(0)).err();
    assert_eq!(denied(json!({ "alg": "HS256", "kid": "b" }), &several), None);
    for kid in ["c", "../../etc/passwd", "' or 1=1", "A", ""] {
        let head = json!({ "alg": "HS256", "kid": kid });
        assert_eq!(
            denied(head, &several),
            Some(Denied::UnknownKey { named: true }),
            "{kid}"
        );
    }
    let nameless = json!({ "alg": "HS256" });
    assert_eq!(
        denied(nameless.clone(), &several),
        Some(Denied::UnknownKey { named: false })
    );
    assert_eq!(denied(nameless, &Keys::one(key("a"))), None, "there is no other");
    // Keys that a token brings along, or points to, are not looked at.
    for (name, value) in [
        ("jwk", json!({ "kty": "oct", "k": "AAAA" })),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/chain")),
    ] {
        let mut head = json!({ "alg": "HS256", "kid": "a" });
        head[name] = value;
        let denied = check(&token(&head, &claims(), b"another secret"), &several, &config(), at(0)).err();
        assert!(
            matches!(denied, Some(Denied::Forged | Denied::Malformed(_))),
            "{name}: {denied:?}"
        );
    }
}

#[test]
fn a_token_holds_from_its_beginning_to_its_end_give_or_take_the_leeway() {
    let times = |exp: u64, nbf: u64| of(&with(json!({ "exp": exp, "nbf": nbf })), &config()).err();
    assert_eq!(times(NOW - 4, NOW), None, "within the leeway");
    assert_eq!(times(NOW - 5, NOW), Some(Denied::Expired { seconds: 5 }));
    assert_eq!(times(0, 0), Some(Denied::Expired { seconds: NOW }));
    assert_eq!(times(NOW + 60, NOW + 5), None, "within the leeway");
    assert_eq!(times(NOW + 60, NOW + 7), Some(Denied::NotYet { seconds: 7 }));
    let day = 86_400;
    assert_eq!(times(NOW + day, 0), None);
    assert!(matches!(times(NOW + day + 6, 0), Some(Denied::TooLasting { max, .. }) if max == day));
    assert!(matches!(times(u64::MAX, 0), Some(Denied::TooLasting { .. })));
    assert_eq!(
        of(&with(json!({ "exp": null })), &config()).err(),
        Some(Denied::NoExpiry)
    );
    assert!(
        of(&with(json!({ "exp": NOW as f64 + 0.5 })), &config()).is_ok(),
        "a fraction is allowed"
    );
    for exp in [
        json!("1800000600"),
        json!(-1),
        json!(true),
        json!([NOW + 60]),
        json!(1e300),
    ] {
        let denied = of(&with(json!({ "exp": exp })), &config()).err();
        assert!(
            matches!(denied, Some(Denied::BadClaims(_) | Denied::TooLasting { .. })),
            "{exp}: {denied:?}"
        );
    }
}

#[test]
fn audience_and_issuer_must_be_those_of_the_configuration() {
    let ours = config::Auth {
        audience: "chat.example.org".to_owned(),
        issuer: "https://login.example.org".to_owned(),
        ..config()
    };
    let denied = |aud: Value, iss: Value| of(&with(json!({ "aud": aud, "iss": iss })), &ours).err();
    let (aud, iss) = (json!("chat.example.org"), json!("https://login.example.org"));
    assert_eq!(denied(aud.clone(), iss.clone()), None);
    assert_eq!(denied(json!(["other", "chat.example.org"]), iss.clone()), None);
    for wrong in [
        json!("other"),
        json!([]),
        json!(null),
        json!(5),
        json!("chat.example.org.evil"),
    ] {
        assert_eq!(
            denied(wrong.clone(), iss.clone()),
            Some(Denied::WrongAudience),
            "{wrong}"
        );
    }
    for wrong in [json!("other"), json!(null), json!(5)] {
        assert_eq!(denied(aud.clone(), wrong.clone()), Some(Denied::WrongIssuer), "{wrong}");
    }
    // A token for some service is none for a node that has no name.
    assert_eq!(
        of(&with(json!({ "aud": "other" })), &config()).err(),
        Some(Denied::WrongAudience)
    );
}

#[test]
fn what_is_not_understood_grants_nothing() {
    let capability = |channels: Value, operations: Value| json!({ "starling": { "capabilities": [{ "channels": channels, "operations": operations }] } });
    let many = vec![json!({ "channels": "a:b", "operations": ["publish"] }); 33];
    for changes in [
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": 7 }),
        json!({ "sub": "a\nb" }),
        json!({ "sub": "x".repeat(129) }),
        json!({ "sub": "key:orders" }),
        json!({ "starling": null }),
        json!({ "starling": {} }),
        json!({ "starling": { "capabilities": "all" } }),
        json!({ "starling": { "capabilities": many } }),
        json!({ "starling": { "capabilities": [], "admin": true } }),
        json!({ "starling": { "capabilities": [{ "channels": "chat:*" }] } }),
        json!({ "starling": { "capabilities": [{ "channels": "chat:*", "operations": ["publish"], "except": "chat:a" }] } }),
        capability(json!("cha*"), json!(["publish"])),
        capability(json!(""), json!(["publish"])),
        capability(json!("chat:*"), json!([])),
        capability(json!("chat:*"), json!(["write"])),
        capability(json!("chat:*"), json!("publish")),
    ] {
        let denied = of(&with(changes.clone()), &config()).err();
        assert!(matches!(denied, Some(Denied::BadClaims(_))), "{changes}: {denied:?}");
    }
    let empty = of(&with(json!({ "starling": { "capabilities": [] } })), &config()).expect("it grants nothing");
    assert!(!empty.allows(&name("chat:a"), Operation::Subscribe));
    assert!(
        of(&with(json!({ "roles": ["admin"], "jti": "x" })), &config()).is_ok(),
        "claims of others"
    );
}

#[test]
fn what_is_no_token_is_refused_before_anything_of_it_is_used() {
    let keys = Keys::one(Key::new("HS256", Algorithm::HS256, SECRET).expect("a secret"));
    let denied = |text: &str| check(text, &keys, &config(), at(0)).expect_err("it is none");
    for text in [
        "x",
        "a.b",
        "a.b.c",
        "..",
        "a.b.c.d",
        "!.!.!",
        "e30.e30.e30",
        "bnVsbA.e30.AA",
    ] {
        assert!(
            matches!(denied(text), Denied::Malformed(_)),
            "{text}: {:?}",
            denied(text)
        );
    }
    let extended = token(
        &json!({ "alg": "HS256", "crit": ["b64"], "b64": false }),
        &claims(),
        SECRET,
    );
    assert!(matches!(denied(&extended), Denied::Malformed(_)));
    let other = token(&json!({ "alg": "HS256", "typ": "dpop+jwt" }), &claims(), SECRET);
    assert!(matches!(denied(&other), Denied::Malformed(_)));
    let long = token(&head(), &with(json!({ "filler": "x".repeat(TOKEN_BYTES_MAX) })), SECRET);
    assert_eq!(denied(&long), Denied::TooLong { bytes: long.len() });
}

#[test]
fn keys_that_cannot_be_used_are_told() {
    let new = |algorithm, bytes: &[u8]| Key::new("k", algorithm, bytes).expect_err("it is none");
    assert!(matches!(
        new(Algorithm::HS256, b"short"),
        KeyError::Short { bytes: 5, .. }
    ));
    for algorithm in [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256] {
        assert!(matches!(new(algorithm, b"no PEM"), KeyError::Unusable { .. }));
    }
    let file = config::Key {
        secret_file: "/nowhere/at/all".into(),
        ..entry()
    };
    assert!(matches!(Keys::read(&[file]), Err(KeyError::File { .. })));
    let variable = config::Key {
        secret_env: "STARLING_TESTS_HAVE_NO_SUCH_VARIABLE".to_owned(),
        ..entry()
    };
    assert!(matches!(Keys::read(&[variable]), Err(KeyError::Variable { .. })));
}

fn entry() -> config::Key {
    toml::from_str("id = \"k\"\nalgorithm = \"HS256\"").expect("an entry")
}

#[test]
fn whoever_presents_nothing_gets_what_the_configuration_says() {
    let auth = |anonymous, keys: Vec<config::Key>| {
        let config = config::Auth {
            anonymous,
            keys,
            ..config()
        };
        Auth::new(&config).expect("no files")
    };
    let key = || config::Key {
        secret: toml::from_str::<config::Key>(&format!(
            "id = \"k\"\nalgorithm = \"HS256\"\nsecret = \"{}\"",
            String::from_utf8_lossy(SECRET)
        ))
        .expect("an entry")
        .secret,
        ..entry()
    };
    let named = token(&json!({ "alg": "HS256" }), &claims(), SECRET);
    let open = auth(true, Vec::new());
    assert!(open.admit("", at(0)).expect("anonymous").subject.is_anonymous());
    assert_eq!(open.admit(&named, at(0)).err(), Some(Denied::NoKeys));
    let closed = auth(false, Vec::new());
    assert_eq!(closed.admit("", at(0)).err(), Some(Denied::NobodyAdmitted));
    let keyed = auth(false, vec![key()]);
    assert_eq!(keyed.admit("", at(0)).err(), Some(Denied::Missing));
    assert_eq!(keyed.admit(&named, at(0)).expect("named").subject.as_str(), "anna");
    let both = auth(true, vec![key()]);
    assert!(both.admit("", at(0)).is_ok() && both.admit(&named, at(0)).is_ok());
    assert!(
        matches!(both.admit("nonsense", at(0)), Err(Denied::Malformed(_))),
        "not as anonymous then"
    );
    assert!(!format!("{both:?}").contains("a secret of the tests"));
}

#[test]
fn an_api_key_is_known_by_its_hash_and_good_for_requests_only() {
    let key = "3f0c6a1de5b24c7fa9d1c0b7e8f6a5d4";
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.as_bytes());
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let entry = |id: &str, sha256: &str, channels: &str| config::ApiKey {
        id: id.to_owned(),
        sha256: sha256.to_owned(),
        capabilities: vec![config::Capability {
            channels: channels.to_owned(),
            operations: vec![config::Operation::Publish],
        }],
    };
    let config = config::Auth {
        api_keys: vec![
            entry("other", &"0".repeat(64), "*"),
            entry("orders", &hex.to_uppercase(), "orders:*"),
        ],
        ..config()
    };
    let auth = Auth::new(&config).expect("no files");
    let grant = auth.admit_request(Some(key), at(0)).expect("it is known");
    assert_eq!(grant.subject.as_str(), "key:orders");
    assert!(grant.allows(&name("orders:1"), Operation::Publish));
    assert!(!grant.allows(&name("chat:1"), Operation::Publish));
    assert!(!grant.allows(&name("orders:1"), Operation::Subscribe));
    for wrong in ["", "3f0c6a1de5b24c7fa9d1c0b7e8f6a5d", &hex, "key:orders"] {
        assert!(auth.admit_request(Some(wrong), at(0)).is_err(), "{wrong}");
    }
    assert_eq!(auth.admit_request(None, at(0)).err(), Some(Denied::Missing));
    assert!(auth.admit(key, at(0)).is_err(), "a session takes tokens only");
    let bad = config::Auth {
        api_keys: vec![entry("orders", "xyz", "orders:*")],
        ..config
    };
    assert!(matches!(Auth::new(&bad), Err(KeyError::ApiKey { .. })));
}
