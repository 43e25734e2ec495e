//! Finds the frames in the bytes of a stream.

use bytes::{Bytes, BytesMut};

use super::DecodeError;

/// Longest LEB128 encoding of a 64-bit number.
const PREFIX_BYTES_MAX: usize = 10;

/// Cuts a stream into frame bodies.
///
/// It holds no bytes itself: the caller appends what it read to one buffer per stream and asks until there is no more.
/// After an error the buffer is as it was and the stream is of no use: where the next frame starts is unknown.
///
/// ```
/// # use bytes::BytesMut;
/// # use starling_protocol::frame::{DecodeError, Decoder};
/// let decoder = Decoder::new(4096);
/// let mut buffer = BytesMut::from(&[2, b'h', b'i', 3, b'y'][..]);
/// assert_eq!(decoder.decode(&mut buffer)?.as_deref(), Some(&b"hi"[..]));
/// assert_eq!(decoder.decode(&mut buffer)?, None);
/// buffer.extend_from_slice(b"es");
/// assert_eq!(decoder.decode(&mut buffer)?.as_deref(), Some(&b"yes"[..]));
/// # Ok::<(), DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    body_bytes_max: usize,
}

impl Decoder {
    /// A decoder that refuses bodies of more than `body_bytes_max` bytes.
    ///
    /// A session starts with [`HELLO_BYTES_MAX`](crate::limits::HELLO_BYTES_MAX) and goes on with a new decoder and the
    /// same buffer once it is open.
    #[must_use]
    pub const fn new(body_bytes_max: usize) -> Self {
        Self { body_bytes_max }
    }

    /// Takes the next body off the front of `buffer`; `None` until all of it is there.
    ///
    /// The body is a slice of the buffer's memory. When one has begun, the buffer gets room for all of it, so that
    /// reading it costs one allocation at most.
    ///
    /// # Errors
    ///
    /// [`DecodeError::BadPrefix`], [`DecodeError::EmptyFrame`] or [`DecodeError::TooLarge`], the last before anything
    /// is reserved: a length of 2^62 costs its sender nine bytes and the reader nothing.
    pub fn decode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, DecodeError> {
        let Some((body_bytes, prefix_bytes)) = prefix(buffer)? else {
            return Ok(None);
        };
        if body_bytes == 0 {
            return Err(DecodeError::EmptyFrame);
        }
        let body_bytes = usize::try_from(body_bytes)
            .ok()
            .filter(|bytes| *bytes <= self.body_bytes_max)
            .ok_or(DecodeError::TooLarge {
                bytes: body_bytes,
                max: self.body_bytes_max,
            })?;
        let frame_bytes = prefix_bytes + body_bytes;
        if buffer.len() < frame_bytes {
            buffer.reserve(frame_bytes - buffer.len());
            return Ok(None);
        }
        Ok(Some(buffer.split_to(frame_bytes).freeze().slice(prefix_bytes..)))
    }

    /// Checks that a stream that has ended ended between two frames.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] if `buffer` holds the start of a frame.
    pub fn finish(&self, buffer: &BytesMut) -> Result<(), DecodeError> {
        if buffer.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Truncated { bytes: buffer.len() })
        }
    }
}

/// The number at the front and the bytes it takes; `None` if more are needed to tell.
///
/// Only the shortest encoding is taken: a frame then has one form, which golden vectors can fix.
fn prefix(buffer: &[u8]) -> Result<Option<(u64, usize)>, DecodeError> {
    let mut value = 0;
    for (at, &byte) in buffer.iter().take(PREFIX_BYTES_MAX).enumerate() {
        // Nine bytes carry 63 bits: the tenth may add one, and nothing may follow it.
        let overflows = at == PREFIX_BYTES_MAX - 1 && byte > 1;
        let padded = at > 0 && byte == 0;
        if overflows || padded {
            return Err(DecodeError::BadPrefix);
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return Ok(Some((value, at + 1)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_slices_of_the_buffer() {
        let mut buffer = BytesMut::from(&b"\x02hi"[..]);
        let memory = buffer.as_ptr_range();
        let body = Decoder::new(2).decode(&mut buffer);
        assert!(matches!(body, Ok(Some(body)) if memory.contains(&body.as_ptr())));
        assert!(buffer.is_empty());
    }

    #[test]
    fn nothing_is_reserved_for_a_length_above_the_limit() {
        let max = 64 * 1024;
        for bytes in [max as u64 + 1, 1 << 32, 1 << 62, u64::MAX] {
            let mut buffer = BytesMut::new();
            prost::encoding::encode_varint(bytes, &mut buffer);
            let capacity = buffer.capacity();
            assert_eq!(
                Decoder::new(max).decode(&mut buffer),
                Err(DecodeError::TooLarge { bytes, max })
            );
            assert_eq!(buffer.capacity(), capacity);
        }
    }

    #[test]
    fn a_frame_that_has_begun_gets_room_once() {
        let decoder = Decoder::new(4096);
        let mut buffer = BytesMut::from(&[0x80, 0x20][..]);
        assert_eq!(decoder.decode(&mut buffer), Ok(None));
        let memory = buffer.as_ptr();
        buffer.extend_from_slice(&[9; 4096]);
        assert_eq!(buffer.as_ptr(), memory, "the bytes that follow move nothing");
        assert_eq!(decoder.decode(&mut buffer), Ok(Some(Bytes::from_static(&[9; 4096]))));
    }

    #[test]
    fn a_refused_stream_stays_refused() {
        let mut buffer = BytesMut::from(&b"\x00\x01x"[..]);
        for _ in 0..2 {
            assert_eq!(Decoder::new(16).decode(&mut buffer), Err(DecodeError::EmptyFrame));
        }
        assert_eq!(buffer.len(), 3);
    }

    #[test]
    fn a_stream_may_only_end_between_frames() {
        let decoder = Decoder::new(16);
        assert_eq!(decoder.finish(&BytesMut::new()), Ok(()));
        let rest = BytesMut::from(&[5, 1][..]);
        assert_eq!(decoder.finish(&rest), Err(DecodeError::Truncated { bytes: 2 }));
    }
}
