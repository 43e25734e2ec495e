//! Asks a node for its description.

use bytes::Bytes;
use http::header::{ACCEPT, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use url::{Position, Url};

use super::{DocumentError, Node, Source, read};
use crate::net::{self, NetError};
use crate::tls::Tls;

/// Bytes of a description. A cluster of a hundred nodes needs a fifth of it; a longer one is not a description.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;

/// Why a node could not be asked.
#[derive(Debug, Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error("{url} cannot be asked for: {source}")]
    BadRequest { url: String, source: http::Error },
    #[error("no answer from {url}: {source}")]
    Http { url: String, source: hyper::Error },
    #[error("{url} answered {status}; check that it is the address of a Starling node")]
    Status { url: String, status: StatusCode },
    #[error("the description at {url} cannot be read: {source}")]
    Body {
        url: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the description at {url} is of no use: {source}")]
    Document { url: String, source: DocumentError },
}

/// The description of the node at an HTTP base, and the address it was reached at.
pub(crate) async fn fetch(base: &Url, tls: &Tls) -> Result<(Node, std::net::IpAddr), FetchError> {
    let url = format!(
        "{}/.well-known/starling",
        base[..Position::AfterPath].trim_end_matches('/')
    );
    let opened = net::open(base, tls).await?;
    let source = Source {
        is_verified: opened.is_verified,
        is_loopback: opened.peer.is_loopback(),
    };

    let failed = |source| FetchError::Http {
        url: url.clone(),
        source,
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(opened.io)).await.map_err(failed)?;
    // It ends by itself when `sender` and the answer are dropped.
    tokio::spawn(connection);
    let path = format!("{}/.well-known/starling", base.path().trim_end_matches('/'));
    let request = Request::get(path)
        .header(HOST, &base[Position::BeforeHost..Position::AfterPort])
        .header(ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|source| FetchError::BadRequest {
            url: url.clone(),
            source,
        })?;
    let answer = sender.send_request(request).await.map_err(failed)?;
    if answer.status() != StatusCode::OK {
        return Err(FetchError::Status {
            url,
            status: answer.status(),
        });
    }
    let body = Limited::new(answer.into_body(), DOCUMENT_BYTES_MAX).collect().await;
    let document = match body {
        Ok(body) => body.to_bytes(),
        Err(source) => return Err(FetchError::Body { url, source }),
    };
    match read(&document, source) {
        Ok(node) => Ok((node, opened.peer)),
        Err(source) => Err(FetchError::Document { url, source }),
    }
}
