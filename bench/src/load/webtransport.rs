//! Subscribers over WebTransport: each its own endpoint and UDP socket.
//!
//! Many clients on one socket would let the kernel merge their packets and hide what they cost the server. A QUIC
//! receiver has to decrypt and acknowledge, so even a sink costs as much as a delivery: keep a run below 12,000
//! deliveries a second.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use starling_protocol::frame::encode_client;
use tokio::sync::watch;
use tokio::task::JoinSet;
use wtransport::config::QuicTransportConfig;
use wtransport::endpoint::endpoint_side::Client;
use wtransport::tls::Sha256Digest;
use wtransport::{ClientConfig, Connection, Endpoint, RecvStream, SendStream};

use super::alive::Alive;
use super::link::{Link, Target, alive};
use super::probe::{Probe, Reader};
use super::receivers::{STOP_GLANCE, Shared};
use super::roles::Role;
use super::tally::Tallies;
use crate::Transport;
use crate::error::LinkError;

/// Silence that ends a connection, and how often an idle one says that it is there: the protocol's figures for clients.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Most bytes a sink takes out of a stream at once, and a probe's buffer grows by.
const READ_BYTES: usize = 64 * 1024;

/// A session over WebTransport: the stream that carries it, and what must live as long.
pub(super) struct Quic {
    pub(super) read: RecvStream,
    write: SendStream,
    _connection: Connection,
    _endpoint: Endpoint<Client>,
}

impl Quic {
    /// Connects from a source address and opens the stream.
    pub(super) async fn connect(target: &Target, source: SocketAddr) -> Result<Self, LinkError> {
        let digests = target.discovery.digests()?.into_iter().map(Sha256Digest::new);
        let url = target
            .discovery
            .webtransport
            .as_ref()
            .map(|webtransport| webtransport.url.as_str());
        let url = url.ok_or_else(|| LinkError::Protocol("the server does not offer WebTransport".into()))?;
        let mut transport = QuicTransportConfig::default();
        transport.keep_alive_interval(Some(KEEP_ALIVE)).max_idle_timeout(Some(
            IDLE_TIMEOUT.try_into().expect("thirty seconds are a QUIC duration"),
        ));
        let mut config = ClientConfig::builder()
            .with_bind_socket(UdpSocket::bind(source)?)
            .with_server_certificate_hashes(digests)
            .build();
        config.quic_config_mut().transport_config(Arc::new(transport));
        let endpoint = Endpoint::client(config)?;
        let connection = endpoint.connect(url).await.map_err(failed)?;
        let (write, read) = connection.open_bi().await.map_err(failed)?.await.map_err(failed)?;
        Ok(Self {
            read,
            write,
            _connection: connection,
            _endpoint: endpoint,
        })
    }

    pub(super) async fn write(&mut self, frame: Bytes) -> Result<(), LinkError> {
        self.write.quic_stream_mut().write_chunk(frame).await.map_err(failed)
    }
}

/// Receives until told to stop; what the probes saw.
pub(super) async fn receive(links: Vec<Link>, mut turns: Alive, shared: &Shared) -> Vec<Probe> {
    // Dropping the sender tells every task to return.
    let (running, stopped) = watch::channel(());
    let mut tasks = JoinSet::new();
    let mut writers = Vec::with_capacity(links.len());
    for (number, (quic, received)) in links.into_iter().filter_map(Link::into_quic).enumerate() {
        let Quic {
            read,
            write,
            _connection,
            _endpoint,
        } = quic;
        writers.push((write, _connection, _endpoint));
        let tallies = Arc::clone(&shared.tallies);
        let stopped = stopped.clone();
        match shared.roles.of(number) {
            Role::Sink(sink) => tasks.spawn(receive_sink(read, sink, tallies, stopped)),
            Role::Probe(probe) => {
                let reader = Reader::new(Transport::WebTransport, received, shared.probe());
                tasks.spawn(receive_probe(read, probe, reader, tallies, stopped))
            }
        };
    }
    let alive = Transport::WebTransport.client_frame(&encode_client(alive()));
    while !shared.is_stopped() {
        while let Some(due) = turns.due(Instant::now()) {
            // An ended connection is noticed by its reader.
            let _ = writers[due].0.quic_stream_mut().write_chunk(alive.clone()).await;
        }
        tokio::time::sleep(STOP_GLANCE).await;
    }
    drop(running);
    tasks.join_all().await.into_iter().flatten().collect()
}

async fn receive_sink(
    mut stream: RecvStream,
    sink: usize,
    tallies: Arc<Tallies>,
    mut stopped: watch::Receiver<()>,
) -> Option<Probe> {
    loop {
        tokio::select! {
            biased;
            chunk = stream.quic_stream_mut().read_chunk(READ_BYTES, true) => match chunk {
                Ok(Some(chunk)) => tallies.sink(sink, chunk.bytes.len() as u64),
                Ok(None) | Err(_) => {
                    tallies.lose();
                    return None;
                }
            },
            _ = stopped.changed() => return None,
        }
    }
}

async fn receive_probe(
    mut stream: RecvStream,
    number: usize,
    mut reader: Reader,
    tallies: Arc<Tallies>,
    mut stopped: watch::Receiver<()>,
) -> Option<Probe> {
    loop {
        tokio::select! {
            biased;
            chunk = stream.quic_stream_mut().read_chunk(READ_BYTES, true) => {
                let taken = match chunk {
                    Ok(Some(chunk)) => reader.take(&chunk.bytes),
                    Ok(None) => Err(LinkError::Closed),
                    Err(error) => Err(failed(error)),
                };
                tallies.probe(number, reader.probe.messages(), reader.probe.bytes());
                if let Err(error) = taken {
                    tallies.lose();
                    reader.probe.fail(format!("a subscriber's connection ended: {error}"));
                    return Some(reader.probe);
                }
            },
            _ = stopped.changed() => return Some(reader.probe),
        }
    }
}

fn failed(error: impl std::fmt::Display) -> LinkError {
    LinkError::WebTransport(error.to_string())
}
