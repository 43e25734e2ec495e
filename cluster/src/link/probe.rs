//! Asking a silent peer's client port: the kernel answers at once when the process is gone.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::liveness::Probed;

/// Time a client port has to answer a probe. One that refuses does so in one round trip.
const PROBE_TIME_MAX: Duration = Duration::from_millis(500);

/// Asks the client port of a node whether anybody is there.
pub(super) async fn probe(address: SocketAddr) -> Probed {
    match timeout(PROBE_TIME_MAX, TcpStream::connect(address)).await {
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => Probed::Refused,
        Ok(_) | Err(_) => Probed::Unclear,
    }
}
