//! What fuzz targets do with tokens.

use std::sync::LazyLock;

use jsonwebtoken::EncodingKey;
use starling_core::time::WallTime;

use super::Denied;
use super::keys::{Key, Keys};
use super::token::{check, is_one, key_name};
use crate::config::{self, Algorithm};

const SECRET: &[u8] = b"a secret of the fuzz targets, long enough";

/// When tokens are looked at.
const NOW: WallTime = WallTime(1_800_000_000_000);

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::one(Key::new("a", Algorithm::HS256, SECRET).expect("a secret")));

static CONFIG: LazyLock<config::Auth> = LazyLock::new(|| config::Config::default().auth);

/// A token. Nobody who has not the key makes one that is accepted.
pub fn token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let _ = (is_one(text), key_name(text));
    assert!(check(text, &KEYS, &CONFIG, NOW).is_err(), "{text}");
}

/// What a token says that was signed with a key of ours: what it grants ends.
pub fn claims(bytes: &[u8]) {
    let Ok(said) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        return;
    };
    let head = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    let token = jsonwebtoken::encode(&head, &said, &EncodingKey::from_secret(SECRET)).expect("it can be signed");
    match check(&token, &KEYS, &CONFIG, NOW) {
        Ok(grant) => assert!(grant.expires.is_some_and(|expires| expires.0 > 0)),
        Err(denied) => assert!(!matches!(denied, Denied::Forged), "it was signed"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fuzz::replay::replay;

    #[test]
    fn tokens_of_strangers_are_refused() {
        let stranger = EncodingKey::from_secret(b"another secret, which is long enough, too");
        let claims = json!({ "sub": "anna", "exp": 1_800_000_600 });
        let of = |head: &jsonwebtoken::Header| jsonwebtoken::encode(head, &claims, &stranger).expect("signed");
        let mut named = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
        let plain = of(&named);
        named.kid = Some("a".to_owned());
        // {"alg":"none"} and {"alg":"HS256","crit":["x"]}
        let seeds = [
            ("of another key", plain),
            ("of another key by our name", of(&named)),
            ("of none", "eyJhbGciOiJub25lIn0.e30.".to_owned()),
            (
                "of an extension",
                "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsieCJdfQ.e30.AAAA".to_owned(),
            ),
            ("two parts", "e30.e30".to_owned()),
            ("no base64", "é.é.é".to_owned()),
        ];
        replay(
            "client_token",
            token,
            seeds.map(|(name, seed)| (name.to_owned(), seed.into())),
        );
    }

    #[test]
    fn what_a_token_says_is_understood_or_refused() {
        let exp = 1_800_000_600;
        let rights = json!({ "capabilities": [{ "channels": "chat:*", "operations": ["subscribe", "history"] }] });
        let seeds = [
            (
                "good",
                json!({ "sub": "anna", "exp": exp, "nbf": 1, "iat": 2, "starling": rights }),
            ),
            (
                "a fraction of a second",
                json!({ "sub": "anna", "exp": 1_800_000_600.5, "starling": rights }),
            ),
            ("without end", json!({ "sub": "anna", "starling": rights })),
            (
                "at the end of time",
                json!({ "sub": "anna", "exp": u64::MAX, "nbf": 1e300 }),
            ),
            (
                "for somebody",
                json!({ "sub": "anna", "exp": exp, "aud": ["a", "b"], "iss": "c" }),
            ),
            (
                "an unknown right",
                json!({ "sub": "anna", "exp": exp, "starling": { "capabilities": [], "more": 1 } }),
            ),
            ("no object", json!([1])),
        ];
        let seeds = seeds.map(|(name, seed)| (name.to_owned(), seed.to_string().into_bytes()));
        replay("client_claims", claims, seeds);
    }
}
