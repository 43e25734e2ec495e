//! A session over a WebSocket: each frame is one binary message.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use http::Uri;
use starling_protocol::frame::{DecodeError, Encoded};
use starling_protocol::limits;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_websockets::{ClientBuilder, Error, Limits, Message, WebSocketStream};
use url::Url;

use super::{Activity, Connection, TransportError};
use crate::Transport;
use crate::net::{self, Io, NetError};
use crate::tls::Tls;

/// Why there is no WebSocket.
#[derive(Debug, Error)]
pub(crate) enum WebSocketError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error("{url} cannot be asked for: {source}")]
    BadUrl { url: Url, source: http::uri::InvalidUri },
    #[error("{url} did not accept a WebSocket: {source}")]
    Upgrade { url: Url, source: Error },
}

/// Opens a WebSocket.
pub(super) async fn connect(url: &Url, tls: &Tls) -> Result<Connection, WebSocketError> {
    let uri: Uri = url.as_str().parse().map_err(|source| WebSocketError::BadUrl { url: url.clone(), source })?;
    let opened = net::open(url, tls).await?;
    let activity = Activity::new();
    let io = Watched { io: opened.io, activity: Arc::clone(&activity) };
    let limits = Limits::default().max_payload_len(Some(limits::SERVER_FRAME_BYTES_MAX));
    let upgraded = ClientBuilder::from_uri(uri).limits(limits).connect_on(io).await;
    let (socket, _answer) = upgraded.map_err(|source| WebSocketError::Upgrade { url: url.clone(), source })?;
    let (sink, stream) = socket.split();
    Ok(Connection {
        transport: Transport::WebSocket,
        incoming: Box::pin(Frames { stream }),
        outgoing: Box::pin(sink.with(|frame: Encoded| async move { Ok(Message::binary(frame.message())) }).boxed_sink()),
        activity,
    })
}
