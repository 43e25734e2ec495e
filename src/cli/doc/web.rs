//! The client port of a node, asked over HTTP.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, header};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio_rustls::TlsConnector;
use url::Url;

use super::super::exit::Failure;
use super::super::http;
use super::super::server::{DEFAULT_URL, Token};

/// Time to connect. The next node is tried after it.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Time for an answer: loading the largest document, and sending it, takes some seconds.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// Bytes of an answer: the largest document, as JSON with something to escape here and there.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// The node, and whose rights are used.
#[derive(Debug, clap::Args)]
pub(super) struct Web {
    /// HTTP base of a node; several are parted by commas and tried in order
    #[arg(long, env = "STARLING_URL", value_name = "URL", value_delimiter = ',', default_value = DEFAULT_URL)]
    url: Vec<Url>,
    /// Token or API key to present; none is anonymous
    #[arg(long, env = "STARLING_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<Token>,
}

/// What a node says that refuses.
#[derive(Deserialize)]
struct Refusal {
    error: Detail,
}

#[derive(Deserialize)]
struct Detail {
    code: String,
    message: String,
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Web {
    /// Reads something.
    pub(super) fn get(&self, path: &str) -> Result<Bytes, Failure> {
        self.exchange(Method::GET, path, None)
    }

    /// Sends something of this kind.
    pub(super) fn post(&self, path: &str, kind: &'static str, body: Bytes) -> Result<Bytes, Failure> {
        self.exchange(Method::POST, path, Some((kind, body)))
    }

    /// Orders something that needs no more than its path.
    pub(super) fn order(&self, path: &str) -> Result<Bytes, Failure> {
        self.exchange(Method::POST, path, None)
    }

    /// Deletes something.
    pub(super) fn delete(&self, path: &str) -> Result<Bytes, Failure> {
        self.exchange(Method::DELETE, path, None)
    }

    /// What an answer in JSON says.
    pub(super) fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, Failure> {
        serde_json::from_slice(answer)
            .map_err(|error| Failure::Server(format!("the answer cannot be read: {error}; is the node a newer one?")))
    }

    fn exchange(&self, method: Method, path: &str, body: Option<(&'static str, Bytes)>) -> Result<Bytes, Failure> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|cause| Failure::Io {
            what: "the network cannot be used",
            cause,
        })?;
        runtime.block_on(async {
            let (url, stream) = self.connect().await?;
            let request = self.request(url, method, path, body)?;
            let answer = tokio::time::timeout(ANSWER_TIME_MAX, http::send(stream, request, ANSWER_BYTES_MAX)).await;
            let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {ANSWER_TIME_MAX:?}")));
            let (status, body) = answer.map_err(|why| Failure::Server(format!("{url}: {why}")))?;
            if status.is_success() {
                return Ok(body);
            }
            let refusal: Option<Refusal> = serde_json::from_slice(&body).ok();
            Err(Failure::Server(match refusal {
                Some(Refusal { error }) => format!("{} ({})", error.message, error.code),
                None => format!("{url} answers {status}; is this the client port of a node?"),
            }))
        })
    }

    /// The first node that can be connected to.
    async fn connect(&self) -> Result<(&Url, Box<dyn Io>), Failure> {
        let mut failures = Vec::new();
        for url in &self.url {
            let opened = tokio::time::timeout(CONNECT_TIME_MAX, open(url)).await;
            match opened.unwrap_or_else(|_| Err(format!("no connection within {CONNECT_TIME_MAX:?}"))) {
                Ok(stream) => return Ok((url, stream)),
                Err(why) => failures.push(format!("{url}: {why}")),
            }
        }
        Err(Failure::Server(failures.join("; ")))
    }

    fn request(
        &self,
        url: &Url,
        method: Method,
        path: &str,
        body: Option<(&'static str, Bytes)>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let path = format!("{}{path}", url.path().trim_end_matches('/'));
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(header::HOST, &url[url::Position::BeforeHost..url::Position::AfterPort]);
        if let Some(Token(token)) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some((kind, _)) = &body {
            request = request.header(header::CONTENT_TYPE, *kind);
        }
        let body = body.map_or_else(Full::default, |(_, body)| Full::from(body));
        request.body(body).map_err(|error| Failure::Usage(error.to_string()))
    }
}

async fn open(url: &Url) -> Result<Box<dyn Io>, String> {
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err("it has no host; write an HTTP base, such as http://127.0.0.1:4433".to_owned());
    };
    let host = host.trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" => Ok(Box::new(stream)),
        "https" => {
            let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
            let connector = TlsConnector::from(Arc::new(client_config()?));
            let stream = connector
                .connect(name, stream)
                .await
                .map_err(|error| error.to_string())?;
            Ok(Box::new(stream))
        }
        other => Err(format!("{other} is not http or https")),
    }
}

/// Trusts the system's certificate authorities.
fn client_config() -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("no certificate authority is trusted; install the system's CA certificates".to_owned());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
