//! A server that does as a test says, over real sockets on loopback.

#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use starling_client::{Client, ClientBuilder, Event, SubscribeOptions, Subscription, Transports};
use starling_protocol::frame::{decode_client, encode_server};
use starling_protocol::v1::{self, client_frame, server_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_websockets::{Limits, Message, ServerBuilder, WebSocketStream};

pub(crate) const LOBBY: &str = "demo:lobby";

/// The next frame of a client, which is of this kind.
#[macro_export]
macro_rules! expect {
    ($session:expr, $kind:ident) => {
        match $session.receive().await {
            starling_protocol::v1::client_frame::Body::$kind(frame) => frame,
            other => panic!("{} instead of {}: {other:?}", other.name(), stringify!($kind)),
        }
    };
}

/// A node with one port.
pub(crate) struct Server {
    listener: TcpListener,
    /// What the description says of WebTransport.
    pub(crate) webtransport: Option<String>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self {
            listener,
            webtransport: None,
        }
    }

    pub(crate) fn authority(&self) -> String {
        self.listener.local_addr().expect("it is bound").to_string()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.authority())
    }

    /// A client that may use a WebSocket only.
    pub(crate) fn client(&self) -> Client {
        self.builder()
            .transport(Transports::WebSocket)
            .build()
            .expect("good settings")
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        Client::builder(self.url())
    }

    /// The next session that a client opens, before its hello.
    pub(crate) async fn accept(&self) -> Session {
        loop {
            let (stream, _) = self.listener.accept().await.expect("a client");
            let mut start = [0; 128];
            let read = stream.peek(&mut start).await.expect("a request");
            if start[..read].starts_with(b"GET /.well-known/starling ") {
                self.describe(stream).await;
            } else {
                let limits = Limits::default().max_payload_len(None);
                let (_, socket) = ServerBuilder::new()
                    .limits(limits)
                    .accept(stream)
                    .await
                    .expect("an upgrade");
                return Session { socket };
            }
        }
    }

    /// The next session, which is open.
    pub(crate) async fn session(&self) -> Session {
        let mut session = self.accept().await;
        expect!(session, Hello);
        session.send(welcome()).await;
        session
    }

    async fn describe(&self, mut stream: TcpStream) {
        let mut request = [0; 4096];
        let _read = stream.read(&mut request).await.expect("a request");
        let authority = self.authority();
        let webtransport = self
            .webtransport
            .as_ref()
            .map(|it| format!(",\"webtransport\":{it}"))
            .unwrap_or_default();
        let body = format!(
            "{{\"protocol\":{{\"min\":1,\"max\":1}},\"websocket\":{{\"url\":\"ws://{authority}/connect\"}}{webtransport}}}"
        );
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .expect("a live socket");
    }
}

/// A session, from the server's side.
pub(crate) struct Session {
    socket: WebSocketStream<TcpStream>,
}

impl Session {
    pub(crate) async fn receive(&mut self) -> client_frame::Body {
        let message = self
            .socket
            .next()
            .await
            .expect("a live session")
            .expect("a live socket");
        decode_client(Bytes::from(message.into_payload())).expect("a frame within the rules")
    }

    pub(crate) async fn send(&mut self, frame: impl Into<server_frame::Body>) {
        let message = Message::binary(encode_server(frame).message());
        self.socket.send(message).await.expect("a live socket");
    }

    pub(crate) async fn send_raw(&mut self, bytes: &'static [u8]) {
        self.socket.send(Message::binary(bytes)).await.expect("a live socket");
    }

    /// Answers the next Attach, which starts after `seq`, as channel 5: what it asked for.
    pub(crate) async fn attach(&mut self, seq: u64, head: u64) -> v1::Attach {
        let attach = expect!(self, Attach);
        self.send(attached(&attach, seq, head)).await;
        attach
    }

    /// Waits until the client has closed the connection.
    pub(crate) async fn closed(mut self) {
        while let Some(Ok(_)) = self.socket.next().await {}
    }

    /// Ends the connection without a word.
    pub(crate) fn cut(self) {
        drop(self.socket.into_inner());
    }
}

pub(crate) fn welcome() -> v1::Welcome {
    v1::Welcome {
        version: 1,
        session: "s1".into(),
        node: "a".into(),
        generation: 1,
        heartbeat_ms: 10_000,
        time_ms: 1_000_000,
        window: Some(v1::Window::default()),
        limits: Some(v1::Limits {
            frame_bytes: 66_560,
            channels: 100,
            publishes_in_flight: 64,
        }),
        expires_ms: 0,
        datagram_bytes: 0,
    }
}

pub(crate) fn position(seq: u64) -> v1::Position {
    v1::Position {
        epoch: "0-a".into(),
        seq,
        term: 1,
    }
}

pub(crate) fn attached(attach: &v1::Attach, seq: u64, head: u64) -> v1::Attached {
    v1::Attached {
        request: attach.request,
        channel_id: 5,
        channel: attach.channel.clone(),
        position: Some(position(seq)),
        head,
        window: Some(v1::Window::default()),
        policy: v1::Policy::Recover.into(),
        keyed: false,
        outcome: Some(v1::attached::Outcome::Resumed(v1::Resumed {})),
    }
}

pub(crate) fn publication(seq: u64) -> v1::Publication {
    let payload = Bytes::from(format!("message {seq}"));
    v1::Publication {
        channel_id: 5,
        seq,
        term: 1,
        time_ms: 1_000_000,
        payload,
        ..v1::Publication::default()
    }
}

/// A page of messages with payloads of so many bytes.
pub(crate) fn page(after: u64, through: u64, bytes: usize) -> v1::Page {
    let entry = |seq| v1::PageEntry {
        seq,
        term: 1,
        time_ms: 1,
        payload: vec![7; bytes].into(),
        ..Default::default()
    };
    v1::Page {
        channel_id: 5,
        after,
        entries: (after + 1..=through).map(entry).collect(),
    }
}

pub(crate) fn ack(publish: &v1::Publish, seq: u64) -> v1::Ack {
    let v1::Publish { request, serial, .. } = *publish;
    v1::Ack {
        request,
        serial,
        position: Some(position(seq)),
        copies: 1,
        time_ms: 1_000_000,
        ..v1::Ack::default()
    }
}

/// The seqs of the next `count` messages.
pub(crate) async fn seqs(subscription: &mut Subscription, count: usize) -> Vec<u64> {
    let mut seqs = Vec::new();
    while seqs.len() < count {
        if let Event::Message(message) = subscription.next().await.expect("a live subscription") {
            seqs.push(message.position.seq);
        }
    }
    seqs
}

/// A subscription to the lobby after seq 10, which is the head.
pub(crate) async fn subscribed(client: &Client, server: &Server) -> (Subscription, Session) {
    let (subscription, session) = tokio::join!(client.subscribe(LOBBY, SubscribeOptions::default()), async {
        let mut session = server.session().await;
        session.attach(10, 10).await;
        session
    });
    (subscription.expect("it was attached"), session)
}
