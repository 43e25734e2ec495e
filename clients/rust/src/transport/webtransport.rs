//! A session over WebTransport: frames with their lengths, on one bidirectional stream that the client opens, and datagrams.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Sink, Stream, stream};
use starling_protocol::frame::{Decoder, Encoded};
use starling_protocol::limits;
use thiserror::Error;
use tokio::io::AsyncWrite;
use url::Host;
use wtransport::config::QuicTransportConfig;
use wtransport::error::{ConnectingError, ConnectionError, StreamOpeningError};
use wtransport::quinn::VarInt as QuicVarInt;
use wtransport::{RecvStream, SendStream, VarInt};

use super::sockets::{Socket, Sockets};
use super::{Activity, Connection, Datagrams, TransportError};
use crate::Transport;
use crate::discovery::WebTransport;
use crate::tls::{Tls, TlsError};

/// Without a packet for so long the QUIC connection is given up. The session notices sooner.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// A packet is sent at least so often, to keep address translators from forgetting the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Bytes on their way on the one stream: two full pages and what is live beside them. More than a client can use only
/// lets a server fill its memory.
const RECEIVE_WINDOW_BYTES: u32 = 1024 * 1024;

/// Streams that the server may open: HTTP/3 needs three for itself, and this client takes none besides.
const SERVER_STREAMS_MAX: u32 = 8;

/// Bytes of datagrams that were not read, and of those that were not sent: the oldest go first. The cursors of a thousand clients
/// that all move at once.
const DATAGRAM_BYTES: usize = 64 * 1024;

/// Bytes read from the stream at once, at most: as much as four TLS records.
const CHUNK_BYTES: usize = 64 * 1024;

/// Why there is no WebTransport session.
#[derive(Debug, Error)]
pub(crate) enum WebTransportError {
    #[error("the host of {url} is unknown: {source}")]
    Lookup { url: url::Url, source: io::Error },
    #[error("the host of {url} has no address")]
    NoAddress { url: url::Url },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("no UDP socket: {0}")]
    Socket(io::Error),
    #[error("no WebTransport session: {0}")]
    Connect(#[from] ConnectingError),
    #[error("no WebTransport stream: {0}")]
    Open(#[from] ConnectionError),
    #[error("no WebTransport stream: {0}")]
    Refused(#[from] StreamOpeningError),
}

/// Opens a session and its stream, from one of the client's sockets. `known` is where the node was reached, by the host
/// name `host`.
pub(super) async fn connect(
    target: &WebTransport,
    (host, known): (Option<Host<&str>>, IpAddr),
    (sockets, tls): (&Sockets, &Tls),
) -> Result<Connection, WebTransportError> {
    let address = resolve(target, host, known).await?;
    let socket = sockets.socket(address, &target.trust, tls, quic()).await?;
    let connection = socket.connect(&target.url, address).await?;
    let (send, receive) = connection.open_bi().await?.await?;

    let activity = Activity::new();
    let connection = Arc::new(connection);
    let datagrams = Beside {
        connection: Arc::clone(&connection),
        activity: Arc::clone(&activity),
    };
    let reading = Reading {
        receive,
        connection: Arc::clone(&connection),
        buffer: BytesMut::new(),
        activity: Arc::clone(&activity),
    };
    Ok(Connection {
        transport: Transport::WebTransport,
        incoming: Box::pin(frames(reading)),
        outgoing: Box::pin(Writing {
            state: WritingState::Open {
                send,
                unsent: Bytes::new(),
            },
            connection,
            socket,
        }),
        datagrams: Some(Box::new(datagrams)),
        activity,
    })
}

async fn resolve(
    target: &WebTransport,
    host: Option<Host<&str>>,
    known: IpAddr,
) -> Result<SocketAddr, WebTransportError> {
    let url = &target.url;
    let port = url.port_or_known_default().unwrap_or(443);
    match url.host() {
        Some(Host::Ipv4(address)) => Ok((address, port).into()),
        Some(Host::Ipv6(address)) => Ok((address, port).into()),
        // Where TCP got through: of several addresses, the one that works.
        same if same == host => Ok((known, port).into()),
        Some(Host::Domain(domain)) => {
            let looked_up = tokio::net::lookup_host((domain, port)).await;
            let mut found = looked_up.map_err(|source| WebTransportError::Lookup {
                url: url.clone(),
                source,
            })?;
            found
                .next()
                .ok_or_else(|| WebTransportError::NoAddress { url: url.clone() })
        }
        None => Err(WebTransportError::NoAddress { url: url.clone() }),
    }
}

fn quic() -> QuicTransportConfig {
    let mut config = QuicTransportConfig::default();
    config
        .max_idle_timeout(Some(
            IDLE_MAX.try_into().expect("thirty seconds fit a QUIC idle timeout"),
        ))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .stream_receive_window(RECEIVE_WINDOW_BYTES.into())
        .receive_window((2 * RECEIVE_WINDOW_BYTES).into())
        .max_concurrent_uni_streams(SERVER_STREAMS_MAX.into())
        .max_concurrent_bidi_streams(QuicVarInt::from_u32(1))
        .datagram_receive_buffer_size(Some(DATAGRAM_BYTES))
        .datagram_send_buffer_size(DATAGRAM_BYTES);
    config
}

/// The stream as it is read.
struct Reading {
    receive: RecvStream,
    connection: Arc<wtransport::Connection>,
    buffer: BytesMut,
    activity: Arc<Activity>,
}

fn frames(reading: Reading) -> impl Stream<Item = Result<Bytes, TransportError>> + Send {
    stream::try_unfold(reading, |mut reading| async move {
        let frame = reading.frame().await?;
        Ok(frame.map(|frame| (frame, reading)))
    })
}

impl Reading {
    async fn frame(&mut self) -> Result<Option<Bytes>, TransportError> {
        let decoder = Decoder::new(limits::SERVER_FRAME_BYTES_MAX);
        loop {
            if let Some(frame) = decoder.decode(&mut self.buffer)? {
                return Ok(Some(frame));
            }
            let chunk = self.receive.quic_stream_mut().read_chunk(CHUNK_BYTES, true).await;
            match chunk {
                Ok(Some(chunk)) => {
                    self.activity.heard();
                    self.buffer.extend_from_slice(&chunk.bytes);
                }
                Ok(None) => {
                    decoder.finish(&self.buffer)?;
                    return Ok(None);
                }
                Err(error) => return Err(ended(&self.connection, &error)),
            }
        }
    }
}

/// The datagrams beside the stream.
struct Beside {
    connection: Arc<wtransport::Connection>,
    activity: Arc<Activity>,
}

impl Datagrams for Beside {
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Bytes> {
        // A fresh future at each poll: it holds nothing between polls but its place as waiter.
        match ready!(pin!(self.connection.receive_datagram()).poll(context)) {
            Ok(datagram) => {
                self.activity.heard();
                Poll::Ready(datagram.payload())
            }
            // The stream tells of the end.
            Err(_) => Poll::Pending,
        }
    }

    fn send(&mut self, body: &[u8]) -> bool {
        self.connection.send_datagram(body).is_ok()
    }
}

/// The stream as it is written.
struct Writing {
    state: WritingState,
    connection: Arc<wtransport::Connection>,
    socket: Arc<Socket>,
}

enum WritingState {
    Open {
        send: SendStream,
        unsent: Bytes,
    },
    /// Waits until the server has everything, because closing the connection drops what is on its way.
    Closing(Pin<Box<dyn Future<Output = ()> + Send>>),
    Closed,
}

impl Sink<Encoded> for Writing {
    type Error = TransportError;

    fn poll_ready(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.get_mut().poll_written(context)
    }

    fn start_send(mut self: Pin<&mut Self>, frame: Encoded) -> Result<(), TransportError> {
        match &mut self.state {
            WritingState::Open { unsent, .. } => *unsent = frame.stream(),
            WritingState::Closing(_) | WritingState::Closed => return Err(TransportError::Stuck),
        }
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.get_mut().poll_written(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let this = self.get_mut();
        ready!(this.poll_written(context))?;
        loop {
            match &mut this.state {
                WritingState::Open { .. } => this.begin_close(),
                WritingState::Closing(closing) => {
                    ready!(closing.as_mut().poll(context));
                    this.state = WritingState::Closed;
                }
                WritingState::Closed => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl Writing {
    fn poll_written(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let WritingState::Open { send, unsent } = &mut self.state else {
            return Poll::Ready(Ok(()));
        };
        while !unsent.is_empty() {
            match ready!(Pin::new(&mut *send).poll_write(context, unsent)) {
                Ok(written) => unsent.advance(written),
                Err(error) => return Poll::Ready(Err(ended(&self.connection, &error))),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn begin_close(&mut self) {
        if let WritingState::Open { mut send, .. } = std::mem::replace(&mut self.state, WritingState::Closed) {
            let (connection, socket) = (Arc::clone(&self.connection), Arc::clone(&self.socket));
            self.state = WritingState::Closing(Box::pin(async move {
                // Either the server has it all, or it is not there any more: the connection ends both ways.
                let _finished = send.finish().await;
                connection.close(VarInt::from_u32(0), b"");
                socket.told().await;
            }));
        }
    }
}

/// Why the stream ended: if the whole connection did, that says more.
fn ended(connection: &wtransport::Connection, error: &dyn std::error::Error) -> TransportError {
    use wtransport::quinn::ConnectionError;

    match connection.quic_connection().close_reason() {
        Some(ConnectionError::ApplicationClosed(close)) => TransportError::Closed {
            code: u16::try_from(close.error_code.into_inner()).ok(),
            reason: String::from_utf8_lossy(&close.reason).into_owned(),
        },
        Some(other) => TransportError::Broken(other.to_string()),
        None => TransportError::Broken(error.to_string()),
    }
}
