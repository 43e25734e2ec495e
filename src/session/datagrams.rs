//! What a client says by datagrams: ephemeral states, and nothing else. Whatever else one holds is counted and passed over,
//! because a datagram that comes late, twice or in a stranger's shape is no fault of a session.

use std::task::{Context, Poll};

use bytes::Bytes;
use starling_core::session::Input;

use super::task::Task;
use crate::metrics::Datagram;
use crate::transport::Connection;
use crate::wire;

/// Datagrams read in one go before others get their turn: more than a client may send in a tenth of a second.
const DATAGRAMS_PER_TURN: usize = 16;

impl<C: Connection> Task<C> {
    /// Reads datagrams while there are some, also while the client's frames have to wait: none of them waits for room.
    pub(super) fn receive_datagrams(&mut self, cx: &mut Context<'_>) {
        for _ in 0..DATAGRAMS_PER_TURN {
            match self.connection.poll_datagram(cx) {
                Poll::Ready(body) => self.datagram(body),
                Poll::Pending => return,
            }
        }
        // There may be more: come back after the others.
        cx.waker().wake_by_ref();
    }

    /// Counts what the transport had no room for.
    pub(super) fn count_dropped_datagrams(&mut self) {
        let dropped = self.connection.datagrams_dropped();
        self.services.metrics.datagrams(Datagram::Dropped, dropped);
    }

    fn datagram(&mut self, body: Bytes) {
        let became = match wire::datagram(body) {
            Some((channel, ephemeral)) => match self.carry_out(Input::Datagram { channel, ephemeral }) {
                0 => Datagram::Ignored,
                _ => Datagram::Taken,
            },
            None => Datagram::Malformed,
        };
        self.services.metrics.datagrams(became, 1);
    }
}
