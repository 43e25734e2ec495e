//! What a fuzz target does with the bytes of a WebSocket.

use bytes::BytesMut;
use starling_core::session::answer::Farewell;

use super::codec::{CONTROL_BYTES_MAX, Decoder, Item};

/// Bytes of a message that are taken before a hello.
const BEFORE: usize = 64;

/// Bytes of a message that are taken afterwards.
const AFTER: usize = 512;

/// A connection, read at once and in pieces of as many bytes as the first one says: both find the same in it. Its first message
/// is taken for a hello.
pub fn websocket(bytes: &[u8]) {
    if let Some((piece, bytes)) = bytes.split_first() {
        let pieces = read(bytes, usize::from(*piece).max(1));
        assert_eq!(read(bytes, bytes.len().max(1)), pieces);
    }
}

fn read(bytes: &[u8], piece: usize) -> (Vec<Item>, Option<Farewell>) {
    let mut decoder = Decoder::new(BEFORE);
    let (mut buffer, mut items, mut bytes_max) = (BytesMut::new(), Vec::new(), BEFORE);
    for read in bytes.chunks(piece) {
        buffer.extend_from_slice(read);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(item)) => {
                    match &item {
                        Item::Message(message) => assert!(message.len() <= bytes_max),
                        Item::Ping(payload) => assert!(payload.len() <= CONTROL_BYTES_MAX),
                        Item::Close => {}
                    }
                    if matches!(item, Item::Message(_)) {
                        bytes_max = AFTER;
                        decoder.limit(bytes_max);
                    }
                    items.push(item);
                }
                Ok(None) => break,
                Err(farewell) => return (items, Some(farewell)),
            }
        }
        assert!(buffer.capacity() <= 4 * AFTER + bytes.len(), "room follows the limit");
    }
    (items, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::replay::replay;

    /// A frame of a client.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let length = match u8::try_from(payload.len()) {
            Ok(short @ 0..=125) => vec![0x80 | short],
            _ => [&[0x80 | 126][..], &(payload.len() as u16).to_be_bytes()].concat(),
        };
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let masked = payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]);
        [&[first][..], &length, &mask]
            .concat()
            .into_iter()
            .chain(masked)
            .collect()
    }

    #[test]
    fn a_connection_is_read_the_same_however_it_is_cut() {
        let hello = frame(0x82, b"hello");
        let cut = [
            frame(0x02, b"he"),
            frame(0x89, b"ping"),
            frame(0x00, b"ll"),
            frame(0x80, b"o"),
        ]
        .concat();
        let seeds = [
            ("hello", hello.clone()),
            ("a longer one", [hello.clone(), frame(0x82, &[7; 300])].concat()),
            ("in fragments", [hello.clone(), cut].concat()),
            ("too long", frame(0x82, &[7; 65])),
            (
                "too long at once",
                [0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4].to_vec(),
            ),
            ("pings for ever", frame(0x89, b"").repeat(65)),
            ("a text", frame(0x81, b"text")),
            ("unmasked", [0x82, 0x01, 0x07].to_vec()),
            ("a reserved bit", frame(0xc2, b"hello")),
            ("a continuation of nothing", frame(0x80, b"o")),
            ("closes", [hello, frame(0x88, &[3, 0xe8])].concat()),
        ];
        let seeds = seeds.map(|(name, seed)| (name.to_owned(), [vec![3], seed].concat()));
        replay("client_websocket", websocket, seeds);
    }
}
