//! What fuzz targets do with messages of a peer.

use std::time::Instant;

use bytes::Bytes;
use starling_core::time::{Now, WallTime};

use super::Decoder;
use crate::link::codec;

/// Payloads that a message has at most: what it says is taken modulo this.
const PAYLOADS_MAX: usize = 16;

/// Messages, one after the other: how many payloads, the header, and they. Before each stands its length in two bytes, of
/// which is taken what there is, so that a change in one place leaves the rest what it was.
pub fn messages(bytes: &[u8]) {
    let now = Now {
        instant: Instant::now(),
        wall: WallTime(1_700_000_000_000),
    };
    let mut decoder = Decoder::default();
    let mut rest = bytes;
    while let Some((count, after)) = rest.split_first() {
        rest = after;
        let header = part(&mut rest);
        let payloads: Vec<_> = (0..usize::from(*count) % PAYLOADS_MAX)
            .map(|_| Bytes::copy_from_slice(part(&mut rest)))
            .collect();
        let Ok(header) = codec::decode(header) else {
            return;
        };
        if decoder.read(513, header, &payloads, now).is_err() {
            return;
        }
    }
}

fn part<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let (length, after) = rest
        .split_first_chunk()
        .map_or((0, *rest), |(length, after)| (u16::from_le_bytes(*length), after));
    let (part, after) = after.split_at(usize::from(length).min(after.len()));
    *rest = after;
    part
}

#[cfg(test)]
mod tests {
    use starling_core::document::message::Join;
    use starling_core::id::{ChannelName, Index, SlotId, Term};
    use starling_core::relay::{Asked, Told};
    use starling_core::replica::Message;

    use super::super::tests::{append, entries, route};
    use super::super::{document, encode, encode_asked, encode_document, encode_presence, encode_told, presence};
    use super::*;
    use crate::fuzz::replay::replay;
    use crate::link::Outgoing;

    const SLOT: SlotId = SlotId(513);

    fn written(messages: &[Outgoing]) -> Vec<u8> {
        let mut out = Vec::new();
        for message in messages {
            out.push((message.payloads.len() % PAYLOADS_MAX) as u8);
            for part in [&message.header].into_iter().chain(&message.payloads) {
                out.extend((part.len() as u16).to_le_bytes());
                out.extend_from_slice(part);
            }
        }
        out
    }

    #[test]
    fn messages_of_a_peer_are_understood_or_refused() {
        let now = Now {
            instant: Instant::now(),
            wall: WallTime(1_700_000_000_000),
        };
        let channel = ChannelName::parse("t:1").expect("a name");
        let replica = [
            append(entries(1, 3)),
            append(entries(3, 6)),
            Message::Appended {
                term: Term(1),
                through: Index(8),
            },
            Message::Probe {
                term: Term(1),
                number: 4,
            },
        ];
        let replica = replica
            .iter()
            .map(|message| encode(SLOT, message, now).expect("it fits"));
        let told = route::answers()
            .into_iter()
            .map(|answer| Told::Answer { number: 7, answer });
        let told = told.map(|told| encode_told(SLOT, &channel, &told).expect("it fits"));
        let asked = [encode_asked(SLOT, &channel, &Asked::Leave)
            .map(|one| vec![one])
            .expect("it fits")];
        let documents = document::tests::all(5).into_iter();
        let documents = documents.map(|said| encode_document(SLOT, &channel, Join(6), &said, || 1).expect("it fits"));
        let presence = presence::tests::all().into_iter();
        let presence = presence.map(|message| vec![encode_presence(SLOT.0, &message).expect("it fits")]);
        // Of what is told, asked and said every second or third: the rest are their like.
        let all = replica
            .chain(told.step_by(2))
            .chain(asked)
            .chain(documents.step_by(3))
            .chain(presence.step_by(2));
        let seeds = all.enumerate().map(|(at, sent)| (format!("{at:02}"), written(&sent)));
        replay("link_messages", messages, seeds);
    }
}
