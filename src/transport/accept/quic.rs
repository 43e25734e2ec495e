//! WebTransport's first steps: handshake, session request, and the client's stream.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use starling_core::session::answer::Farewell;
use starling_protocol::limits;
use tokio::time::{Instant, timeout_at};
use wtransport::endpoint::IncomingSession;
use wtransport::quinn::crypto::rustls::QuicServerConfig;
use wtransport::quinn::{self, IdleTimeout, TransportConfig};
use wtransport::{Connection, Endpoint, ServerConfig, VarInt};

use super::{Admitted, reset};
use crate::actor::registry::Registry;
use crate::api::CONNECT_PATH;
use crate::transport::Transport;
use crate::transport::tls::Certificate;
use crate::transport::webtransport::WebTransport;
use crate::{session, wire};

/// Streams a client may have open towards us: the session's own and the one of its frames. Each
/// permitted stream costs memory, open or not.
const BIDIRECTIONAL_MAX: u32 = 2;

/// One-way streams of a client: HTTP/3's control stream and the two of its header compression.
const UNIDIRECTIONAL_MAX: u32 = 3;

/// Bytes a client may send ahead of what was read, on one stream. The longest frame fits.
const STREAM_WINDOW: u32 = 128 * 1024;

/// The same for all its streams together.
const CONNECTION_WINDOW: u32 = 256 * 1024;

/// Bytes kept for a client that has not acknowledged them. With the session's own queue this is what
/// a client that stops reading can hold.
const SEND_WINDOW: u64 = 128 * 1024;

/// Bytes of datagrams of a client that were not looked at, each counted with 32 more: at least sixteen of them, and some five
/// hundred that are empty. Beyond it the oldest are dropped: what they say is worth nothing when the next has come.
const DATAGRAMS_RECEIVED: usize = 16 * 1024;

/// Bytes of datagrams to a client that were not sent, counted in the same way: the cursors of a thousand that all move. Beyond it
/// the oldest are dropped, too.
const DATAGRAMS_SENT: usize = 64 * 1024;

/// Handshakes that wait to be accepted; more are refused by the endpoint itself.
const INCOMING_MAX: usize = 1_024;

/// Bytes all of them may hold together.
const INCOMING_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Sessions take their turn one endpoint at a time.
pub(super) async fn listen(socket: UdpSocket, certificate: Certificate, registry: Registry) -> io::Result<()> {
    let endpoint = Endpoint::server(config(socket, &certificate, &registry)?)?;
    loop {
        let incoming = endpoint.accept().await;
        accept(incoming, &registry);
    }
}

fn config(socket: UdpSocket, certificate: &Certificate, registry: &Registry) -> io::Result<ServerConfig> {
    let tls = certificate.server_config(wtransport::tls::WEBTRANSPORT_ALPN);
    let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size_total(INCOMING_BYTES_MAX);
    // Our own pings keep the connection alive; QUIC gives up a little after the session does.
    let idle = registry.services().settings.silence_max() * 2;
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(BIDIRECTIONAL_MAX.into())
        .max_concurrent_uni_streams(UNIDIRECTIONAL_MAX.into())
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(CONNECTION_WINDOW.into())
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(Some(DATAGRAMS_RECEIVED))
        .datagram_send_buffer_size(DATAGRAMS_SENT)
        .max_idle_timeout(Some(IdleTimeout::try_from(idle).map_err(io::Error::other)?));
    config.transport_config(Arc::new(transport));
    let mut config = ServerConfig::builder()
        .with_bind_socket(socket)
        .build_with_quic_config(config);
    match reset::key(&registry.services().config.node.data_dir) {
        Ok(key) => {
            config
                .quic_endpoint_config_mut()
                .reset_key(Arc::new(key))
                .cid_generator(|| Box::new(reset::RandomIds));
        }
        Err(error) => tracing::warn!(
            %error,
            "node.data_dir cannot be written; after a crash of this node its clients notice only by silence"
        ),
    }
    Ok(config)
}

fn accept(incoming: IncomingSession, registry: &Registry) {
    let since = Instant::now();
    let services = registry.services();
    let crowded = services.admission.is_crowded();
    if crowded && !incoming.remote_address_validated() {
        return incoming.retry();
    }
    let address = incoming.remote_address();
    match services.admission.admit(address.ip(), Transport::WebTransport) {
        Ok(admitted) => {
            tokio::spawn(open(incoming, registry.clone(), admitted, since));
        }
        Err(_) => incoming.refuse(),
    }
}

/// Takes the first steps. Their time and that of the hello is one: it runs from the first packet.
async fn open(incoming: IncomingSession, registry: Registry, admitted: Admitted, since: Instant) {
    let services = Arc::clone(registry.services());
    let deadline = since + services.settings.hello_timeout;
    let Ok(Some(connection)) = timeout_at(deadline, handshake(incoming, &registry)).await else {
        return services.metrics.accepted(Transport::WebTransport, "handshake_failed");
    };
    match timeout_at(deadline, connection.accept_bi()).await {
        Ok(Ok(stream)) => {
            let connection = WebTransport::new(connection, stream, limits::HELLO_BYTES_MAX);
            // A task of its own: what the first steps needed is let go.
            tokio::spawn(session::serve(connection, registry, admitted, since));
        }
        Ok(Err(_)) => services.metrics.accepted(Transport::WebTransport, "handshake_failed"),
        Err(_) => {
            services.metrics.accepted(Transport::WebTransport, "no_stream");
            turn_away(&connection, &Farewell::HelloLate).await;
        }
    }
}

async fn handshake(incoming: IncomingSession, registry: &Registry) -> Option<Connection> {
    let request = incoming.await.ok()?;
    let services = registry.services();
    if request.path() != CONNECT_PATH {
        request.not_found().await;
        return None;
    }
    let allowed = |origin: &str| services.config.allows_origin(origin, request.authority());
    if !request.origin().is_none_or(allowed) {
        services.metrics.unauthorized("origin");
        tracing::info!(
            origin = request.origin(),
            "origin not allowed; add it to client.origins if it is yours"
        );
        request.forbidden().await;
        return None;
    }
    request.accept().await.ok()
}

/// Says goodbye on a stream of our own, since the client opened none.
async fn turn_away(connection: &Connection, farewell: &Farewell) {
    let (code, reason) = wire::farewell(farewell);
    let goodbye = wire::goodbye(code, &reason, Duration::ZERO, Vec::new());
    let told = async {
        let mut stream = connection.open_uni().await.ok()?.await.ok()?;
        stream.write_all(&goodbye.stream()).await.ok()?;
        stream.finish().await.ok()
    };
    let _ = tokio::time::timeout(GOODBYE_TIME_MAX, told).await;
    connection.close(VarInt::from(u32::from(code.number())), reason.as_bytes());
}

/// How long a client may take to read why it is turned away.
const GOODBYE_TIME_MAX: Duration = Duration::from_secs(1);
