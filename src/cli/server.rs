//! Which server a client verb talks to, and as whom.

use std::fmt;
use std::future::Future;
use std::io::IsTerminal as _;

use starling_client::{Client, State, Transports};
use tokio::runtime;
use tokio::sync::watch;

use super::exit::{Exit, Failure};
use super::note;

/// Where `starling dev` serves: the server when no other is named.
pub(super) const DEFAULT_URL: &str = "http://127.0.0.1:4433";

/// The server and the way to it.
#[derive(Debug, clap::Args)]
pub(super) struct Server {
    /// HTTP base of a node; several are parted by commas and tried in order
    #[arg(long, env = "STARLING_URL", value_name = "URL", value_delimiter = ',', default_value = DEFAULT_URL)]
    url: Vec<String>,
    /// Token to present; none is anonymous
    #[arg(long, env = "STARLING_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<Token>,
    /// How to connect: auto takes whichever connects first
    #[arg(long, value_enum, default_value_t = Transport::Auto)]
    transport: Transport,
    /// Log what the client does to standard error
    #[arg(long, short)]
    verbose: bool,
}

/// A token. It is a secret: it is never printed, not even for debugging.
#[derive(Clone)]
pub(super) struct Token(pub(super) String);

impl From<String> for Token {
    fn from(token: String) -> Self {
        Self(token)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(..)")
    }
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Transport {
    Auto,
    #[value(alias = "wt")]
    Webtransport,
    #[value(alias = "ws")]
    Websocket,
}

impl From<Transport> for Transports {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Auto => Self::Auto,
            Transport::Webtransport => Self::WebTransport,
            Transport::Websocket => Self::WebSocket,
        }
    }
}

impl Server {
    /// Runs a client verb to its end, or to Ctrl-C.
    pub(super) fn run<F>(self, verb: impl FnOnce(Client) -> F) -> Result<Exit, Failure>
    where
        F: Future<Output = Result<Exit, Failure>>,
    {
        if self.verbose {
            tracing_subscriber::fmt()
                .with_writer(std::io::stderr)
                .with_ansi(std::io::stderr().is_terminal())
                .with_max_level(tracing::Level::DEBUG)
                .init();
        }
        let runtime = runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|cause| Failure::Io {
            what: "no threads could be started",
            cause,
        })?;
        runtime.block_on(async {
            let client = self.connect()?;
            tokio::spawn(end_when_interrupted());
            let watched = tokio::spawn(tell_outages(client.state()));
            let outcome = verb(client.clone()).await;
            watched.abort();
            client.close().await;
            outcome
        })
    }

    fn connect(self) -> Result<Client, Failure> {
        let mut urls = self.url.into_iter();
        // The parser has a default, so there is one; an empty text is refused by the builder with its reason.
        let mut builder = Client::builder(urls.next().unwrap_or_default());
        for url in urls {
            builder = builder.url(url);
        }
        if let Some(Token(token)) = self.token {
            builder = builder.token(token);
        }
        let builder = builder
            .transport(self.transport.into())
            .agent(concat!("starling-cli/", env!("CARGO_PKG_VERSION")));
        builder.build().map_err(|refused| Failure::Usage(refused.to_string()))
    }
}

/// Ends the process on Ctrl-C. At once and from a task of its own: the verb may be waiting for a pipe that nobody reads.
async fn end_when_interrupted() {
    if tokio::signal::ctrl_c().await.is_ok() {
        std::process::exit(Exit::Interrupted as i32);
    }
}

/// Tells the person at the terminal why nothing happens: once for each outage, and once when it is over.
async fn tell_outages(mut state: watch::Receiver<State>) {
    let mut down = false;
    loop {
        match &*state.borrow_and_update() {
            State::Reconnecting { error, .. } if !down => {
                down = true;
                note(&format!("not connected: {error}; trying again until it works"));
            }
            State::Connected { node, transport, .. } if down => {
                down = false;
                note(&format!("connected to {node} over {transport}"));
            }
            _ => {}
        }
        if state.changed().await.is_err() {
            return;
        }
    }
}
