//! From the board of a channel's presence to the connection of one who watches.

use std::sync::Arc;

use bytes::Bytes;

use crate::fanout::{Board, Frame, Heads, Listener};
use crate::transport::Connection;

/// What is shown of a channel that is watched.
pub(super) struct View {
    pub(super) board: Arc<Board>,
    pub(super) listener: Listener,
    /// Ephemeral states are sent in datagrams.
    pub(super) by_datagram: bool,
    /// What is to be sent first: how sure it is, and then who is there, of which so much was sent.
    pub(super) certainty: Option<Arc<Frame>>,
    pub(super) whole: Arc<[Arc<Frame>]>,
    pub(super) sent: usize,
    pub(super) at: Heads,
    /// It has missed something, and waits to be shown the whole again.
    pub(super) is_lost: bool,
}

impl Drop for View {
    /// A board must not keep readers that are gone.
    fn drop(&mut self) {
        self.board.leave(self.listener, self.by_datagram);
    }
}

/// How far writing a view has come.
pub(super) enum Step {
    Done,
    /// The connection has to write first.
    Full,
    /// It has missed something.
    Lost,
}

/// A connection, and what was written to it.
pub(super) struct Writing<'a, C> {
    pub(super) connection: &'a mut C,
    /// Bytes that may be queued.
    pub(super) room: usize,
    /// How many, and their bytes.
    pub(super) frames: (u64, usize),
    pub(super) datagrams: (u64, usize),
}

impl<C: Connection> Writing<'_, C> {
    /// Queues a frame. Whether there was room.
    fn frame(&mut self, frame: &Frame) -> bool {
        let has_room = self.connection.queued_bytes() < self.room;
        if has_room {
            self.connection.queue(frame);
            self.frames.0 += 1;
            self.frames.1 += frame.body_bytes();
        }
        has_room
    }

    /// Sends a datagram. Whether the transport has taken it.
    fn datagram(&mut self, body: &Bytes) -> bool {
        let is_taken = self.connection.send_datagram(body);
        if is_taken {
            self.datagrams.0 += 1;
            self.datagrams.1 += body.len();
        }
        is_taken
    }
}

impl View {
    /// Writes what is due.
    pub(super) fn write<C: Connection>(&mut self, to: &mut Writing<'_, C>) -> Step {
        if let Some(certainty) = &self.certainty {
            if !to.frame(certainty) {
                return Step::Full;
            }
            self.certainty = None;
        }
        while let Some(frame) = self.whole.get(self.sent) {
            if !to.frame(frame) {
                return Step::Full;
            }
            self.sent += 1;
        }
        // What was sent is not needed any more.
        (self.whole, self.sent) = (Arc::default(), 0);
        let Self {
            board, at, by_datagram, ..
        } = self;
        board.read(|rings| {
            if !rings.changes.span().reaches(at.changes) {
                return Step::Lost;
            }
            for (seq, slot) in rings.changes.after(at.changes) {
                if !to.frame(&slot.frame) {
                    return Step::Full;
                }
                at.changes = seq;
            }
            for (seq, slot) in rings.ephemerals.after(at.ephemerals) {
                let moment = &slot.frame;
                let is_told = match (*by_datagram, moment.is_repeat) {
                    (false, true) => true, // a stream has lost nothing
                    // What no datagram takes, because the path has become narrow, goes the way that takes all.
                    (true, false) => moment.datagrams().iter().all(|body| to.datagram(body)) || to.frame(&moment.frame),
                    (false, false) | (true, true) => to.frame(&moment.frame),
                };
                if !is_told {
                    return Step::Full;
                }
                at.ephemerals = seq;
            }
            Step::Done
        })
    }
}
