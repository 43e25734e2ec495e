//! The QUIC side of a null server: sessions over WebTransport, stock wtransport and quinn.

use std::convert::Infallible;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use wtransport::config::QuicTransportConfig;
use wtransport::endpoint::IncomingSession;
use wtransport::endpoint::endpoint_side::Server;
use wtransport::{Endpoint, Identity, SendStream, ServerConfig, VarInt};

use super::session::{self, Write};
use super::{CONNECT_PATH, Hub};
use crate::Error;
use crate::error::LinkError;
use crate::wire::discovery::{self, CertificateHash};

/// Kernel buffer asked for in either direction, in bytes. A fan-out to 1,000 clients brings as many acknowledgements
/// back at once; with the kernel's default a third of them are lost, which makes the server look cheaper than it is.
const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Streams a client may open, of either kind. HTTP/3 needs three of its own and the session one stream each way; quinn
/// reserves memory for every stream that is permitted.
const STREAMS_MAX: u32 = 4;

/// Silence that ends a connection. The load keeps its connections alive more often than this.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A bound QUIC endpoint.
pub(super) struct Quic {
    endpoint: Endpoint<Server>,
    certificate: String,
}

impl Quic {
    /// Binds the UDP port, with a new self-signed certificate.
    pub(super) fn bind(address: SocketAddr) -> Result<Self, Error> {
        let identity = Identity::self_signed(["localhost", "127.0.0.1"])
            .map_err(|error| Error::Options(format!("no certificate for the null server: {error}")))?;
        let certificate = discovery::hex(identity.certificate_chain().as_slice()[0].hash().as_ref());
        let mut transport = QuicTransportConfig::default();
        transport
            .max_concurrent_bidi_streams(STREAMS_MAX.into())
            .max_concurrent_uni_streams(STREAMS_MAX.into())
            .max_idle_timeout(Some(
                IDLE_TIMEOUT.try_into().expect("thirty seconds are a QUIC duration"),
            ));
        let mut config = ServerConfig::builder()
            .with_bind_socket(socket(address)?)
            .with_identity(identity)
            .build();
        config.quic_config_mut().transport_config(Arc::new(transport));
        let endpoint = Endpoint::server(config).map_err(Error::system("start the null server's QUIC endpoint"))?;
        Ok(Self { endpoint, certificate })
    }

    /// Where and how to connect.
    pub(super) fn discovery(&self, address: SocketAddr) -> discovery::WebTransport {
        discovery::WebTransport {
            url: format!("https://{address}{CONNECT_PATH}"),
            hashes: vec![CertificateHash {
                algorithm: "sha-256".into(),
                value: self.certificate.clone(),
            }],
        }
    }

    /// Accepts for ever, one task for each connection.
    pub(super) async fn serve(self, hub: Arc<Hub>) -> Infallible {
        loop {
            let incoming = self.endpoint.accept().await;
            let hub = Arc::clone(&hub);
            tokio::spawn(async move {
                if let Err(error) = serve_one(incoming, &hub).await {
                    tracing::debug!(%error, "a connection ended");
                }
            });
        }
    }
}

async fn serve_one(incoming: IncomingSession, hub: &Hub) -> Result<(), LinkError> {
    let (connection, write, read) = Box::pin(async {
        let connection = incoming.await.map_err(failed)?.accept().await.map_err(failed)?;
        let (write, read) = connection.accept_bi().await.map_err(failed)?;
        Ok::<_, LinkError>((connection, write, read))
    })
    .await?;
    let ended = session::serve(hub, read, write).await;
    // Held to here: dropping the last handle closes the connection.
    connection.close(VarInt::from_u32(0), b"");
    ended
}

impl Write for SendStream {
    async fn write(&mut self, frame: Bytes) -> Result<(), LinkError> {
        self.quic_stream_mut().write_chunk(frame).await.map_err(failed)
    }
}

fn socket(address: SocketAddr) -> Result<UdpSocket, Error> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
        socket.set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
        let (receive, send) = (socket.recv_buffer_size()?, socket.send_buffer_size()?);
        if receive.min(send) < SOCKET_BUFFER_BYTES {
            tracing::warn!(
                asked = SOCKET_BUFFER_BYTES,
                receive,
                send,
                "the kernel clamped the UDP buffers; raise net.core.rmem_max and net.core.wmem_max"
            );
        }
        socket.bind(&address.into())?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    };
    bind().map_err(Error::system("bind the null server's UDP port"))
}

fn failed(error: impl std::fmt::Display) -> LinkError {
    LinkError::WebTransport(error.to_string())
}
