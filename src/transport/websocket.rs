//! WebSocket: one frame per binary message.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use starling_core::session::answer::Farewell;
use starling_protocol::frame::Encoded;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_websockets::{CloseCode, Config, Error, Limits, Message, ServerBuilder, WebSocketStream};

use super::{Connection, Ended, Transport};

/// See the module. `T` is the upgraded connection: plain TCP, or TLS over it.
pub struct WebSocket<T> {
    stream: WebSocketStream<Upgraded<T>>,
    /// Bytes handed to the stream since it was last flushed.
    queued: usize,
}

impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
    /// Takes over a connection whose upgrade was answered; `early` are bytes that came with it.
    /// Frames up to `bytes_max` are taken.
    #[must_use]
    pub fn new(io: T, early: Bytes, bytes_max: usize) -> Self {
        let stream = ServerBuilder::new()
            // The session decides how much is queued; the stream itself never has to flush early.
            .config(Config::default().flush_threshold(usize::MAX).frame_size(usize::MAX))
            .limits(Limits::default().max_payload_len(Some(bytes_max)))
            .serve(Upgraded { early, io });
        Self { stream, queued: 0 }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection for WebSocket<T> {
    const TRANSPORT: Transport = Transport::WebSocket;

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Ended>> {
        loop {
            let message = match ready!(Pin::new(&mut self.stream).poll_next(cx)) {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Poll::Ready(Err(ended(&error))),
                None => return Poll::Ready(Err(Ended::Gone)),
            };
            if message.is_binary() {
                return Poll::Ready(Ok(message.into_payload().into()));
            }
            if message.is_text() {
                let reason = "text message; send frames as binary messages".to_owned();
                return Poll::Ready(Err(Ended::Fault(Farewell::BadFrame(reason))));
            }
            // Pings are answered by the stream itself; after a close it ends by itself.
        }
    }

    fn queue(&mut self, frame: &Encoded) {
        let body = frame.message();
        self.queued += body.len();
        // The only error is a stream that is closed, which the next read or flush reports.
        let _ = Pin::new(&mut self.stream).start_send(Message::binary(body));
    }

    fn queued_bytes(&self) -> usize {
        self.queued
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.stream).poll_flush(cx)) {
            Ok(()) => {
                self.queued = 0;
                Poll::Ready(Ok(()))
            }
            Err(error) => Poll::Ready(Err(io::Error::other(error))),
        }
    }

    fn limit_frames(&mut self, bytes_max: usize) {
        let limits = self.stream.limits_mut();
        *limits = Limits::default().max_payload_len(Some(bytes_max));
    }

    async fn close(mut self, code: u16, reason: &str) {
        let code = CloseCode::try_from(code).unwrap_or(CloseCode::INTERNAL_SERVER_ERROR);
        let reason = &reason[..reason.floor_char_boundary(CLOSE_REASON_BYTES_MAX)];
        let close = Message::close(Some(code), reason);
        if Pin::new(&mut self.stream).start_send(close).is_ok() {
            let _ = std::future::poll_fn(|cx| Pin::new(&mut self.stream).poll_close(cx)).await;
        }
    }
}

/// RFC 6455, section 5.5: control frames carry 125 bytes, two of them the code.
const CLOSE_REASON_BYTES_MAX: usize = 123;

fn ended(error: &Error) -> Ended {
    match error {
        Error::PayloadTooLong { max_len, .. } => Ended::Fault(Farewell::FrameTooLarge { bytes_max: *max_len }),
        Error::Protocol(fault) => Ended::Fault(Farewell::BadFrame(format!("not a WebSocket frame: {fault}"))),
        _ => Ended::Gone,
    }
}

/// A connection some of whose bytes were read with its HTTP request.
struct Upgraded<T> {
    early: Bytes,
    io: T,
}

impl<T: AsyncRead + Unpin> AsyncRead for Upgraded<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        }
        let length = self.early.len().min(buffer.remaining());
        buffer.put_slice(&self.early[..length]);
        self.early.advance(length);
        if self.early.is_empty() {
            self.early = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Upgraded<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
