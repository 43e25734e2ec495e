//! WebSocket framing for a server (RFC 6455, section 5), over bytes.
//!
//! Why our own: a frame that goes to a thousand readers is made once, header included, and a
//! connection that is idle holds no buffer; `docs/decisions` has the measurements.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use starling_core::session::answer::Farewell;

/// RFC 6455, section 5.5: a control frame carries at most this many bytes.
pub(super) const CONTROL_BYTES_MAX: usize = 125;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0F;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7F;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// What came from the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// A whole binary message.
    Message(Bytes),
    /// To be answered with a pong of the same bytes.
    Ping(Bytes),
    /// The client closes.
    Close,
}

/// Frames of a connection that has not been let in. A hello is one, and a cautious client pings, or cuts it into a few;
/// who sends more keeps the node busy without ever saying who it is. With their longest each, these are 12 KiB.
const FRAMES_BEFORE_HELLO_MAX: u16 = 64;

/// Takes messages out of the bytes of a connection.
#[derive(Debug)]
pub(super) struct Decoder {
    bytes_max: usize,
    /// The fragments of a message that is not whole; `None` between messages.
    fragments: Option<BytesMut>,
    /// Frames that a connection may send yet which has not been let in; `None` once it has.
    frames_left: Option<u16>,
}

impl Decoder {
    /// Refuses messages of more than `bytes_max` bytes, and takes few frames until [`limit`](Self::limit) is called.
    pub(super) const fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            fragments: None,
            frames_left: Some(FRAMES_BEFORE_HELLO_MAX),
        }
    }

    /// The client was let in: refuses messages of more than `bytes_max` bytes from now on.
    pub(super) const fn limit(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
        self.frames_left = None;
    }

    /// The next item at the front of `buffer`; `None` until it is whole. A frame that has begun gets
    /// room for all of it, once its length has been found to be within the limit.
    ///
    /// # Errors
    /// What the client broke. Nothing after it can be read.
    pub(super) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Item>, Farewell> {
        while let Some((opcode, fin, payload)) = self.frame(buffer)? {
            match opcode {
                Opcode::Ping => return Ok(Some(Item::Ping(payload))),
                Opcode::Pong => {}
                Opcode::Close => return Ok(Some(Item::Close)),
                Opcode::Text => return Err(fault("a text message; send frames as binary messages")),
                Opcode::Binary if self.fragments.is_some() => return Err(fault("a message inside another one")),
                Opcode::Binary if fin => return Ok(Some(Item::Message(payload))),
                Opcode::Binary => self.fragments = Some(BytesMut::from(payload)),
                Opcode::Continuation => {
                    let fragments = self.fragments.as_mut();
                    let fragments = fragments.ok_or_else(|| fault("a continuation of no message"))?;
                    fragments.extend_from_slice(&payload);
                    if fin && let Some(whole) = self.fragments.take() {
                        return Ok(Some(Item::Message(whole.freeze())));
                    }
                }
            }
        }
        Ok(None)
    }

    /// One frame, unmasked.
    fn frame(&mut self, buffer: &mut BytesMut) -> Result<Option<(Opcode, bool, Bytes)>, Farewell> {
        let [first, second, ..] = buffer[..] else {
            return Ok(None);
        };
        if first & RESERVED != 0 {
            return Err(fault("a reserved bit is set; no extension was agreed on"));
        }
        let fin = first & FIN != 0;
        let opcode = match first & OPCODE {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return Err(fault("an opcode that has no meaning")),
        };
        if second & MASKED == 0 {
            return Err(fault("a frame that is not masked; clients mask"));
        }
        let (length, extended) = match second & LENGTH {
            126 => match buffer.get(2..4) {
                Some(bytes) => (u64::from(u16::from_be_bytes([bytes[0], bytes[1]])), 2),
                None => return Ok(None),
            },
            127 => match buffer.get(2..10).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()) {
                Some(bytes) => (u64::from_be_bytes(bytes), 8),
                None => return Ok(None),
            },
            short => (u64::from(short), 0),
        };
        if opcode as u8 >= Opcode::Close as u8 {
            if !fin || length > CONTROL_BYTES_MAX as u64 {
                return Err(fault("a control frame that is fragmented or too long"));
            }
        } else {
            let before = self.fragments.as_ref().map_or(0, BytesMut::len) as u64;
            if length.saturating_add(before) > self.bytes_max as u64 {
                return Err(Farewell::FrameTooLarge {
                    bytes_max: self.bytes_max,
                });
            }
        }
        // Within the limit, so it fits the machine.
        let length = length as usize;
        let header = 2 + extended + 4;
        if buffer.len() < header + length {
            buffer.reserve(header + length - buffer.len());
            return Ok(None);
        }
        if let Some(left) = &mut self.frames_left {
            *left = left
                .checked_sub(1)
                .ok_or_else(|| fault("too many frames without a hello; send it first, in one message"))?;
        }
        let mask = [
            buffer[header - 4],
            buffer[header - 3],
            buffer[header - 2],
            buffer[header - 1],
        ];
        buffer.advance(header);
        let mut payload = buffer.split_to(length);
        unmask(&mut payload, mask);
        Ok(Some((opcode, fin, payload.freeze())))
    }
}

/// Undoes the client's mask, eight bytes at a time.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (at, byte) in rest.iter_mut().enumerate() {
        *byte ^= mask[at % 4];
    }
}

/// A frame of the server: header and payload, ready to write.
pub(crate) fn binary(payload: &[u8]) -> Bytes {
    encode(Opcode::Binary, payload)
}

/// A ping without a payload.
pub(crate) fn ping() -> Bytes {
    encode(Opcode::Ping, &[])
}

/// A frame of the server.
pub(super) fn encode(opcode: Opcode, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(10 + payload.len());
    frame.put_u8(FIN | opcode as u8);
    match payload.len() {
        short @ 0..=125 => frame.put_u8(short as u8),
        medium @ 126..=0xFFFF => {
            frame.put_u8(126);
            frame.put_u16(medium as u16);
        }
        long => {
            frame.put_u8(127);
            frame.put_u64(long as u64);
        }
    }
    frame.put_slice(payload);
    frame.freeze()
}

fn fault(what: &str) -> Farewell {
    Farewell::BadFrame(what.to_owned())
}

#[cfg(test)]
mod tests;
