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
    let uri: Uri = url.as_str().parse().map_err(|source| WebSocketError::BadUrl {
        url: url.clone(),
        source,
    })?;
    let opened = net::open(url, tls).await?;
    let activity = Activity::new();
    let io = Watched {
        io: opened.io,
        activity: Arc::clone(&activity),
    };
    let limits = Limits::default().max_payload_len(Some(limits::SERVER_FRAME_BYTES_MAX));
    let upgraded = ClientBuilder::from_uri(uri).limits(limits).connect_on(io).await;
    let (socket, _answer) = upgraded.map_err(|source| WebSocketError::Upgrade {
        url: url.clone(),
        source,
    })?;
    let (sink, stream) = socket.split();
    Ok(Connection {
        transport: Transport::WebSocket,
        incoming: Box::pin(Frames { stream }),
        outgoing: Box::pin(Messages { sink }),
        datagrams: None,
        activity,
    })
}

/// The bodies in what the server sends.
struct Frames {
    stream: SplitStream<WebSocketStream<Watched>>,
}

impl Stream for Frames {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(message) = ready!(self.stream.poll_next_unpin(context))
                .transpose()
                .map_err(ended)?
            else {
                return Poll::Ready(None);
            };
            if message.is_binary() {
                return Poll::Ready(Some(Ok(message.into_payload().into())));
            }
            if message.is_text() {
                return Poll::Ready(Some(Err(TransportError::Text)));
            }
            if let Some((code, reason)) = message.as_close() {
                let (code, reason) = (Some(code.into()), reason.to_owned());
                return Poll::Ready(Some(Err(TransportError::Closed { code, reason })));
            }
            // Pings are answered by the library, and are activity like all else.
        }
    }
}

/// The frames of the client, as messages.
struct Messages {
    sink: SplitSink<WebSocketStream<Watched>, Message>,
}

impl Sink<Encoded> for Messages {
    type Error = TransportError;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.sink.poll_ready_unpin(context).map_err(ended)
    }

    fn start_send(mut self: Pin<&mut Self>, frame: Encoded) -> Result<(), TransportError> {
        self.sink
            .start_send_unpin(Message::binary(frame.message()))
            .map_err(ended)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.sink.poll_flush_unpin(context).map_err(ended)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.sink.poll_close_unpin(context).map_err(ended)
    }
}

fn ended(error: Error) -> TransportError {
    match error {
        Error::PayloadTooLong { len, max_len } => DecodeError::TooLarge {
            bytes: len as u64,
            max: max_len,
        }
        .into(),
        Error::AlreadyClosed => TransportError::Closed {
            code: None,
            reason: String::new(),
        },
        other => TransportError::Broken(other.to_string()),
    }
}

/// A byte stream that notes when it was read from.
struct Watched {
    io: Box<dyn Io>,
    activity: Arc<Activity>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.io).poll_read(context, buffer));
        if buffer.filled().len() > before {
            self.activity.heard();
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
