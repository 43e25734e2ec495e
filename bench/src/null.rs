//! Null servers: the least that can deliver a message, and so the floor under every figure.
//!
//! A null server takes the same connections as a node, over the same sockets with the same options, and answers just
//! enough of the protocol that the same load runs against it. A published message is encoded once and shared; one task
//! for each connection is woken and writes it with one write. There is no queue for a connection, no history, no order
//! to keep, no policy, no window, no check of anything. What it costs is the kernel's work, the runtime's wake-up and,
//! over WebTransport, stock QUIC.
//!
//! ```text
//! websocket      TCP: discovery and the upgrade, then a session
//! webtransport   QUIC: a session on the client's first stream
//! session        Welcome, then either a publisher's acks or a subscriber's writes
//! ```

mod session;
mod websocket;
mod webtransport;

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinSet;

use self::webtransport::Quic;
use crate::wire::discovery::{Discovery, WebSocket};
use crate::{Error, Transport};

/// Where sessions are opened, as in a node.
const CONNECT_PATH: &str = "/connect";

/// Messages shared by all connections and not yet written by the slowest. One second of the dense case; a connection
/// that falls further behind is dropped, and the run it belongs to loses deliveries and is void.
const SHARED_MESSAGES: usize = 1024;

/// Runs a null server on a port of the loopback address until the process ends.
///
/// It owns its runtime: a single thread, because nothing is cheaper on a single core.
///
/// # Errors
///
/// When the port is taken or the runtime cannot start.
pub fn run(transport: Transport, port: u16) -> Result<Infallible, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::system("start the null server's runtime"))?;
    runtime.block_on(async {
        let null = Null::bind(transport, port).await?;
        Ok(null.serve().await)
    })
}

/// A null server that is bound and does not serve yet.
pub(crate) struct Null {
    listener: TcpListener,
    quic: Option<Quic>,
    hub: Arc<Hub>,
    discovery: Arc<str>,
}

impl Null {
    /// Binds the port on the loopback address, TCP for discovery and WebSocket, UDP if asked for WebTransport. Port 0
    /// takes any free one.
    pub(crate) async fn bind(transport: Transport, port: u16) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(Error::system("bind the null server's TCP port"))?;
        let address = listener
            .local_addr()
            .map_err(Error::system("read the null server's address"))?;
        let quic = match transport {
            Transport::WebSocket => None,
            Transport::WebTransport => Some(Quic::bind(address)?),
        };
        let discovery = Discovery {
            websocket: WebSocket {
                url: format!("ws://{address}{CONNECT_PATH}"),
            },
            webtransport: quic.as_ref().map(|quic| quic.discovery(address)),
        };
        let discovery = serde_json::to_string(&discovery)
            .expect("strings and lists of strings are always JSON")
            .into();
        Ok(Self {
            listener,
            quic,
            hub: Arc::new(Hub::new(transport)),
            discovery,
        })
    }

    /// Where it listens.
    #[cfg(test)]
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.listener.local_addr().expect("a bound listener has an address")
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(self) -> Infallible {
        let mut serving = JoinSet::new();
        serving.spawn(websocket::serve(self.listener, Arc::clone(&self.hub), self.discovery));
        if let Some(quic) = self.quic {
            serving.spawn(quic.serve(self.hub));
        }
        match serving
            .join_next()
            .await
            .expect("a set with a task in it has a next one")
        {
            Ok(never) => never,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}

/// What all connections share: each message, once.
struct Hub {
    transport: Transport,
    messages: broadcast::Sender<Bytes>,
}

impl Hub {
    fn new(transport: Transport) -> Self {
        Self {
            transport,
            messages: broadcast::Sender::new(SHARED_MESSAGES),
        }
    }
}

#[cfg(test)]
mod tests {
    use starling_protocol::v1::{Publish, client_frame, server_frame};

    use super::*;
    use crate::load::{Course, Link, Target};

    /// Subscribers of the test: enough that "everyone" means something.
    const SUBSCRIBERS: usize = 5;
    const MESSAGES: u64 = 20;

    async fn everyone_receives_each_message_once_and_in_order(transport: Transport) {
        let null = Null::bind(transport, 0).await.expect("a free port");
        let address = null.address();
        let serving = tokio::spawn(null.serve());
        let target = Target::discover(transport, address).await.expect("answers");
        let mut subscribers = Vec::new();
        for number in 0..SUBSCRIBERS {
            let (link, _) = Link::attached(&target, number, Course::CHANNEL)
                .await
                .expect("a place in the channel");
            subscribers.push(link);
        }
        let (mut publisher, _) = Link::open(&target, SUBSCRIBERS).await.expect("a session");
        for serial in 1..=MESSAGES {
            publisher
                .send(client_frame::Body::Publish(publish(serial)))
                .await
                .expect("is sent");
            match publisher.receive().await.expect("is answered") {
                server_frame::Body::Ack(ack) => assert_eq!((ack.request, ack.serial), (serial, serial)),
                other => panic!("not an ack: {other:?}"),
            }
        }
        for mut link in subscribers {
            for seq in 1..=MESSAGES {
                match link.receive().await.expect("a message") {
                    server_frame::Body::Publication(message) => {
                        assert_eq!((message.seq, message.payload), (seq, publish(seq).payload));
                    }
                    other => panic!("not a message: {other:?}"),
                }
            }
        }
        serving.abort();
    }

    fn publish(serial: u64) -> Publish {
        let payload = vec![serial as u8; 150].into();
        let channel = Course::CHANNEL.into();
        Publish {
            request: serial,
            channel,
            serial,
            base: serial,
            since_ms: 1,
            payload,
            ..Publish::default()
        }
    }

    #[tokio::test]
    async fn over_websocket_everyone_receives_each_message_once_and_in_order() {
        everyone_receives_each_message_once_and_in_order(Transport::WebSocket).await;
    }

    #[tokio::test]
    async fn over_webtransport_everyone_receives_each_message_once_and_in_order() {
        everyone_receives_each_message_once_and_in_order(Transport::WebTransport).await;
    }
}
