//! Ports that are free now, on the loopback address.

use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// So many different ports, each free for TCP and for UDP. Another process could take one before the server does; then
/// the server says so and does not start.
pub(super) fn free<const COUNT: usize>() -> io::Result<[u16; COUNT]> {
    // Held until all are found, or one would be found twice.
    let mut held = Vec::with_capacity(COUNT);
    while held.len() < COUNT {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = tcp.local_addr()?.port();
        if let Ok(udp) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, tcp, udp));
        }
    }
    Ok(std::array::from_fn(|at| held[at].0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_is_found_twice() {
        let ports: [u16; 50] = free().expect("there are 28,000 of them");
        assert_eq!(BTreeSet::from(ports).len(), 50);
    }
}
