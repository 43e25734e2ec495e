//! The admin port of a node, asked over HTTP.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::runtime;
use url::Url;

use super::super::exit::Failure;
use super::super::http::send;

/// Where the first node of `make cluster` has it, and `starling dev`.
const DEFAULT_URL: &str = "http://127.0.0.1:4434";

/// Time for an answer. A node waits five seconds for another.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// Bytes of an answer: 32,768 slots with the longest names take less.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Which node is asked.
#[derive(Debug, clap::Args)]
pub(super) struct Admin {
    /// Admin port of any node, as an HTTP base
    #[arg(long = "admin", env = "STARLING_ADMIN_URL", value_name = "URL", default_value = DEFAULT_URL)]
    url: Url,
}

/// What a node says that refuses.
#[derive(Deserialize)]
struct Refusal {
    error: Detail,
}

#[derive(Deserialize)]
struct Detail {
    message: String,
}

impl Admin {
    /// Asks for something.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let request = Request::get(path).body(Full::default());
        self.exchange(request)
    }

    /// Orders something.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).expect("texts and booleans can be written as JSON");
        let request = Request::post(path)
            .header(hyper::header::CONTENT_TYPE, "application/json")
            .body(Full::from(body));
        self.exchange(request)
    }

    fn exchange<T: DeserializeOwned>(&self, request: http::Result<Request<Full<Bytes>>>) -> Result<T, Failure> {
        let host = self.url.host_str().filter(|_| self.url.scheme() == "http");
        let (Some(host), Some(port)) = (host, self.url.port_or_known_default()) else {
            let why = format!("{} is no HTTP base of an admin port, such as {DEFAULT_URL}", self.url);
            return Err(Failure::Usage(why));
        };
        let mut request = request.map_err(|error| Failure::Usage(error.to_string()))?;
        let authority = format!("{host}:{port}");
        let named = authority
            .parse()
            .map_err(|_| Failure::Usage(format!("{host} is no host")))?;
        request.headers_mut().insert(hyper::header::HOST, named);
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|cause| Failure::Io {
            what: "the network cannot be used",
            cause,
        })?;
        let failed = |why: String| Failure::Server(format!("{}: {why}", self.url));
        let answer = runtime.block_on(async {
            let answer = tokio::time::timeout(ANSWER_TIME_MAX, ask(&authority, request)).await;
            answer.unwrap_or_else(|_| Err(format!("no answer within {ANSWER_TIME_MAX:?}")))
        });
        let (status, body) =
            answer.map_err(|why| failed(format!("{why}; is this the admin port of a node that runs?")))?;
        if !status.is_success() {
            let refusal: Option<Refusal> = serde_json::from_slice(&body).ok();
            let why = refusal.map_or_else(|| format!("it answers {status}"), |refusal| refusal.error.message);
            return Err(failed(why));
        }
        serde_json::from_slice(&body).map_err(|error| failed(format!("its answer cannot be read: {error}")))
    }
}

async fn ask(authority: &str, request: Request<Full<Bytes>>) -> Result<(hyper::StatusCode, Bytes), String> {
    let stream = TcpStream::connect(authority).await;
    let stream = stream.map_err(|error| error.to_string())?;
    send(stream, request, ANSWER_BYTES_MAX).await
}
