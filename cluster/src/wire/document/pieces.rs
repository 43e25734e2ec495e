//! Payloads in pieces that a frame holds, and put together again.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::wire::WireError;

/// Bytes of payloads that go in one frame with their header; and of one piece. Half a frame.
const PIECE_BYTES_MAX: usize = 512 * 1024;

/// Messages of one peer and lane that are put together at once. A large document goes to each gateway for itself, so a few may
/// be under way; one whose rest never comes makes room for the next.
const GATHERED_MAX: usize = 16;

/// Bytes of a message that is put together: the largest document, and what it waits for.
const GATHERED_BYTES_MAX: usize = 160 * 1024 * 1024;

/// Payloads of one message.
const PAYLOADS_MAX: u32 = 4;

/// Whether payloads go with their header.
pub(super) fn fits(payloads: &[Bytes]) -> bool {
    payloads.iter().map(Bytes::len).sum::<usize>() <= PIECE_BYTES_MAX
}

/// Pieces of payloads, each with the place of its payload; at least one of each.
pub(super) fn cut(payloads: &[Bytes]) -> impl Iterator<Item = (u32, Bytes)> {
    (0..).zip(payloads).flat_map(|(place, payload)| {
        let mut rest = payload.clone();
        let mut is_first = true;
        std::iter::from_fn(move || {
            let is_left = std::mem::take(&mut is_first) || !rest.is_empty();
            is_left.then(|| (place, rest.split_to(rest.len().min(PIECE_BYTES_MAX))))
        })
    })
}

/// What has come of messages of which more is to come.
#[derive(Debug, Default)]
pub(in crate::wire) struct Pieces(VecDeque<Gathered>);

#[derive(Debug)]
struct Gathered {
    number: u64,
    payloads: Vec<BytesMut>,
}

impl Pieces {
    pub(super) fn add(&mut self, number: u64, payload: u32, piece: &[u8]) -> Result<(), WireError> {
        let at = self.0.iter().position(|one| one.number == number);
        let at = at.unwrap_or_else(|| {
            if self.0.len() == GATHERED_MAX {
                self.0.pop_front();
            }
            self.0.push_back(Gathered {
                number,
                payloads: Vec::new(),
            });
            self.0.len() - 1
        });
        let payloads = &mut self.0[at].payloads;
        let bytes: usize = payloads.iter().map(BytesMut::len).sum();
        let next = payloads.len() as u64;
        let follows = u64::from(payload) == next || u64::from(payload) + 1 == next;
        if payload >= PAYLOADS_MAX || bytes + piece.len() > GATHERED_BYTES_MAX || !follows {
            self.0.remove(at);
            return Err(WireError::Payloads);
        }
        if u64::from(payload) == next {
            payloads.push(BytesMut::new());
        }
        if let Some(last) = payloads.last_mut() {
            last.extend_from_slice(piece);
        }
        Ok(())
    }

    /// The payloads of a message, of which all pieces have come: they come in order.
    pub(super) fn take(&mut self, number: u64) -> Option<Vec<Bytes>> {
        let at = self.0.iter().position(|one| one.number == number)?;
        let gathered = self.0.remove(at)?;
        Some(gathered.payloads.into_iter().map(BytesMut::freeze).collect())
    }
}
