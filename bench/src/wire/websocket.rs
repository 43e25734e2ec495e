//! Messages on a WebSocket (RFC 6455, section 5.2): whole binary messages in one WebSocket frame each.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{FRAME_BYTES_MAX, Frame};
use crate::error::LinkError;

const FINAL_BINARY: u8 = 0x82;
const FINAL_CLOSE: u8 = 0x88;
const FINAL_PING: u8 = 0x89;
const FINAL_PONG: u8 = 0x8a;
const MASKED: u8 = 0x80;

/// Who writes a message: a client has to mask what it sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Masked with four zero bytes: well-formed, and free for both ends. Masks protect proxies, and there is none here.
    Client,
    Server,
}

/// The body as one binary message.
pub(super) fn message(body: &[u8], side: Side) -> Bytes {
    let mask = if side == Side::Client { MASKED } else { 0 };
    let mut frame = BytesMut::with_capacity(body.len() + 14);
    frame.put_u8(FINAL_BINARY);
    match body.len() {
        length @ 0..=125 => frame.put_u8(mask | length as u8),
        length @ 126..=0xffff => {
            frame.put_u8(mask | 126);
            frame.put_u16(length as u16);
        }
        length => {
            frame.put_u8(mask | 127);
            frame.put_u64(length as u64);
        }
    }
    if side == Side::Client {
        frame.put_u32(0);
    }
    frame.put_slice(body);
    frame.freeze()
}

/// Takes the next whole binary message; `None` if more has to come.
///
/// WebSocket's own pings and pongs are passed over: they are answered by no side here, and sessions have their own.
pub(super) fn next(received: &mut BytesMut) -> Result<Option<Frame>, LinkError> {
    loop {
        let Some(head) = Head::read(received)? else {
            return Ok(None);
        };
        let wire_bytes = head.bytes + head.length;
        if received.len() < wire_bytes {
            received.reserve(wire_bytes - received.len());
            return Ok(None);
        }
        received.advance(head.bytes);
        let mut body = received.split_to(head.length);
        if head.mask != [0; 4] {
            body.iter_mut()
                .zip(head.mask.iter().cycle())
                .for_each(|(byte, mask)| *byte ^= mask);
        }
        match head.kind {
            FINAL_BINARY => {
                return Ok(Some(Frame {
                    body: body.freeze(),
                    wire_bytes,
                }));
            }
            FINAL_PING | FINAL_PONG => {}
            FINAL_CLOSE => return Err(LinkError::Closed),
            other => {
                return Err(LinkError::Protocol(format!(
                    "a WebSocket frame starts with {other:#04x}"
                )));
            }
        }
    }
}

/// The bytes before a body.
struct Head {
    kind: u8,
    mask: [u8; 4],
    length: usize,
    /// Bytes of the head itself.
    bytes: usize,
}

impl Head {
    fn read(received: &[u8]) -> Result<Option<Self>, LinkError> {
        let mut rest = received;
        if rest.len() < 2 {
            return Ok(None);
        }
        let (kind, second) = (rest.get_u8(), rest.get_u8());
        let masked = second & MASKED != 0;
        let length_bytes = match second & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if rest.len() < length_bytes + if masked { 4 } else { 0 } {
            return Ok(None);
        }
        let length = match length_bytes {
            2 => u64::from(rest.get_u16()),
            8 => rest.get_u64(),
            _ => u64::from(second & !MASKED),
        };
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= FRAME_BYTES_MAX)
            .ok_or_else(|| LinkError::Protocol(format!("a message is longer than {FRAME_BYTES_MAX} bytes")))?;
        let mask = if masked { rest.get_u32().to_be_bytes() } else { [0; 4] };
        Ok(Some(Self {
            kind,
            mask,
            length,
            bytes: received.len() - rest.len(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_every_length_class_come_back_from_either_side() {
        for length in [0, 1, 125, 126, 200, 0xffff, 0x1_0000] {
            for side in [Side::Client, Side::Server] {
                let body = vec![0x5a; length];
                let wire = message(&body, side);
                let mut received = BytesMut::from(&wire[..]);
                let frame = next(&mut received).expect("well-formed").expect("whole");
                assert_eq!((&frame.body[..], frame.wire_bytes), (&body[..], wire.len()));
                assert!(received.is_empty());
            }
        }
    }

    #[test]
    fn a_message_is_whole_only_with_its_last_byte() {
        let wire = message(&[1; 200], Side::Client);
        for cut in 0..wire.len() {
            let mut received = BytesMut::from(&wire[..cut]);
            assert_eq!(
                next(&mut received).expect("a prefix of a message is no fault"),
                None,
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_real_mask_is_taken_off() {
        // The masked "Hello" of RFC 6455, section 5.7, as a binary message.
        let wire = [0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        let mut received = BytesMut::from(&wire[..]);
        assert_eq!(next(&mut received).expect("well-formed").expect("whole").body, "Hello");
    }

    #[test]
    fn pings_are_passed_over_and_a_close_ends_the_link() {
        let mut received = BytesMut::from(&[FINAL_PING, 1, 9, FINAL_BINARY, 1, 7, FINAL_CLOSE, 0][..]);
        assert_eq!(&next(&mut received).expect("well-formed").expect("whole").body[..], [7]);
        assert!(matches!(next(&mut received), Err(LinkError::Closed)));
    }

    #[test]
    fn a_length_beyond_the_bound_is_refused_before_its_body_comes() {
        let mut received = BytesMut::from(&[FINAL_BINARY, 127, 0, 0, 0, 1, 0, 0, 0, 0][..]);
        assert!(matches!(next(&mut received), Err(LinkError::Protocol(_))));
    }
}
