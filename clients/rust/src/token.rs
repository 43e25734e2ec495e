//! Proof of who is calling.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use thiserror::Error;

/// Why a token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenRequest {
    /// For the first connection.
    First,
    /// The one in use expires soon.
    Refresh,
    /// The one in use expired or was not accepted.
    Replace,
}

/// Why an application's provider gives no token.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// There will be none: the client stops for good.
    #[error("denied: {0}")]
    Denied(String),
    /// There is none now: the client asks again later.
    #[error("no token now: {0}")]
    Unavailable(String),
}

/// A token, which is never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Token(pub(crate) String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "Token()" } else { "Token(..)" })
    }
}

/// What a provider gives, once it has it.
pub(crate) type TokenFuture = Pin<Box<dyn Future<Output = Result<String, TokenError>> + Send>>;

/// Where a client's tokens come from.
#[derive(Clone)]
pub(crate) struct TokenProvider(Arc<dyn Fn(TokenRequest) -> TokenFuture + Send + Sync>);

impl TokenProvider {
    pub(crate) fn new<P, F>(provide: P) -> Self
    where
        P: Fn(TokenRequest) -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, TokenError>> + Send + 'static,
    {
        Self(Arc::new(move |why| Box::pin(provide(why))))
    }

    pub(crate) fn ask(&self, why: TokenRequest) -> TokenFuture {
        (self.0)(why)
    }
}

impl fmt::Debug for TokenProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenProvider")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_printed() {
        assert_eq!(format!("{:?}", Token("secret".into())), "Token(..)");
    }
}
