//! A WebSocket in a hundred lines (RFC 6455, section 5.2), so that any byte of it can be wrong.

use std::io;
use std::net::SocketAddr;

use bytes::{Buf, Bytes, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::http::{Request, read_answer};

/// The opcode of a message that is text.
pub(crate) const TEXT: u8 = 1;
/// The opcode of a binary message.
pub(crate) const BINARY: u8 = 2;
/// The opcode of the close.
pub(crate) const CLOSE: u8 = 8;
/// The opcode of the transport's own ping.
pub(crate) const PING: u8 = 9;
/// The opcode of its answer.
pub(crate) const PONG: u8 = 10;

/// Bytes the kernel may hold for a client that does not read, on its own side.
const NARROW_BYTES: u32 = 4 * 1024;

/// Segments so small that the kernel on the server's side buffers little too: what it holds is counted in segments.
const NARROW_SEGMENT_BYTES: u32 = 536;

/// A TCP connection after its upgrade.
pub(crate) struct Socket {
    stream: TcpStream,
    received: BytesMut,
    /// Answers to the transport's own pings.
    pongs: u64,
}

/// What a WebSocket brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    Binary(Bytes),
    /// The close, with its code, or the end of the connection.
    Closed(Option<u16>),
}

impl Socket {
    /// Connects where sessions begin, unless the node has no room.
    pub(super) async fn connect(node: SocketAddr, is_narrow: bool) -> io::Result<Self> {
        Self::connect_to(node, is_narrow, Request::upgrade()).await
    }

    /// Connects and upgrades, unless the node does not.
    pub(crate) async fn connect_to(node: SocketAddr, is_narrow: bool, request: Request) -> io::Result<Self> {
        let socket = TcpSocket::new_v4().expect("a socket");
        if is_narrow {
            socket.set_recv_buffer_size(NARROW_BYTES).expect("a small buffer");
            SockRef::from(&socket)
                .set_tcp_mss(NARROW_SEGMENT_BYTES)
                .expect("small segments");
        }
        let mut stream = socket.connect(node).await.expect("the port is open");
        stream.set_nodelay(true).expect("a TCP option");
        let _ = stream.write_all(&request.bytes(node)).await; // it may have hung up already
        let answer = read_answer(&mut stream).await?;
        if answer.status != 101 {
            return Err(io::Error::other(format!("status {}", answer.status)));
        }
        Ok(Self {
            stream,
            received: BytesMut::new(),
            pongs: 0,
        })
    }

    /// Writes bytes that need not be frames.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Answers to the transport's own pings that came so far.
    pub(crate) fn pongs(&self) -> u64 {
        self.pongs
    }

    /// The next message. Giving up the wait loses nothing.
    pub(crate) async fn next(&mut self) -> Message {
        loop {
            while let Some((opcode, payload)) = self.take_frame() {
                match opcode {
                    BINARY => return Message::Binary(payload),
                    CLOSE => {
                        return Message::Closed(payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]])));
                    }
                    PING => {}
                    PONG => self.pongs += 1,
                    other => panic!("the node sends a frame with opcode {other}"),
                }
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) | Err(_) => return Message::Closed(None),
                Ok(_) => {}
            }
        }
    }

    fn take_frame(&mut self) -> Option<(u8, Bytes)> {
        let head = self.received.get(..2)?;
        assert!(
            head[0] & 0xf0 == 0x80,
            "the node sends whole messages, without extensions"
        );
        let (opcode, short) = (head[0] & 0x0f, head[1]);
        assert!(short < 0x80, "a server does not mask");
        let (head_bytes, length) = match short {
            126 => (
                4,
                u64::from(u16::from_be_bytes(
                    self.received.get(2..4)?.try_into().expect("two bytes"),
                )),
            ),
            127 => (
                10,
                u64::from_be_bytes(self.received.get(2..10)?.try_into().expect("eight bytes")),
            ),
            short => (2, u64::from(short)),
        };
        let length = usize::try_from(length).expect("a frame that fits memory");
        if self.received.len() < head_bytes + length {
            return None;
        }
        self.received.advance(head_bytes);
        Some((opcode, self.received.split_to(length).freeze()))
    }
}

/// The head of a client's frame that is its whole message, masked with zeros, which change nothing.
pub(crate) fn header(opcode: u8, bytes: u64) -> Vec<u8> {
    let mut header = vec![0x80 | opcode];
    match bytes {
        0..126 => header.push(0x80 | bytes as u8),
        126..65_536 => {
            header.push(0x80 | 126);
            header.extend_from_slice(&(bytes as u16).to_be_bytes());
        }
        _ => {
            header.push(0x80 | 127);
            header.extend_from_slice(&bytes.to_be_bytes());
        }
    }
    header.extend_from_slice(&[0; 4]);
    header
}

/// A message of its opcode.
pub(crate) fn message(opcode: u8, payload: &[u8]) -> Vec<u8> {
    [header(opcode, payload.len() as u64), payload.to_vec()].concat()
}

/// A binary message.
pub(crate) fn binary(payload: &[u8]) -> Vec<u8> {
    message(BINARY, payload)
}
