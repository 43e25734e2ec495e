//! WebSocket: one frame per binary message, on a TCP connection that HTTP has upgraded.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::queue::WriteQueue;
use super::tcp::Doze;
use super::{Connection, Ended, Transport};
use crate::fanout::Frame;

pub(crate) mod codec;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;

use codec::{CONTROL_BYTES_MAX, Decoder, Item, Opcode};

/// Bytes read at a time, into a buffer that all connections of a thread share: what one does not
/// use up at once is all that it keeps.
const READ_BYTES: usize = 16 * 1024;

/// Frames handed to the system in one write.
const SLICES_MAX: usize = 64;

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// See the module. `T` is the upgraded connection: plain TCP, or TLS over it.
#[derive(Debug)]
pub struct WebSocket<T> {
    io: T,
    decoder: Decoder,
    /// Received and not yet a whole frame. Without a buffer while there is nothing.
    received: BytesMut,
    queue: WriteQueue,
    /// TLS may have taken what the socket has not.
    unflushed: bool,
    /// The answer to the last ping, until what was queued before it is written. Only the last is answered, as RFC
    /// 6455, section 5.5.3 allows: a client that pings and does not read costs one answer, not one for each.
    pong: Option<Bytes>,
    /// The client has sent something since somebody asked.
    is_heard: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
    /// Takes over a connection whose upgrade was answered; `early` are bytes that came with it.
    /// Frames up to `bytes_max` are taken.
    #[must_use]
    pub fn new(io: T, early: &[u8], bytes_max: usize) -> Self {
        Self {
            io,
            decoder: Decoder::new(bytes_max),
            received: BytesMut::from(early),
            queue: WriteQueue::default(),
            unflushed: false,
            pong: None,
            is_heard: false,
        }
    }

    /// Queues a frame that is encoded, its header included. Shares its bytes.
    pub(crate) fn queue_bytes(&mut self, frame: Bytes) {
        self.queue.push(frame);
    }

    /// Whether the client has sent anything since this was asked last.
    pub(crate) const fn take_heard(&mut self) -> bool {
        std::mem::replace(&mut self.is_heard, false)
    }

    /// Reads what is there. Ready with whether there was anything before the end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        READ.with_borrow_mut(|shared| {
            let mut buffer = ReadBuf::new(shared);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
            self.received.extend_from_slice(buffer.filled());
            self.is_heard |= !buffer.filled().is_empty();
            Poll::Ready(Ok(!buffer.filled().is_empty()))
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.queue.is_single() {
            return Pin::new(&mut self.io).poll_write(cx, self.queue.front());
        }
        let mut slices = [io::IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(self.queue.iter()) {
            *slice = io::IoSlice::new(frame);
            count += 1;
        }
        Pin::new(&mut self.io).poll_write_vectored(cx, &slices[..count])
    }
}

impl<T: AsyncRead + AsyncWrite + Doze + Unpin + Send + 'static> Connection for WebSocket<T> {
    const TRANSPORT: Transport = Transport::WebSocket;

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Ended>> {
        loop {
            let item = self.decoder.decode(&mut self.received).map_err(Ended::Fault)?;
            if self.received.is_empty() && self.received.capacity() > 0 {
                self.received = BytesMut::new();
            }
            match item {
                Some(Item::Message(message)) => return Poll::Ready(Ok(message)),
                Some(Item::Ping(payload)) => self.pong = Some(codec::encode(Opcode::Pong, &payload)),
                Some(Item::Close) => return Poll::Ready(Err(Ended::Closed)),
                None => match ready!(self.poll_read(cx)) {
                    Ok(true) => {}
                    Ok(false) | Err(_) => return Poll::Ready(Err(Ended::Gone)),
                },
            }
        }
    }

    fn queue(&mut self, frame: &Frame) {
        self.queue.push(frame.websocket());
    }

    fn queued_bytes(&self) -> usize {
        self.queue.bytes() + self.pong.as_ref().map_or(0, Bytes::len)
    }

    fn is_written(&self) -> bool {
        self.queued_bytes() == 0 && !self.unflushed
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unflushed = true;
        loop {
            if self.queue.is_empty() {
                match self.pong.take() {
                    Some(pong) => self.queue.push(pong),
                    None => break,
                }
            }
            match ready!(self.poll_write(cx))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.queue.advance(written),
            }
        }
        // TLS keeps what the socket did not take.
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }

    fn doze(&mut self, dozing: bool) {
        self.io.doze(dozing);
    }

    fn limit_frames(&mut self, bytes_max: usize) {
        self.decoder.limit(bytes_max);
    }

    async fn close(mut self, code: u16, reason: &str, deadline: Instant) {
        self.io.doze(false); // or the client's own close would be slept through
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(&reason.as_bytes()[..reason.floor_char_boundary(CONTROL_BYTES_MAX - 2)]);
        self.queue.push(codec::encode(Opcode::Close, &payload));
        let closed = async {
            std::future::poll_fn(|cx| self.poll_flush(cx)).await?;
            std::future::poll_fn(|cx| Pin::new(&mut self.io).poll_shutdown(cx)).await?;
            // To close with bytes unread would reset the connection, and the goodbye with it.
            while std::future::poll_fn(|cx| self.poll_read(cx)).await? {
                self.received.clear();
            }
            io::Result::Ok(())
        };
        let _ = tokio::time::timeout_at(deadline, closed).await;
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use starling_protocol::frame::encode_server;
    use starling_protocol::v1::{Ping, server_frame};

    use super::*;

    /// Takes everything, as TLS does, and has a socket that is full so many times.
    struct Buffering {
        full: u32,
    }

    impl AsyncRead for Buffering {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Buffering {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            match self.full.checked_sub(1) {
                Some(less) => {
                    self.full = less;
                    Poll::Pending
                }
                None => Poll::Ready(Ok(())),
            }
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl Doze for Buffering {
        fn doze(&mut self, _: bool) {}
    }

    #[test]
    fn what_tls_has_taken_and_the_socket_has_not_is_not_written() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut websocket = WebSocket::new(Buffering { full: 1 }, &[], 1_024);
        assert!(websocket.is_written());
        websocket.queue(&Frame::from(encode_server(server_frame::Body::Ping(Ping { nonce: 1 }))));
        assert!(!websocket.is_written());
        assert!(websocket.poll_flush(&mut cx).is_pending());
        assert_eq!(websocket.queued_bytes(), 0, "all of it was taken");
        assert!(!websocket.is_written(), "it has to be flushed again");
        assert!(websocket.poll_flush(&mut cx).is_ready());
        assert!(websocket.is_written());
    }
}
