//! TCP's first steps: TLS if configured, then HTTP; WebSocket takes over after an upgrade.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::Admitted;
use crate::api::{self, Peer, Site};
use crate::transport::Transport;
use crate::transport::tcp::Tcp;
use crate::transport::tls::Certificate;

/// Bytes of one request's head. Browsers send about one; the rest is room for cookies of others on
/// the same host.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// After `accept` failed for want of descriptors: until some are free again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a connection is told that there is no room for. Written as far as the socket takes it.
const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    retry-after: 1\r\n\
    connection: close\r\n\
    content-type: application/json\r\n\
    content-length: 136\r\n\
    \r\n\
    {\"error\":{\"code\":\"overloaded\",\"message\":\"this node has no room for another connection; \
    wait, then connect again\",\"retry_after_ms\":1000}}";

/// Takes TCP connections in.
pub(super) async fn listen(
    listener: TcpListener,
    certificate: Certificate,
    site: Arc<Site>,
    stops: watch::Receiver<bool>,
) -> io::Result<()> {
    let tls = certificate
        .is_configured()
        .then(|| TlsAcceptor::from(certificate.server_config(b"http/1.1")));
    let router = api::router(Arc::clone(&site));
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted; are there enough file descriptors?");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let services = site.registry.services();
        match services.admission.admit(address.ip(), Transport::WebSocket) {
            Ok(admitted) => {
                let accepted = Accepted {
                    address,
                    router: router.clone(),
                    site: Arc::clone(&site),
                    admitted,
                    stops: stops.clone(),
                };
                tokio::spawn(open(stream, tls.clone(), accepted));
            }
            Err(_) => {
                let _ = stream.try_write(NO_ROOM);
            }
        }
    }
}

/// A connection that was let in, and what it is served with.
struct Accepted {
    address: SocketAddr,
    router: Router,
    site: Arc<Site>,
    admitted: Admitted,
    stops: watch::Receiver<bool>,
}

async fn open(stream: TcpStream, tls: Option<TlsAcceptor>, accepted: Accepted) {
    // A frame is written when it is due: nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let stream = Tcp::new(stream);
    let Some(tls) = tls else {
        return serve(stream, accepted).await;
    };
    let services = Arc::clone(accepted.site.registry.services());
    let time_max = services.config.limits.http_header_timeout;
    match tokio::time::timeout(time_max, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve(stream, accepted).await,
        Ok(Err(_)) | Err(_) => {
            services.metrics.accepted(Transport::WebSocket, "handshake_failed");
        }
    }
}

async fn serve<T>(stream: T, accepted: Accepted)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Accepted {
        address,
        router,
        site,
        admitted,
        mut stops,
    } = accepted;
    let peer = Peer {
        address,
        admitted: Arc::new(Mutex::new(Some(admitted))),
    };
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        router.clone().call(request)
    });
    let limits = &site.registry.services().config.limits;
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.http_header_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // A connection that ends badly has told its client, or has none.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = async { stops.wait_for(|stops| *stops).await.is_ok() } => {
            // It answers the request it is working on, and takes no other.
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
