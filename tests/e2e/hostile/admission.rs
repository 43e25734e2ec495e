//! More connections than the node takes: those beyond a limit are refused at the door, and there is room again when
//! others leave.

use std::net::SocketAddr;

use starling_mesh::transport::Transport;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use wtransport::error::ConnectingError;

use crate::support::eventually::{eventually, soon};
use crate::support::http::read_answer;
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::webtransport::Endpoint;
use crate::support::raw::{Dialer, Raw};
use crate::support::settings::Settings;

over_both! {
    no_more_than_the_node_may_have
    no_more_than_an_address_may_have
    no_more_than_may_be_opening
}

async fn no_more_than_the_node_may_have(transport: Transport) {
    let settings = Settings::default()
        .set("limits.connections_max", "3")
        .set("limits.connections_opening_max", "3")
        .set("limits.connections_per_address_max", "3");
    turns_away_the_fourth(settings, transport, "refused_connections_max").await;
}

async fn no_more_than_an_address_may_have(transport: Transport) {
    let settings = Settings::default().set("limits.connections_per_address_max", "3");
    turns_away_the_fourth(settings, transport, "refused_connections_per_address_max").await;
}

async fn turns_away_the_fourth(settings: Settings, transport: Transport, result: &str) {
    let node = Node::start(settings).await;
    let way = Way::new(&node, transport).await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        // The connection that asked for discovery gives its place back a moment after its answer.
        let mut session = eventually("room", async || way.dialer.try_connect().await.ok()).await;
        session.hello().await;
        sessions.push(session);
    }
    node.carries(3, transport).await;
    let before = node.metrics().await.accepted(transport, result);
    way.is_refused().await;
    assert_eq!(node.metrics().await.accepted(transport, result), before + 1.0);
    drop(sessions);
    node.carries(0, transport).await;
    node.is_unharmed().await;
    node.stop().await;
}

async fn no_more_than_may_be_opening(transport: Transport) {
    let node = Node::start(Settings::default().set("limits.connections_opening_max", "3")).await;
    let way = Way::new(&node, transport).await;
    // A connection gives its place back a moment after its answer.
    let connected = async || eventually("room", async || way.dialer.try_connect().await.ok()).await;
    let mut strangers: Vec<Raw> = Vec::new();
    for _ in 0..3 {
        strangers.push(connected().await);
    }
    let refused = async || {
        let metrics = node.metrics().await;
        metrics.accepted(transport, "refused_connections_opening_max")
    };
    let before = refused().await;
    way.is_refused().await;
    assert_eq!(refused().await, before + 1.0);
    // Who has said hello is a stranger no more.
    strangers[0].hello().await;
    let mut another = connected().await;
    another.hello().await;
    node.carries(2, transport).await;
    drop((strangers, another));
    node.carries(0, transport).await;
    node.is_unharmed().await;
    node.stop().await;
}

/// A way in, known before the door is closed: discovery is a connection, too.
struct Way {
    dialer: Dialer,
    door: Door,
}

enum Door {
    Tcp(SocketAddr),
    Quic(Endpoint),
}

impl Way {
    async fn new(node: &Node, transport: Transport) -> Self {
        Self {
            dialer: Dialer::new(node, transport).await,
            door: match transport {
                Transport::WebSocket => Door::Tcp(node.address()),
                Transport::WebTransport => Door::Quic(Endpoint::new(node, false).await),
            },
        }
    }

    /// One more is turned away, and told so as well as can be before there is a session.
    async fn is_refused(&self) {
        match &self.door {
            Door::Tcp(node) => {
                let mut stream = TcpStream::connect(node).await.expect("the port is open");
                let answer = soon("an answer", read_answer(&mut stream))
                    .await
                    .expect("a whole answer");
                assert_eq!(answer.refusal(), (503, "overloaded".to_owned()));
                assert_eq!(answer.header("retry-after"), Some("1"));
                let rest = soon("the end", stream.read_to_end(&mut Vec::new())).await;
                assert_eq!(rest.expect("closed in order"), 0);
            }
            Door::Quic(endpoint) => match soon("an answer", endpoint.session(&[])).await {
                Err(ConnectingError::ConnectionError(refused)) => {
                    assert!(format!("{refused:?}").to_lowercase().contains("refused"), "{refused:?}");
                }
                other => panic!("{:?}", other.err()),
            },
        }
    }
}
