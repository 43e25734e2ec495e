//! WebTransport: length-delimited frames on the one bidirectional stream that the client opens, and datagrams beside it.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use starling_core::session::answer::Farewell;
use starling_protocol::frame::{DecodeError, Decoder};
use starling_protocol::limits;
use tokio::time::Instant;
use wtransport::quinn::{ConnectionError, ReadError};
use wtransport::{RecvStream, SendStream, VarInt};

use super::queue::WriteQueue;
use super::{Connection, Ended, Transport};
use crate::fanout::Frame;

/// Bytes taken from the stream at a time. QUIC packets are not longer than this, so a chunk is
/// what one packet brought; it is a slice of the packet, not a buffer of ours.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// Chunks handed to the stream in one call: quinn copies none of them.
const CHUNKS_MAX: usize = 16;

/// Bytes that HTTP/3 puts before a datagram at most: the number of its session.
const DATAGRAM_HEADER_BYTES_MAX: usize = 8;

/// See the module.
pub struct WebTransport {
    /// Keeps the session alive; dropping it closes the connection.
    connection: wtransport::Connection,
    send: SendStream,
    receive: RecvStream,
    decoder: Decoder,
    /// Received and not yet a whole frame. Empty, and without a buffer, between frames.
    received: BytesMut,
    queue: WriteQueue,
    /// Datagrams that were handed on, or counted as dropped.
    datagrams: u64,
    sends_datagrams: bool,
}

impl WebTransport {
    /// Serves frames on `stream`. Frames up to `bytes_max` are taken.
    #[must_use]
    pub fn new(connection: wtransport::Connection, stream: (SendStream, RecvStream), bytes_max: usize) -> Self {
        let (send, receive) = stream;
        Self {
            connection,
            send,
            receive,
            decoder: Decoder::new(bytes_max),
            received: BytesMut::new(),
            queue: WriteQueue::default(),
            datagrams: 0,
            sends_datagrams: false,
        }
    }

    /// A whole frame of what was received, if there is one.
    fn decode(&mut self) -> Result<Option<Bytes>, Ended> {
        let decoded = self.decoder.decode(&mut self.received).map_err(|error| {
            Ended::Fault(match error {
                DecodeError::TooLarge { max, .. } => Farewell::FrameTooLarge { bytes_max: max },
                error => Farewell::BadFrame(error.to_string()),
            })
        })?;
        if self.received.is_empty() {
            self.received = BytesMut::new();
        }
        Ok(decoded)
    }
}

/// What a stream that cannot be read says of its connection. A browser whose page goes closes the connection, or the stream that
/// the session was opened on, and then wtransport closes the connection itself: this node has not, or the session would be over.
fn ended(error: &ReadError) -> Ended {
    use ConnectionError::{ApplicationClosed, ConnectionClosed, LocallyClosed};
    match error {
        ReadError::Reset(_) | ReadError::ConnectionLost(ApplicationClosed(_) | ConnectionClosed(_) | LocallyClosed) => {
            Ended::Closed
        }
        _ => Ended::Gone,
    }
}

impl Connection for WebTransport {
    const TRANSPORT: Transport = Transport::WebTransport;

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Ended>> {
        loop {
            if let Some(body) = self.decode()? {
                return Poll::Ready(Ok(body));
            }
            let stream = self.receive.quic_stream_mut();
            // A fresh future at each poll: it holds nothing between polls but its place as waiter.
            let chunk = ready!(pin!(stream.read_chunk(CHUNK_BYTES_MAX, true)).poll(cx));
            match chunk {
                Ok(Some(chunk)) => self.received.extend_from_slice(&chunk.bytes),
                // A client may leave between two frames; inside one it has lost count.
                Ok(None) => {
                    let whole = self.decoder.finish(&self.received);
                    let fault = |error: DecodeError| Ended::Fault(Farewell::BadFrame(error.to_string()));
                    return Poll::Ready(Err(whole.map_or_else(fault, |()| Ended::Closed)));
                }
                Err(error) => return Poll::Ready(Err(ended(&error))),
            }
        }
    }

    fn queue(&mut self, frame: &Frame) {
        self.queue.push(frame.stream());
    }

    fn queued_bytes(&self) -> usize {
        self.queue.bytes()
    }

    fn is_written(&self) -> bool {
        self.queue.is_empty()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.send.quic_stream_mut();
        while !self.queue.is_empty() {
            let mut chunks = [const { Bytes::new() }; CHUNKS_MAX];
            let mut count = 0;
            for (chunk, frame) in chunks.iter_mut().zip(self.queue.iter()) {
                *chunk = frame.clone();
                count += 1;
            }
            let written = ready!(pin!(stream.write_chunks(&mut chunks[..count])).poll(cx)).map_err(io::Error::other)?;
            self.queue.advance(written.bytes);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_datagram(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        // As with the stream, a fresh future holds nothing between polls but its place as waiter.
        match ready!(pin!(self.connection.receive_datagram()).poll(cx)) {
            Ok(datagram) => {
                self.datagrams += 1;
                Poll::Ready(datagram.payload())
            }
            Err(_) => Poll::Pending, // the stream tells of the end
        }
    }

    fn datagrams_dropped(&mut self) -> u64 {
        // QUIC keeps so many bytes and drops the oldest. What it still keeps counts as dropped until it is read, and then makes up
        // for one that is.
        let came = self.connection.quic_connection().stats().frame_rx.datagram;
        let dropped = came.saturating_sub(self.datagrams);
        self.datagrams += dropped;
        dropped
    }

    fn datagram_bytes_max(&self) -> usize {
        limits::DATAGRAM_BYTES_MAX
    }

    fn permit_datagrams(&mut self) {
        // A client may have announced at first that it takes none, or shorter ones.
        let reaches = self.connection.quic_connection().max_datagram_size();
        self.sends_datagrams = reaches >= Some(limits::DATAGRAM_BYTES_MAX + DATAGRAM_HEADER_BYTES_MAX);
    }

    fn sends_datagrams(&self) -> bool {
        self.sends_datagrams
    }

    fn send_datagram(&mut self, body: &[u8]) -> bool {
        self.connection.send_datagram(body).is_ok()
    }

    fn limit_frames(&mut self, bytes_max: usize) {
        self.decoder = Decoder::new(bytes_max);
    }

    async fn close(mut self, code: u16, reason: &str, deadline: Instant) {
        // Browsers do not see the code of a closed connection, and closing it drops what is still on
        // its way: end the stream, let the goodbye arrive, and only then close.
        let goodbye = async {
            if self.send.finish().await.is_ok() {
                self.connection.closed().await;
            }
        };
        let _ = tokio::time::timeout_at(deadline, goodbye).await;
        self.connection.close(VarInt::from(u32::from(code)), reason.as_bytes());
    }
}
