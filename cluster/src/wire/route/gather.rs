//! Messages in pieces that a frame holds, and put together again.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use starling_core::channel::Message;
use starling_core::id::ChannelName;

use crate::wire::WireError;
use crate::wire::entry::MessageHead;

/// Messages of one piece: their heads are at most 40 KiB.
const PIECE_MESSAGES_MAX: usize = 128;

/// Payloads of one piece: half a frame, so that the largest message fits beside what is there.
const PIECE_BYTES_MAX: u64 = 512 * 1024;

/// Answers of one peer that are put together at once. An owner's channels answer each for itself, so several may be under
/// way; one whose rest never comes makes room for the next.
const GATHERED_MAX: usize = 64;

/// Answers of one peer whose messages have begun to arrive.
#[derive(Debug, Default)]
pub(in crate::wire) struct Gather(VecDeque<Gathered>);

#[derive(Debug)]
struct Gathered {
    channel: ChannelName,
    number: u64,
    messages: Vec<Arc<Message>>,
}

impl Gather {
    pub(super) fn add(&mut self, channel: &ChannelName, number: u64, messages: Vec<Arc<Message>>) {
        let begun = self
            .0
            .iter_mut()
            .find(|one| one.number == number && one.channel == *channel);
        match begun {
            Some(begun) => begun.messages.extend(messages),
            None => {
                if self.0.len() == GATHERED_MAX {
                    self.0.pop_front();
                }
                self.0.push_back(Gathered {
                    channel: channel.clone(),
                    number,
                    messages,
                });
            }
        }
    }

    /// All `count` messages of an answer; `None` if some are missing.
    pub(super) fn take(&mut self, channel: &ChannelName, number: u64, count: u32) -> Option<Vec<Arc<Message>>> {
        let at = self
            .0
            .iter()
            .position(|one| one.number == number && one.channel == *channel);
        let messages = at
            .and_then(|at| self.0.remove(at))
            .map_or(Vec::new(), |one| one.messages);
        (messages.len() == count as usize).then_some(messages)
    }
}

/// Pieces of `messages`, and the payloads beside each; none of no messages.
pub(super) fn chunks(messages: &[Arc<Message>]) -> impl Iterator<Item = (Vec<MessageHead>, Vec<Bytes>)> {
    let mut rest = messages;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |message: &&Arc<Message>| {
            let is_first = bytes == 0;
            bytes += message.weight() + 1;
            is_first || bytes <= PIECE_BYTES_MAX
        };
        let count = rest.iter().take(PIECE_MESSAGES_MAX).take_while(fits).count();
        let (piece, after) = rest.split_at(count);
        rest = after;
        let heads = piece.iter().map(|message| MessageHead::of(message)).collect();
        let payloads = piece.iter().map(|message| message.payload.clone()).collect();
        (count > 0).then_some((heads, payloads))
    })
}

/// The messages of `heads`, each with its payload.
pub(super) fn messages(heads: Vec<MessageHead>, payloads: &[Bytes]) -> Result<Vec<Arc<Message>>, WireError> {
    if heads.len() != payloads.len() {
        return Err(WireError::Payloads);
    }
    let pairs = heads.into_iter().zip(payloads);
    pairs.map(|(head, payload)| head.with(payload.clone())).collect()
}
