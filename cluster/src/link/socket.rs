//! The socket of links, which counts what strangers send to it.
//!
//! QUIC drops what it cannot read without a word: whoever floods the port would show as nothing but a busy node. What is
//! passed on is what came; QUIC itself decides what becomes of it.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};

use super::transport::{CONNECTION_ID_BYTES, QUIC_VERSION};
use crate::instruments::Instruments;

/// Set in the first byte of a packet of a handshake, whose next four are a version.
const LONG_HEADER: u8 = 0x80;

/// See the module.
pub(super) struct Watched {
    socket: Arc<dyn AsyncUdpSocket>,
    instruments: Arc<dyn Instruments>,
}

impl Watched {
    pub(super) fn new(socket: Arc<dyn AsyncUdpSocket>, instruments: Arc<dyn Instruments>) -> Self {
        Self { socket, instruments }
    }

    fn watch(&self, datagram: &[u8]) {
        if let Some(reason) = stray(datagram) {
            self.instruments.link_stray(reason);
        }
    }
}

/// Why a datagram cannot be for a link, as far as its first bytes tell. Packets of no connection are noticed by QUIC
/// itself, which asks about their ids (`transport.rs`).
fn stray(datagram: &[u8]) -> Option<&'static str> {
    let (first, rest) = datagram.split_first()?;
    if first & LONG_HEADER == 0 {
        return (rest.len() < CONNECTION_ID_BYTES).then_some("short");
    }
    match rest.first_chunk() {
        Some(version) => (u32::from_be_bytes(*version) != QUIC_VERSION).then_some("version"),
        None => Some("short"),
    }
}

impl AsyncUdpSocket for Watched {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.socket).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let received = ready!(self.socket.poll_recv(context, buffers, meta))?;
        for (buffer, meta) in buffers.iter().zip(meta.iter()).take(received) {
            // The system hands over several of one length together.
            let datagrams = buffer.get(..meta.len).unwrap_or_default().chunks(meta.stride.max(1));
            datagrams.for_each(|datagram| self.watch(datagram));
        }
        Poll::Ready(Ok(received))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&self.socket).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_for_a_link_is_told_from_what_may_be() {
        let initial = [&[0xc0, 0, 0, 0, 1][..], &[8; 20]].concat();
        let other = [&[0xc0, 0, 0, 0, 2][..], &[8; 20]].concat();
        for (datagram, reason) in [
            // Nothing was asked of QUIC with an empty one, so nothing is counted.
            (&[][..], None),
            (&[0x40], Some("short")),
            (&[0x40, 1, 2, 3, 4, 5, 6, 7], Some("short")),
            (&[0x40, 1, 2, 3, 4, 5, 6, 7, 8], None),
            (&[0xc0, 0, 0, 0], Some("short")),
            (&initial, None),
            (&other, Some("version")),
            (&[0xff; 1_200], Some("version")),
            (&[0; 65_507], None),
        ] {
            assert_eq!(stray(datagram), reason, "{:?}", datagram.get(..9));
        }
    }
}
