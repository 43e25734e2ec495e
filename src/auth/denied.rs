//! Why somebody is not let in.

use std::time::Duration;

use starling_protocol::limits::TOKEN_BYTES_MAX;
use thiserror::Error;

/// Why a token or an API key is not accepted. The text is for whoever presented it: it says what to do, and nothing
/// that only the issuer may know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Denied {
    /// There is none, and one is needed.
    #[error("nobody is let in here without a token; present one")]
    Missing,
    /// There is none, and there could be none.
    #[error("this node lets nobody in: it has no keys to check tokens with, and auth.anonymous is off")]
    NobodyAdmitted,
    /// There is one, and nothing to check it with.
    #[error("this node has no keys to check a token with; connect without one")]
    NoKeys,
    /// It is longer than the protocol allows.
    #[error(
        "the token has {bytes} bytes and {TOKEN_BYTES_MAX} are the most; put fewer or shorter capabilities into it"
    )]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It is no JWT.
    #[error("the token is no JWT: {0}; present it as its issuer gave it")]
    Malformed(&'static str),
    /// It names a key that is not known here, or none.
    #[error("the token {}; its issuer and this node must use the same keys", if *.named { "names a key (kid) that this node does not have" } else { "names no key (kid), and this node has several" })]
    UnknownKey {
        /// Whether it names one.
        named: bool,
    },
    /// It says that it is signed in another way than its key is for.
    #[error("the token is signed with another algorithm than its key is for; its issuer must use {0}")]
    WrongAlgorithm(&'static str),
    /// The signature is not by the key.
    #[error("the token's signature is not by the key it names; get a new one from its issuer")]
    Forged,
    /// It never ends.
    #[error("the token has no end (exp); its issuer must give it one")]
    NoExpiry,
    /// It has ended.
    #[error("the token ended {seconds} s ago; get a new one from its issuer")]
    Expired {
        /// How long ago.
        seconds: u64,
    },
    /// It has not begun.
    #[error("the token holds in {seconds} s only (nbf); wait, or compare the clocks of its issuer and this node")]
    NotYet {
        /// How soon.
        seconds: u64,
    },
    /// It holds for too long.
    #[error("the token holds for {seconds} s more, and this node takes {max} at most; its issuer must end it sooner")]
    TooLasting {
        /// How long.
        seconds: u64,
        /// How long it may.
        max: u64,
    },
    /// It is for somebody else.
    #[error("the token is for another audience (aud) than this node's; get one that is for it")]
    WrongAudience,
    /// Somebody else issued it.
    #[error("the token's issuer (iss) is not the one this node trusts; get one from that")]
    WrongIssuer,
    /// What it says cannot be taken.
    #[error("the token's claims cannot be taken: {0}; its issuer must correct them")]
    BadClaims(String),
    /// Too many from the same address, or of the same subject, were not accepted lately.
    #[error("too many tokens or keys from your address were not accepted lately; wait {} ms", .retry_after.as_millis())]
    TooOften {
        /// When one is looked at again.
        retry_after: Duration,
    },
    /// There is no such API key.
    #[error("this is no API key of this node, and no token; check what is sent as Authorization: Bearer")]
    UnknownApiKey,
}

impl Denied {
    /// The name in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NobodyAdmitted | Self::NoKeys => "no_keys",
            Self::TooLong { .. } => "too_long",
            Self::Malformed(_) => "malformed",
            Self::UnknownKey { .. } => "unknown_key",
            Self::WrongAlgorithm(_) => "wrong_algorithm",
            Self::Forged => "bad_signature",
            Self::NoExpiry => "no_expiry",
            Self::Expired { .. } => "expired",
            Self::NotYet { .. } => "not_yet_valid",
            Self::TooLasting { .. } => "too_lasting",
            Self::WrongAudience => "wrong_audience",
            Self::WrongIssuer => "wrong_issuer",
            Self::BadClaims(_) => "bad_claims",
            Self::UnknownApiKey => "unknown_api_key",
            Self::TooOften { .. } => "too_often",
        }
    }

    /// Whether something was presented, and was wrong: what somebody who guesses does.
    #[must_use]
    pub const fn is_a_guess(&self) -> bool {
        !matches!(
            self,
            Self::Missing | Self::NobodyAdmitted | Self::NoKeys | Self::TooOften { .. }
        )
    }
}
