//! The TCP side of a null server: discovery, and sessions over WebSocket.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};

use super::Hub;
use super::session::{self, Write};
use crate::error::LinkError;
use crate::wire::{discovery, http};

/// Pause after a connection could not be accepted, which happens when descriptors run out: time for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Accepts for ever, one task for each connection.
pub(super) async fn serve(listener: TcpListener, hub: Arc<Hub>, discovery: Arc<str>) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (hub, discovery) = (Arc::clone(&hub), Arc::clone(&discovery));
                tokio::spawn(async move {
                    if let Err(error) = serve_one(stream, &hub, discovery).await {
                        tracing::debug!(%error, "a connection ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_one(mut stream: TcpStream, hub: &Hub, discovery: Arc<str>) -> Result<(), LinkError> {
    stream.set_nodelay(true)?;
    if !Box::pin(open(&mut stream, discovery)).await? {
        return Ok(());
    }
    let (read, write) = stream.into_split();
    session::serve(hub, read, write).await
}

/// Answers the request; whether the connection is a WebSocket from here on.
async fn open(stream: &mut (impl AsyncRead + AsyncWriteExt + Unpin), discovery: Arc<str>) -> Result<bool, LinkError> {
    let head = http::read_head(stream).await?;
    let is_discovery = head.starts_with(&format!("GET {} ", discovery::PATH));
    let answer = if is_discovery {
        http::json_answer(&discovery)
    } else {
        http::upgrade_answer()
    };
    stream.write_all(answer.as_bytes()).await?;
    Ok(!is_discovery)
}

impl Write for OwnedWriteHalf {
    async fn write(&mut self, frame: Bytes) -> Result<(), LinkError> {
        Ok(self.write_all(&frame).await?)
    }
}
