//! How a client is made.

use std::fmt;
use std::future::Future;

use rustls_pki_types::CertificateDer;
use starling_protocol::limits;
use tokio::runtime;
use url::Url;

use crate::token::{Token, TokenProvider};
use crate::{BuildError, Client, TokenError, TokenRequest, Transports, driver};

/// What a client says of itself unless the application names its own agent.
const AGENT: &str = concat!("starling-client/", env!("CARGO_PKG_VERSION"));

/// Makes a [`Client`]; see [`Client::builder`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct ClientBuilder {
    urls: Vec<String>,
    token: Token,
    provider: Option<TokenProvider>,
    transports: Transports,
    agent: String,
    client: Option<ClientSecret>,
    roots: Vec<CertificateDer<'static>>,
}

/// What a client was told when it was built, checked.
#[derive(Debug)]
pub(crate) struct Settings {
    /// HTTP bases of nodes; at least one.
    pub(crate) bases: Vec<Url>,
    pub(crate) token: Token,
    pub(crate) provider: Option<TokenProvider>,
    pub(crate) transports: Transports,
    pub(crate) agent: String,
    /// By what it is the same in presence; `None` to draw it.
    pub(crate) client: Option<ClientSecret>,
    /// Trusted beside the system's own.
    pub(crate) roots: Vec<CertificateDer<'static>>,
}

/// By what a client is the same in presence. It is never printed.
#[derive(Clone, Copy)]
pub(crate) struct ClientSecret(pub(crate) [u8; limits::CLIENT_BYTES]);

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(..)")
    }
}

impl ClientBuilder {
    pub(crate) fn new(url: impl Into<String>) -> Self {
        Self {
            urls: vec![url.into()],
            token: Token::default(),
            provider: None,
            transports: Transports::Auto,
            agent: AGENT.to_owned(),
            client: None,
            roots: Vec::new(),
        }
    }

    /// Adds another node's HTTP base. They are tried in this order until one is reached; a client that loses its node turns to any of
    /// the others, so that the clients of one node spread over the rest.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// Presents this token. Without one, and without a provider, the client is anonymous.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Token(token.into());
        self
    }

    /// Asks for a token when one is needed: at first (unless [`token`](Self::token) gave one), before it expires, and
    /// when the server did not accept it.
    pub fn token_provider<P, F>(mut self, provide: P) -> Self
    where
        P: Fn(TokenRequest) -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, TokenError>> + Send + 'static,
    {
        self.provider = Some(TokenProvider::new(provide));
        self
    }

    /// Chooses the transports the client may use.
    pub fn transport(mut self, transports: Transports) -> Self {
        self.transports = transports;
        self
    }

    /// Names the application and its version, for the server's operators: at most 128 bytes.
    pub fn agent(mut self, agent: impl Into<String>) -> Self {
        self.agent = agent.into();
        self
    }

    /// By what the client is the same in presence: 16 bytes from a cryptographic random source. Without it they are drawn when the
    /// client is built.
    ///
    /// A process that keeps them over its restarts comes back to the channels that it was in without leaving them, if it
    /// does so within the grace of their namespace. They are a secret: what others see of them is a hash.
    pub fn client_secret(mut self, secret: [u8; limits::CLIENT_BYTES]) -> Self {
        self.client = Some(ClientSecret(secret));
        self
    }

    /// Trusts this certificate authority beside those of the system.
    pub fn root_certificate(mut self, root: CertificateDer<'static>) -> Self {
        self.roots.push(root);
        self
    }

    /// Starts the client on the current tokio runtime. It connects at once and stays connected until it is closed, or
    /// until it, its subscriptions and its pending publishes are dropped.
    ///
    /// # Errors
    ///
    /// See [`BuildError`]. A server that cannot be reached is not one: [`Client::state`] tells.
    pub fn build(self) -> Result<Client, BuildError> {
        let settings = self.settings()?;
        let runtime = runtime::Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        driver::start(settings, &runtime)
    }

    fn settings(self) -> Result<Settings, BuildError> {
        let bases = self.urls.into_iter().map(base).collect::<Result<_, _>>()?;
        let (bytes, max) = (self.token.0.len(), limits::TOKEN_BYTES_MAX);
        if bytes > max {
            return Err(BuildError::TokenTooLong { bytes, max });
        }
        let (bytes, max) = (self.agent.len(), limits::AGENT_BYTES_MAX);
        if bytes > max {
            return Err(BuildError::AgentTooLong { bytes, max });
        }
        let Self {
            token,
            provider,
            transports,
            agent,
            client,
            roots,
            ..
        } = self;
        Ok(Settings {
            bases,
            token,
            provider,
            transports,
            agent,
            client,
            roots,
        })
    }
}

/// Reads an HTTP base.
fn base(url: String) -> Result<Url, BuildError> {
    Url::parse(&url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or(BuildError::BadUrl { url })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(builder: ClientBuilder) -> Result<Settings, BuildError> {
        builder.settings()
    }

    #[test]
    fn several_urls_are_kept_in_order() {
        let built =
            settings(ClientBuilder::new("http://127.0.0.1:4433").url("https://b.example")).expect("both are bases");
        let bases: Vec<_> = built.bases.iter().map(Url::as_str).collect();
        assert_eq!(bases, ["http://127.0.0.1:4433/", "https://b.example/"]);
        assert!(built.agent.starts_with("starling-client/"));
    }

    #[test]
    fn the_secret_of_a_client_is_kept_and_not_printed() {
        let builder = ClientBuilder::new("http://localhost:4433").client_secret([77; 16]);
        assert!(!format!("{builder:?}").contains("77"));
        let built = settings(builder).expect("good settings");
        assert_eq!(built.client.map(|secret| secret.0), Some([77; 16]));
    }

    #[test]
    fn what_cannot_work_is_refused_before_anything_starts() {
        for url in ["", "127.0.0.1:4433", "ws://127.0.0.1:4433", "http:", "unix:/x"] {
            assert!(
                matches!(settings(ClientBuilder::new(url)), Err(BuildError::BadUrl { .. })),
                "{url:?}"
            );
        }
        let builder = || ClientBuilder::new("http://localhost:4433");
        let token = builder().token("t".repeat(limits::TOKEN_BYTES_MAX + 1));
        assert!(matches!(settings(token), Err(BuildError::TokenTooLong { .. })));
        let agent = builder().agent("a".repeat(limits::AGENT_BYTES_MAX + 1));
        assert!(matches!(settings(agent), Err(BuildError::AgentTooLong { .. })));
        assert_eq!(builder().build().err(), Some(BuildError::NoRuntime));
    }
}
