//! One connection of the load, over either transport: whole frames both ways, and the opening of a session.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use starling_protocol::frame::{decode_server, encode_client};
use starling_protocol::limits::PAGE_CREDIT_BYTES_MIN;
use starling_protocol::v1::{Attach, Hello, Pong, Welcome, attach, client_frame, server_frame};
use starling_protocol::version;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::websocket;
use super::webtransport::Quic;
use crate::Transport;
use crate::error::LinkError;
use crate::wire::discovery::Discovery;

/// Connections from one address of this machine. The kernel has 28,232 ports for each by default, and some are in use.
const LINKS_PER_ADDRESS: usize = 20_000;

/// Longest time from the first packet to an open session, attached if it is to be. Milliseconds are usual; a server
/// that needs longer would not have opened a thousand within a minute either.
const OPEN: Duration = Duration::from_secs(10);

/// A server and how to reach it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
    pub(crate) discovery: Discovery,
}

impl Target {
    /// Asks the server at this address how it can be reached.
    pub(crate) async fn discover(transport: Transport, address: SocketAddr) -> Result<Self, LinkError> {
        let discovery = Discovery::fetch(address).await?;
        if transport == Transport::WebTransport {
            discovery.digests()?;
        }
        Ok(Self {
            transport,
            address,
            discovery,
        })
    }
}

/// A connection with an open session.
pub(crate) struct Link {
    transport: Transport,
    wire: Wire,
    received: BytesMut,
}

/// What carries it.
enum Wire {
    Tcp(TcpStream),
    Quic(Box<Quic>),
}

impl Link {
    /// Connects and says Hello. Links are numbered: the number gives each a source address and a publisher of its own.
    pub(crate) async fn open(target: &Target, number: usize) -> Result<(Self, Welcome), LinkError> {
        in_time(Self::hello(target, number)).await
    }

    /// Connects, says Hello and joins a channel at its head.
    pub(crate) async fn attached(target: &Target, number: usize, channel: &str) -> Result<(Self, Welcome), LinkError> {
        in_time(async {
            let (mut link, welcome) = Self::hello(target, number).await?;
            link.attach(channel).await?;
            Ok((link, welcome))
        })
        .await
    }

    async fn hello(target: &Target, number: usize) -> Result<(Self, Welcome), LinkError> {
        let source = source(number);
        let wire = match target.transport {
            Transport::WebSocket => Wire::Tcp(websocket::connect(target, source).await?),
            Transport::WebTransport => Wire::Quic(Box::new(Quic::connect(target, source).await?)),
        };
        let mut link = Self {
            transport: target.transport,
            wire,
            received: BytesMut::new(),
        };
        let hello = Hello {
            version_min: version::VERSION_MIN,
            version_max: version::VERSION_MAX,
            // Random elsewhere; here the server is new for every run, and so is every publisher.
            publisher: (number as u128 + 1).to_be_bytes().to_vec().into(),
            agent: "starling-bench".into(),
            page_credit: PAGE_CREDIT_BYTES_MIN,
            ..Hello::default()
        };
        link.send(client_frame::Body::Hello(hello)).await?;
        match link.receive().await? {
            server_frame::Body::Welcome(welcome) => Ok((link, welcome)),
            other => Err(refused(other)),
        }
    }

    async fn attach(&mut self, channel: &str) -> Result<(), LinkError> {
        let from = Some(attach::From::Rewind(0));
        let attach = Attach {
            request: 1,
            channel: channel.into(),
            from,
            ..Attach::default()
        };
        self.send(client_frame::Body::Attach(attach)).await?;
        loop {
            match self.receive().await? {
                server_frame::Body::Attached(_) => return Ok(()),
                server_frame::Body::Ping(_) => self.send_alive().await?,
                other => return Err(refused(other)),
            }
        }
    }

    /// Tells the server that this side is there. A Pong nobody asked for: any frame does, and this one has no answer
    /// that would mix with what is counted.
    pub(crate) async fn send_alive(&mut self) -> Result<(), LinkError> {
        self.send(alive()).await
    }

    /// Sends one frame, in one write if the socket takes it.
    pub(crate) async fn send(&mut self, frame: client_frame::Body) -> Result<(), LinkError> {
        let frame = self.transport.client_frame(&encode_client(frame));
        match &mut self.wire {
            Wire::Tcp(stream) => Ok(stream.write_all(&frame).await?),
            Wire::Quic(quic) => quic.write(frame).await,
        }
    }

    /// Receives one frame. Nothing is lost when this is given up while it waits.
    pub(crate) async fn receive(&mut self) -> Result<server_frame::Body, LinkError> {
        loop {
            if let Some(frame) = self.transport.next_frame(&mut self.received)? {
                return Ok(decode_server(frame.body)?);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), LinkError> {
        let read = match &mut self.wire {
            Wire::Tcp(stream) => stream.read_buf(&mut self.received).await?,
            Wire::Quic(quic) => quic.read.read_buf(&mut self.received).await?,
        };
        if read == 0 { Err(LinkError::Closed) } else { Ok(()) }
    }

    /// The socket and what has been read beyond the last frame, for a loop of its own. Over WebSocket only.
    pub(super) fn into_tcp(self) -> Option<(TcpStream, BytesMut)> {
        match self.wire {
            Wire::Tcp(stream) => Some((stream, self.received)),
            Wire::Quic(_) => None,
        }
    }

    /// The QUIC connection and what has been read beyond the last frame, for tasks of its own. Over WebTransport only.
    pub(super) fn into_quic(self) -> Option<(Quic, BytesMut)> {
        match self.wire {
            Wire::Tcp(_) => None,
            Wire::Quic(quic) => Some((*quic, self.received)),
        }
    }
}

async fn in_time<T>(opening: impl Future<Output = Result<T, LinkError>>) -> Result<T, LinkError> {
    let opened = tokio::time::timeout(OPEN, opening).await;
    opened.unwrap_or_else(|_| Err(LinkError::Protocol(format!("not open within {OPEN:?}"))))
}

/// The frame that says a client is there.
pub(super) fn alive() -> client_frame::Body {
    client_frame::Body::Pong(Pong { nonce: 0, time_ms: 0 })
}

/// The address of this machine that a link comes from.
fn source(number: usize) -> SocketAddr {
    let last = 1 + number / LINKS_PER_ADDRESS % 254;
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last as u8)), 0)
}

/// What a frame means that came instead of an answer.
fn refused(frame: server_frame::Body) -> LinkError {
    match frame {
        server_frame::Body::Error(error) => LinkError::Refused(format!("{}: {}", error.code().name(), error.message)),
        server_frame::Body::Goodbye(goodbye) => LinkError::Refused(format!("{}: {}", goodbye.code, goodbye.reason)),
        other => LinkError::Protocol(format!("{other:?} came where an answer was expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_spread_over_addresses_before_ports_run_out() {
        assert_eq!(source(0), source(LINKS_PER_ADDRESS - 1));
        assert_eq!(source(LINKS_PER_ADDRESS).ip(), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)));
        assert!(source(LINKS_PER_ADDRESS * 300).ip().is_loopback());
    }
}
