//! Whether a token is accepted, and how one is made: JSON Web Tokens (RFC 7519) in their compact form.
//!
//! The order matters. Its length is looked at before it is read, the key is chosen by name out of ours, the algorithm
//! is the key's, and nothing it claims is believed before the signature is checked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm as Jwa, EncodingKey, Header, Validation};
use serde::Deserialize;
use starling_core::access::Grant;
use starling_core::time::WallTime;
use starling_protocol::limits::TOKEN_BYTES_MAX;

use super::claims::{Claims, NumericDate, Rights};
use super::keys::Keys;
use super::{Denied, KeyError};
use crate::config::{self, Algorithm, Capability};

/// What a token's head says. Whatever would have us fetch a key from somewhere (`jku`, `x5u`) or bring one along
/// (`jwk`, `x5c`) is not read.
#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<serde_json::Value>,
}

/// Whether this looks like a token: three parts. No API key has dots.
#[must_use]
pub fn is_one(text: &str) -> bool {
    text.matches('.').count() == 2
}

/// Whether a token is short enough to be presented.
///
/// # Errors
/// When it is not.
pub const fn fits(token: &str) -> Result<(), Denied> {
    let bytes = token.len();
    if bytes > TOKEN_BYTES_MAX {
        return Err(Denied::TooLong { bytes });
    }
    Ok(())
}

/// The name of the key that a token says it is signed with.
#[must_use]
pub fn key_name(token: &str) -> Option<String> {
    fits(token).and_then(|()| head(token)).ok()?.kid
}

/// What a token grants at this moment.
///
/// # Errors
/// Why it is not accepted.
pub fn check(token: &str, keys: &Keys, config: &config::Auth, now: WallTime) -> Result<Grant, Denied> {
    fits(token)?;
    let head = head(token)?;
    let named = head.kid.is_some();
    let key = keys.find(head.kid.as_deref()).ok_or(Denied::UnknownKey { named })?;
    if head.alg != key.algorithm.name() {
        return Err(Denied::WrongAlgorithm(key.algorithm.name()));
    }
    let mut validation = Validation::new(jwa(key.algorithm));
    // The times are compared below, with the node's clock and not the library's.
    (validation.validate_exp, validation.validate_nbf) = (false, false);
    validation.required_spec_claims.clear();
    if !config.audience.is_empty() {
        validation.set_audience(&[&config.audience]);
        validation.required_spec_claims.insert("aud".to_owned());
    }
    if !config.issuer.is_empty() {
        validation.set_issuer(&[&config.issuer]);
        validation.required_spec_claims.insert("iss".to_owned());
    }
    let token = jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation);
    let claims = token.map_err(|error| denied(error.into_kind(), key.algorithm))?.claims;
    let expires = holds(&claims, config, now)?;
    let (subject, capabilities) = claims.rights().map_err(Denied::BadClaims)?;
    Ok(Grant {
        subject,
        capabilities,
        expires: Some(expires),
    })
}

/// When it ends, if it holds now.
fn holds(claims: &Claims, config: &config::Auth, now: WallTime) -> Result<WallTime, Denied> {
    let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (leeway, lifetime_max) = (millis(config.leeway), millis(config.lifetime_max));
    let NumericDate(expires) = claims.exp.ok_or(Denied::NoExpiry)?;
    if now.0 >= expires.0.saturating_add(leeway) {
        let seconds = (now.0 - expires.0) / 1_000;
        return Err(Denied::Expired { seconds });
    }
    if let Some(NumericDate(begins)) = claims.nbf
        && begins.0 > now.0.saturating_add(leeway)
    {
        let seconds = (begins.0 - now.0).div_ceil(1_000);
        return Err(Denied::NotYet { seconds });
    }
    if expires.0 > now.0.saturating_add(lifetime_max).saturating_add(leeway) {
        return Err(Denied::TooLasting {
            seconds: (expires.0 - now.0) / 1_000,
            max: lifetime_max / 1_000,
        });
    }
    Ok(expires)
}

fn head(token: &str) -> Result<Head, Denied> {
    if !is_one(token) {
        return Err(Denied::Malformed("it has not three parts with dots between them"));
    }
    let first = token.split('.').next().unwrap_or_default();
    let json = URL_SAFE_NO_PAD
        .decode(first)
        .map_err(|_| Denied::Malformed("its first part is not base64url"))?;
    let head: Head = serde_json::from_slice(&json).map_err(|_| Denied::Malformed("its first part is not a head"))?;
    if head.crit.is_some() {
        return Err(Denied::Malformed(
            "its head asks for an extension (crit), and none is known here",
        ));
    }
    let is_jwt = |typ: &str| typ.eq_ignore_ascii_case("jwt") || typ.eq_ignore_ascii_case("at+jwt");
    if !head.typ.as_deref().is_none_or(is_jwt) {
        return Err(Denied::Malformed("its head says that it is something else (typ)"));
    }
    Ok(head)
}

fn denied(error: ErrorKind, algorithm: Algorithm) -> Denied {
    match error {
        ErrorKind::InvalidSignature => Denied::Forged,
        ErrorKind::InvalidAlgorithm => Denied::WrongAlgorithm(algorithm.name()),
        ErrorKind::InvalidAudience => Denied::WrongAudience,
        ErrorKind::InvalidIssuer => Denied::WrongIssuer,
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => Denied::WrongAudience,
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => Denied::WrongIssuer,
        ErrorKind::Json(error) => Denied::BadClaims(error.to_string()),
        ErrorKind::Base64(_) | ErrorKind::InvalidToken | ErrorKind::Utf8(_) => {
            Denied::Malformed("a part of it is not base64url")
        }
        _ => Denied::Forged,
    }
}

const fn jwa(algorithm: Algorithm) -> Jwa {
    match algorithm {
        Algorithm::HS256 => Jwa::HS256,
        Algorithm::ES256 => Jwa::ES256,
        Algorithm::EdDSA => Jwa::EdDSA,
        Algorithm::RS256 => Jwa::RS256,
    }
}

/// What a new token is to say.
#[derive(Debug)]
pub struct Minted<'a> {
    /// The key's name, for `kid`; `None` leaves it out.
    pub key: Option<&'a str>,
    /// The key's algorithm.
    pub algorithm: Algorithm,
    /// Whom it names.
    pub subject: &'a str,
    /// What it grants.
    pub capabilities: Vec<Capability>,
    /// When it is issued.
    pub now: WallTime,
    /// When it ends.
    pub expires: WallTime,
    /// Whom it is for; empty for nobody in particular.
    pub audience: &'a str,
    /// Who issues it; empty for not said.
    pub issuer: &'a str,
}

/// Makes a token.
///
/// # Errors
/// When the key cannot sign.
pub fn mint(minted: Minted<'_>, signing: &EncodingKey) -> Result<String, KeyError> {
    let text = |text: &str| (!text.is_empty()).then(|| text.into());
    let claims = Claims {
        sub: Some(minted.subject.to_owned()),
        exp: Some(NumericDate(minted.expires)),
        nbf: None,
        iat: Some(NumericDate(minted.now)),
        aud: text(minted.audience),
        iss: text(minted.issuer),
        starling: Some(Rights {
            capabilities: minted.capabilities,
        }),
    };
    let head = Header {
        kid: minted.key.map(str::to_owned),
        ..Header::new(jwa(minted.algorithm))
    };
    jsonwebtoken::encode(&head, &claims, signing).map_err(|error| KeyError::Unusable {
        id: minted.key.unwrap_or_default().to_owned(),
        algorithm: minted.algorithm,
        cause: error.to_string(),
    })
}
