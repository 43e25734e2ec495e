//! A TCP connection that can doze.
//!
//! Tokio watches a socket for both directions as long as it lives, and the kernel wakes the node for each segment that
//! arrives, whether anybody reads it or not. A session that listens to its client once a window would pay for a thousand
//! wake-ups a second and make use of a hundred. While a connection dozes, nobody watches its socket: what has arrived is
//! found by reading, and a write that finds no room ends the doze.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Something that reads from a [`Tcp`].
pub trait Doze {
    /// Whether nobody is woken when something arrives. A read that finds nothing is then asked again by whoever wants
    /// to know.
    fn doze(&mut self, dozing: bool);
}

/// See the module.
#[derive(Debug)]
pub struct Tcp {
    socket: Socket,
    /// A write waits for room, and has to be woken.
    is_full: bool,
}

#[derive(Debug)]
enum Socket {
    Watched(TcpStream),
    /// Dozing.
    Unwatched(std::net::TcpStream),
    /// The system would not watch it, or let it go.
    Lost,
}

impl Tcp {
    /// A connection that is awake.
    #[must_use]
    pub const fn new(stream: TcpStream) -> Self {
        Self {
            socket: Socket::Watched(stream),
            is_full: false,
        }
    }

    /// Writes with `dozing` while nobody watches, and with `awake` otherwise or when that finds no room.
    fn poll_write_with(
        &mut self,
        dozing: impl FnOnce(&std::net::TcpStream) -> io::Result<usize>,
        awake: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Socket::Unwatched(socket) = &self.socket {
            match dozing(socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.doze(false),
                written => return Poll::Ready(written),
            }
        }
        let Socket::Watched(stream) = &mut self.socket else {
            return Poll::Ready(lost());
        };
        let written = awake(Pin::new(stream));
        self.is_full = written.is_pending();
        written
    }
}

fn lost<T>() -> io::Result<T> {
    Err(io::ErrorKind::NotConnected.into())
}

impl Doze for Tcp {
    fn doze(&mut self, dozing: bool) {
        let as_it_is = match self.socket {
            Socket::Watched(_) => !dozing || self.is_full,
            Socket::Unwatched(_) => dozing,
            Socket::Lost => true,
        };
        if as_it_is {
            return;
        }
        let changed = match std::mem::replace(&mut self.socket, Socket::Lost) {
            Socket::Watched(stream) => stream.into_std().map(Socket::Unwatched),
            Socket::Unwatched(socket) => TcpStream::from_std(socket).map(Socket::Watched),
            Socket::Lost => lost(),
        };
        self.socket = changed.unwrap_or(Socket::Lost);
    }
}

impl Doze for TlsStream<Tcp> {
    fn doze(&mut self, dozing: bool) {
        self.get_mut().0.doze(dozing);
    }
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Watched(stream) => Pin::new(stream).poll_read(cx, buffer),
            Socket::Unwatched(socket) => match socket.read(buffer.initialize_unfilled()) {
                Ok(count) => {
                    buffer.advance(count);
                    Poll::Ready(Ok(()))
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
            Socket::Lost => Poll::Ready(lost()),
        }
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(|mut socket| socket.write(bytes), |stream| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(
            |mut socket| socket.write_vectored(slices),
            |stream| stream.poll_write_vectored(cx, slices),
        )
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // a socket keeps nothing back
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Watched(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Unwatched(socket) => Poll::Ready(socket.shutdown(Shutdown::Write)),
            Socket::Lost => Poll::Ready(lost()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A connection to test, and its other end.
    async fn pair() -> (Tcp, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        (Tcp::new(accepted.expect("accepted").0), client.expect("connected"))
    }

    /// Polls a read once, with a waker that wakes nobody.
    fn read_now(tcp: &mut Tcp, bytes: &mut [u8]) -> Poll<usize> {
        let mut buffer = ReadBuf::new(bytes);
        let polled = Pin::new(tcp).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer);
        polled.map(|read| read.map(|()| buffer.filled().len()).expect("readable"))
    }

    #[tokio::test]
    async fn what_arrives_during_a_doze_is_found_by_reading_and_wakes_who_reads_after_it() {
        let (mut tcp, mut client) = pair().await;
        let mut bytes = [0; 8];
        tcp.doze(true);
        assert!(read_now(&mut tcp, &mut bytes).is_pending(), "nothing was sent");
        client.write_all(b"one").await.expect("sent");
        let found = async {
            while read_now(&mut tcp, &mut bytes).is_pending() {
                tokio::task::yield_now().await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(10), found).await;
        found.expect("it arrives");
        assert_eq!(&bytes[..3], b"one");
        client.write_all(b"two").await.expect("sent");
        tcp.doze(false);
        let read = tokio::time::timeout(Duration::from_secs(10), tcp.read(&mut bytes)).await;
        assert_eq!(read.expect("woken").expect("readable"), 3);
    }

    #[tokio::test]
    async fn a_write_without_room_ends_the_doze_and_forbids_another() {
        let (mut tcp, mut client) = pair().await;
        tcp.doze(true);
        let written = {
            let mut cx = Context::from_waker(Waker::noop());
            let mut written = 0;
            while let Poll::Ready(more) = Pin::new(&mut tcp).poll_write(&mut cx, &[0; 64 * 1024]) {
                written += more.expect("connected");
            }
            written
        };
        tcp.doze(true);
        assert!(matches!(tcp.socket, Socket::Watched(_)), "the write has to be woken");
        let drain = async move {
            let mut taken = vec![0; written];
            client.read_exact(&mut taken).await.expect("all of it comes");
            client
        };
        let (_client, last) = tokio::join!(drain, tcp.write(b"last"));
        assert_eq!(last.expect("woken"), 4);
        tcp.doze(true);
        assert!(matches!(tcp.socket, Socket::Unwatched(_)));
    }

    #[tokio::test]
    async fn the_end_of_the_client_is_seen_during_a_doze() {
        let (mut tcp, client) = pair().await;
        tcp.doze(true);
        drop(client);
        let ended = async {
            while read_now(&mut tcp, &mut [0; 8]) != Poll::Ready(0) {
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(10), ended).await;
        ended.expect("the end arrives");
    }
}
