//! TCP connections, with TLS where the URL asks for it.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls_pki_types::{InvalidDnsNameError, ServerName};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use crate::tls::{Tls, TlsError};

/// Why a connection could not be made.
#[derive(Debug, Error)]
pub(crate) enum NetError {
    #[error("{url} has no host or port; correct the URL")]
    BadUrl { url: Url },
    #[error("cannot connect to {host}: {source}")]
    Tcp { host: String, source: io::Error },
    #[error("{host} cannot be verified: {source}")]
    BadName { host: String, source: InvalidDnsNameError },
    #[error("no TLS connection to {host}: {source}")]
    Handshake { host: String, source: io::Error },
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A byte stream in both directions.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// An open connection.
pub(crate) struct Opened {
    pub(crate) io: Box<dyn Io>,
    /// Whom it leads to.
    pub(crate) peer: IpAddr,
    /// It is encrypted, and the peer proved the URL's host name.
    pub(crate) is_verified: bool,
}

/// Connects to the host of a URL: with TLS if its scheme is `https` or `wss`.
pub(crate) async fn open(url: &Url, tls: &Tls) -> Result<Opened, NetError> {
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return Err(NetError::BadUrl { url: url.clone() });
    };
    let name = format!("{host}:{port}");
    let failed = |source| NetError::Tcp {
        host: name.clone(),
        source,
    };
    let tcp = match host {
        Host::Domain(domain) => TcpStream::connect((domain, port)).await,
        Host::Ipv4(address) => TcpStream::connect((address, port)).await,
        Host::Ipv6(address) => TcpStream::connect((address, port)).await,
    }
    .map_err(failed)?;
    // Frames are small and wait for nothing: Nagle's algorithm would hold each back for the ack of the last.
    tcp.set_nodelay(true).map_err(failed)?;
    let peer = tcp.peer_addr().map_err(failed)?.ip();

    if !matches!(url.scheme(), "https" | "wss") {
        return Ok(Opened {
            io: Box::new(tcp),
            peer,
            is_verified: false,
        });
    }
    let server = server_name(&host).map_err(|source| NetError::BadName {
        host: name.clone(),
        source,
    })?;
    let connector = TlsConnector::from(Arc::clone(tls.config().await?));
    let io = connector
        .connect(server, tcp)
        .await
        .map_err(|source| NetError::Handshake { host: name, source })?;
    Ok(Opened {
        io: Box::new(io),
        peer,
        is_verified: true,
    })
}

fn server_name(host: &Host<&str>) -> Result<ServerName<'static>, InvalidDnsNameError> {
    Ok(match host {
        Host::Domain(domain) => ServerName::try_from((*domain).to_owned())?,
        Host::Ipv4(address) => ServerName::from(IpAddr::from(*address)),
        Host::Ipv6(address) => ServerName::from(IpAddr::from(*address)),
    })
}
