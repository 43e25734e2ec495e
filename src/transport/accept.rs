//! Who may come in, and the first steps of every connection.
//!
//! * [`admission`]: how many connections there may be, in all, from one address, and before hello;
//! * `http`: TCP: the HTTP API, and WebSocket after an upgrade;
//! * `quic`: UDP: WebTransport;
//! * `socket`: how they are bound;
//! * `reset`: how clients of a process that died learn of it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::tls::Certificate;
use crate::actor::registry::Registry;
use crate::config::Client;
use crate::node::NodeError;

mod admission;
mod http;
mod quic;
mod reset;
mod socket;

pub use admission::{Admission, Admitted};

/// The client port: TCP and UDP, bound.
pub struct ClientPort {
    tcp: Vec<TcpListener>,
    udp: Vec<std::net::UdpSocket>,
    certificate: Certificate,
    url: String,
    address: SocketAddr,
}

impl ClientPort {
    /// Binds every configured address. One that this machine does not have (IPv6 is often missing)
    /// is left out with a warning, as long as another is there.
    ///
    /// # Errors
    /// [`NodeError::Bind`] names the address that could not be bound.
    pub async fn bind(config: &Client, certificate: Certificate) -> Result<Self, NodeError> {
        let (mut tcp, mut udp) = (Vec::new(), Vec::new());
        let mut missing = None;
        for &address in &config.listen {
            let bind = |what| move |source| NodeError::Bind { address, what, source };
            let listener = match TcpListener::bind(address).await {
                Ok(listener) => listener,
                Err(source) if source.kind() == io::ErrorKind::AddrNotAvailable => {
                    tracing::warn!(%address, "this machine has no such address; not listening there");
                    missing = Some(bind("clients over TCP")(source));
                    continue;
                }
                Err(source) => return Err(bind("clients over TCP")(source)),
            };
            // With port 0 the system chose one: UDP takes the same.
            let bound = listener.local_addr().map_err(bind("clients over TCP"))?;
            if config.webtransport {
                udp.push(socket::udp(bound, config.udp_buffer).map_err(bind("clients over UDP"))?);
            }
            tcp.push(listener);
        }
        match (tcp.first().map(TcpListener::local_addr), missing) {
            (Some(Ok(address)), _) => Ok(Self {
                url: url(config, address, &certificate),
                address,
                tcp,
                udp,
                certificate,
            }),
            (_, Some(missing)) => Err(missing),
            (Some(Err(source)), None) => Err(NodeError::Bind {
                address: config.listen[0],
                what: "clients over TCP",
                source,
            }),
            (None, None) => unreachable!("a checked configuration names an address to listen on"),
        }
    }

    /// The HTTP base clients reach the node at.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The HTTP base under which other machines reach the node, whose address among its peers is `advertised`.
    #[must_use]
    pub fn url_for(&self, advertised: Option<IpAddr>) -> String {
        match advertised {
            Some(ip) if self.address.ip().is_unspecified() => {
                let advertised = SocketAddr::new(ip, self.address.port());
                self.url.replace(&self.address.to_string(), &advertised.to_string())
            }
            _ => self.url(),
        }
    }

    /// The first address that it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Looks which certificates a client may pin: none of WebTransport when it is not offered, no pins when a public authority
    /// vouches.
    pub fn pins(&self) -> impl Fn() -> Option<Vec<String>> + Send + use<> {
        let (certificate, offered) = (self.certificate.clone(), !self.udp.is_empty());
        move || offered.then(|| certificate.hashes())
    }

    /// When the certificate ends, in seconds since 1970.
    #[must_use]
    pub fn certificate_expires(&self) -> f64 {
        self.certificate.expires()
    }
}

fn url(config: &Client, address: SocketAddr, certificate: &Certificate) -> String {
    match config.public_url.as_str() {
        "" if certificate.is_configured() => format!("https://{address}"),
        "" => format!("http://{address}"),
        url => url.trim_end_matches('/').to_owned(),
    }
}

/// What takes connections in.
pub struct Listeners {
    tasks: JoinSet<io::Result<()>>,
    /// Tells HTTP connections to end. Each holds a receiver until it has, or has become a WebSocket.
    stopping: watch::Sender<bool>,
}

impl Listeners {
    /// Waits until one of them has failed.
    ///
    /// # Errors
    /// What the listener says.
    pub async fn ended(&mut self) -> io::Result<()> {
        match self.tasks.join_next().await {
            Some(Ok(result)) => result,
            Some(Err(panic)) => Err(io::Error::other(panic)),
            None => unreachable!("a port has a listener"),
        }
    }

    /// Takes nobody in any more. Waits until no listener runs: one that did while the runtime goes would find
    /// its endpoint gone, which wtransport takes for a fault and panics.
    #[must_use]
    pub async fn stop(mut self) -> Requests {
        self.tasks.shutdown().await;
        Requests(self.stopping)
    }
}

/// The requests over HTTP that were taken in before.
pub struct Requests(watch::Sender<bool>);

impl Requests {
    /// Waits until all are answered, at most so long. Their connections take no other.
    pub async fn answered(self, time_max: Duration) {
        self.0.send_replace(true);
        if tokio::time::timeout(time_max, self.0.closed()).await.is_err() {
            tracing::warn!(
                "some requests over HTTP were not answered in time; who sent them has to ask what became of them"
            );
        }
    }
}

/// Takes connections in from now on.
pub fn serve(port: ClientPort, registry: &Registry) -> Listeners {
    let ClientPort {
        tcp,
        udp,
        certificate,
        url,
        address: _,
    } = port;
    let mut tasks = JoinSet::new();
    let (stopping, stops) = watch::channel(false);
    let site = Arc::new(crate::api::Site {
        url,
        webtransport: !udp.is_empty(),
        certificate: certificate.clone(),
        registry: registry.clone(),
    });
    for listener in tcp {
        tasks.spawn(http::listen(
            listener,
            certificate.clone(),
            Arc::clone(&site),
            stops.clone(),
        ));
    }
    for socket in udp {
        tasks.spawn(quic::listen(socket, certificate.clone(), registry.clone()));
    }
    tasks.spawn(async move {
        certificate.rotate().await;
        Ok(())
    });
    Listeners { tasks, stopping }
}
