//! One request over HTTP, to the admin port in the clear and to the client port over TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::error::Error;
use crate::history::Event;

/// Messages asked for at once: as many as the API gives.
const PAGE: usize = 1_000;

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// Asks in the clear.
pub(crate) async fn get_plain(address: SocketAddr, path: &str) -> Result<Answer, Error> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| failed(address, &error))?;
    ask(stream, address, path, None).await
}

/// The HTTP API of nodes, with a token.
pub(crate) struct Api {
    tls: TlsConnector,
    token: String,
}

impl Api {
    pub(crate) fn new(authority: CertificateDer<'static>, token: &str) -> Result<Self, Error> {
        let unusable = |error: rustls::Error| Error::Client {
            what: "TLS for the HTTP API".into(),
            said: error.to_string(),
        };
        let mut roots = RootCertStore::empty();
        roots.add(authority).map_err(unusable)?;
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            token: token.to_owned(),
        })
    }

    /// The whole history of a channel, as a node tells it.
    pub(crate) async fn history(&self, node: &str, address: SocketAddr, channel: &str) -> Result<Event, Error> {
        // `after` takes the epoch, which the newest message tells.
        let newest = self
            .page(address, &format!("/v1/channels/{channel}/messages?limit=1"))
            .await?;
        let Page { epoch, .. } = newest;
        let mut after = format!("{epoch}:0");
        let mut messages = Vec::new();
        loop {
            let path = format!("/v1/channels/{channel}/messages?limit={PAGE}&after={after}");
            let page = self.page(address, &path).await?;
            messages.extend(page.messages.into_iter().map(|message| (message.seq, message.data)));
            if !page.more {
                return Ok(Event::History {
                    node: node.to_owned(),
                    channel: channel.to_owned(),
                    epoch,
                    head: page.head,
                    messages,
                });
            }
            after = page.next;
        }
    }

    async fn page(&self, address: SocketAddr, path: &str) -> Result<Page, Error> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| failed(address, &error))?;
        let name = ServerName::IpAddress(address.ip().into());
        let stream = self.tls.connect(name, stream).await;
        let stream = stream.map_err(|error| failed(address, &error))?;
        let answer = ask(stream, address, path, Some(&self.token)).await?;
        if answer.status != 200 {
            let body = String::from_utf8_lossy(&answer.body);
            return Err(failed(address, &format!("{path}: {} {body}", answer.status)));
        }
        serde_json::from_slice(&answer.body).map_err(|error| failed(address, &error))
    }
}

async fn ask<S>(stream: S, address: SocketAddr, path: &str, token: Option<&str>) -> Result<Answer, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| failed(address, &error))?;
    let carried = tokio::spawn(connection);
    let mut request = Request::get(path).header("host", address.to_string());
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(address, &error))?;
    let answer = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok::<_, hyper::Error>(Answer { status, body })
    };
    let answer = answer.await.map_err(|error| failed(address, &error));
    carried.abort();
    answer
}

fn failed(address: SocketAddr, error: &dyn ToString) -> Error {
    Error::Http {
        what: address.to_string(),
        said: error.to_string(),
    }
}

#[derive(Deserialize)]
struct Page {
    epoch: String,
    head: u64,
    messages: Vec<Message>,
    next: String,
    more: bool,
}

#[derive(Deserialize)]
struct Message {
    seq: u64,
    data: String,
}
