//! The UDP socket that a client connects from.
//!
//! A socket of QUIC comes with a receive buffer of megabytes and a task, and outlives a connection that was given up by
//! seconds. A client that tries three nodes again and again, and a process with thousands of clients that do, would be
//! busy with nothing else: so a client goes from one node to the next with the same socket. It comes to none twice with it:
//! what spreads UDP over several nodes goes by the ports, and would lead it to where it was before.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, io};

use wtransport::config::{DnsLookupFuture, DnsResolver, QuicTransportConfig};
use wtransport::endpoint::endpoint_side::Client;
use wtransport::{ClientConfig, Endpoint};

use super::webtransport::WebTransportError;
use crate::tls::{Tls, Trust};

/// Hosts that are remembered. More than a client knows nodes; beyond it addresses are forgotten, and each is looked up before it
/// is connected to anyway, and another socket is taken.
const HOSTS_MAX: usize = 64;

/// See the module. Another server's certificate, or the other family of addresses, takes another socket.
#[derive(Debug, Default)]
pub(crate) struct Sockets(Mutex<Option<Arc<Socket>>>);

/// A socket, and what those trust who connect from it.
pub(super) struct Socket {
    trust: Trust,
    is_ipv4: bool,
    /// Where it was used to connect to.
    used: Mutex<BTreeSet<SocketAddr>>,
    addresses: Addresses,
    endpoint: Endpoint<Client>,
}

impl Sockets {
    /// The socket from which to connect to a server of this address that is trusted so.
    pub(super) async fn socket(
        &self,
        address: SocketAddr,
        trust: &Trust,
        tls: &Tls,
        quic: QuicTransportConfig,
    ) -> Result<Arc<Socket>, WebTransportError> {
        let is_ipv4 = address.is_ipv4();
        let fits =
            |socket: &&Arc<Socket>| socket.trust == *trust && socket.is_ipv4 == is_ipv4 && socket.is_new_to(address);
        if let Some(socket) = self.with(|kept| kept.as_ref().filter(fits).cloned()) {
            return Ok(socket);
        }
        let config = tls.quic_config(trust).await?;
        let addresses = Addresses::default();
        // A socket of the address's own family: a machine without IPv6 has no dual-stack sockets.
        let local = if is_ipv4 {
            IpAddr::from(Ipv4Addr::UNSPECIFIED)
        } else {
            Ipv6Addr::UNSPECIFIED.into()
        };
        let config = ClientConfig::builder()
            .with_bind_address(SocketAddr::new(local, 0))
            .with_custom_tls_and_transport(config, quic)
            .dns_resolver(addresses.clone())
            .build();
        let socket = Arc::new(Socket {
            trust: trust.clone(),
            is_ipv4,
            used: Mutex::new(BTreeSet::from([address])),
            addresses,
            endpoint: Endpoint::client(config).map_err(WebTransportError::Socket)?,
        });
        self.with(|kept| *kept = Some(Arc::clone(&socket)));
        Ok(socket)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Option<Arc<Socket>>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Socket {
    /// Whether nobody connected to this address from it. From now on somebody has.
    fn is_new_to(&self, address: SocketAddr) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.len() < HOSTS_MAX && used.insert(address)
    }

    /// Connects to the server at this address, under the URL that it is known by.
    pub(super) async fn connect(
        &self,
        url: &url::Url,
        address: SocketAddr,
    ) -> Result<wtransport::Connection, WebTransportError> {
        self.addresses.set(url, address);
        Ok(self.endpoint.connect(url.as_str()).await?)
    }

    /// Waits until the other end was told that a connection is closed, unless others keep the socket.
    pub(super) async fn told(&self) {
        if self.endpoint.open_connections() <= 1 {
            self.endpoint.wait_idle().await;
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Socket({:?})", self.endpoint.local_addr())
    }
}

/// Where hosts are, by name and port: looked up before, by who connects.
#[derive(Clone, Debug, Default)]
struct Addresses(Arc<Mutex<BTreeMap<String, SocketAddr>>>);

impl Addresses {
    fn set(&self, url: &url::Url, address: SocketAddr) {
        if let (Some(url::Host::Domain(domain)), Some(port)) = (url.host(), url.port_or_known_default()) {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= HOSTS_MAX {
                known.clear();
            }
            known.insert(format!("{domain}:{port}"), address);
        }
    }
}

impl DnsResolver for Addresses {
    fn resolve(&self, host: &str) -> Pin<Box<dyn DnsLookupFuture>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = known.get(host).copied();
        Box::pin(async move { Ok::<_, io::Error>(address) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_goes_from_node_to_node_with_its_socket() {
        let (sockets, tls) = (Sockets::default(), Tls::new(Vec::new()));
        let trust = |byte| Trust::Hashes(vec![[byte; 32]]);
        let (here, there) = (
            SocketAddr::from(([127, 0, 0, 1], 1)),
            SocketAddr::from(([127, 0, 0, 2], 2)),
        );
        let socket = async |address, byte| {
            let socket = sockets
                .socket(address, &trust(byte), &tls, QuicTransportConfig::default())
                .await;
            socket.expect("a socket")
        };
        let first = socket(here, 1).await;
        assert!(Arc::ptr_eq(&first, &socket(there, 1).await), "to any server");
        let second = socket(there, 1).await;
        assert!(!Arc::ptr_eq(&first, &second), "but once");
        assert!(!Arc::ptr_eq(&second, &socket(here, 2).await), "another certificate");
    }

    #[tokio::test]
    async fn hosts_are_where_they_were_last_looked_up() {
        let addresses = Addresses::default();
        let url = |text: &str| url::Url::parse(text).expect("a URL");
        for port in [1, 2] {
            addresses.set(&url("https://node.example/x"), SocketAddr::from(([10, 0, 0, 1], port)));
        }
        let resolved = addresses.resolve("node.example:443").await.expect("no IO");
        assert_eq!(resolved, Some(SocketAddr::from(([10, 0, 0, 1], 2))));
        assert_eq!(addresses.resolve("node.example:444").await.expect("no IO"), None);
        for number in 0..2 * HOSTS_MAX {
            addresses.set(
                &url(&format!("https://n{number}.example")),
                SocketAddr::from(([10, 0, 0, 1], 1)),
            );
        }
        assert!(addresses.0.lock().expect("no panic").len() <= HOSTS_MAX);
    }
}
