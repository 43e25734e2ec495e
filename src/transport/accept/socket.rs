//! How UDP sockets are bound.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::Size;

/// A UDP socket at `address` with buffers of `buffer` bytes, or as large as the kernel grants: after
/// a fan-out to a thousand clients as many ACKs come at once, and those that do not fit are lost.
///
/// # Errors
/// When the address cannot be bound.
pub(super) fn udp(address: SocketAddr, buffer: Size) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // IPv4 has its own listener, or none.
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    let wanted = usize::try_from(buffer.bytes()).unwrap_or(usize::MAX);
    // The kernel takes what it can of these, and tells.
    let _ = socket.set_recv_buffer_size(wanted);
    let _ = socket.set_send_buffer_size(wanted);
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    // Linux counts its own bookkeeping in and reports twice what it was asked for.
    let (receive, send) = (socket.recv_buffer_size()? / 2, socket.send_buffer_size()? / 2);
    if receive < wanted || send < wanted {
        tracing::warn!(
            %address, wanted, receive, send,
            "the kernel grants smaller UDP buffers than asked for; raise net.core.rmem_max and net.core.wmem_max"
        );
    }
    Ok(socket.into())
}
