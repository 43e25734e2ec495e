//! Numbers, strings and byte strings as lib0 writes them, read with bounds.
//!
//! All that Yjs, y-protocols and Hocuspocus say is made of these: unsigned LEB128 numbers, and runs of bytes with their
//! length before them. A length is compared with what is left before anything is taken, so nothing is allocated on a
//! stranger's word; a number that does not fit its field is refused rather than wrapped, because two readers that wrap
//! differently would see two different messages.

use thiserror::Error;

/// The largest whole number that JavaScript holds exactly: client ids and clocks beyond it are nobody's.
pub const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

/// Why bytes could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The message ends where more was announced.
    #[error("ends at byte {at} in the middle of a value")]
    Truncated {
        /// Where.
        at: usize,
    },
    /// A number is longer or larger than its field.
    #[error("has a number at byte {at} that does not fit its field")]
    Number {
        /// Where.
        at: usize,
    },
    /// A string is no UTF-8.
    #[error("has a string at byte {at} that is not UTF-8")]
    Text {
        /// Where.
        at: usize,
    },
}

/// Reads from the beginning of some bytes to their end.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the beginning of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// One byte.
    ///
    /// # Errors
    /// When none is left.
    pub fn byte(&mut self) -> Result<u8, ReadError> {
        let byte = *self.bytes.get(self.at).ok_or(ReadError::Truncated { at: self.at })?;
        self.at += 1;
        Ok(byte)
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], ReadError> {
        if count > self.left() {
            return Err(ReadError::Truncated { at: self.at });
        }
        let taken = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(taken)
    }

    /// An unsigned number up to `max`, in at most eight bytes: as many as 53 bits take.
    ///
    /// # Errors
    /// When it ends too early, is larger, or is spelled longer.
    pub fn uint(&mut self, max: u64) -> Result<u64, ReadError> {
        let at = self.at;
        let mut number = 0;
        for shift in (0..56).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return if number <= max {
                    Ok(number)
                } else {
                    Err(ReadError::Number { at })
                };
            }
        }
        Err(ReadError::Number { at })
    }

    /// A signed number of at most 53 bits.
    ///
    /// # Errors
    /// When it ends too early, is larger, or is spelled longer.
    pub fn int(&mut self) -> Result<i64, ReadError> {
        let at = self.at;
        let first = self.byte()?;
        let mut number = u64::from(first & 0x3f);
        let mut more = first & 0x80 != 0;
        let mut shift = 6;
        while more {
            if shift > 48 {
                return Err(ReadError::Number { at });
            }
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            more = byte & 0x80 != 0;
            shift += 7;
        }
        if number > SAFE_INTEGER_MAX {
            return Err(ReadError::Number { at });
        }
        let number = i64::try_from(number).map_err(|_| ReadError::Number { at })?;
        Ok(if first & 0x40 == 0 { number } else { -number })
    }

    /// A length, and as many bytes.
    ///
    /// # Errors
    /// When it ends too early.
    pub fn buffer(&mut self) -> Result<&'a [u8], ReadError> {
        let at = self.at;
        let length = self.uint(u64::from(u32::MAX))?;
        let length = usize::try_from(length).map_err(|_| ReadError::Number { at })?;
        self.take(length)
    }

    /// A length, and as many bytes of UTF-8.
    ///
    /// # Errors
    /// When it ends too early, or is no UTF-8.
    pub fn text(&mut self) -> Result<&'a str, ReadError> {
        let at = self.at;
        std::str::from_utf8(self.buffer()?).map_err(|_| ReadError::Text { at })
    }
}

/// Appends an unsigned number.
pub fn put_uint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a length and the bytes.
pub fn put_buffer(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a length and the string.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_buffer(out, text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for number in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), SAFE_INTEGER_MAX] {
            let mut out = Vec::new();
            put_uint(&mut out, number);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.uint(SAFE_INTEGER_MAX), Ok(number));
            assert!(reader.is_empty());
        }
        let mut out = Vec::new();
        put_text(&mut out, "grüße");
        put_buffer(&mut out, &[1, 2]);
        let mut reader = Reader::new(&out);
        assert_eq!((reader.text(), reader.buffer()), (Ok("grüße"), Ok(&[1, 2][..])));
    }

    #[test]
    fn signed_numbers_are_read() {
        for (bytes, number) in [
            (&[0x00][..], 0),
            (&[0x3f], 63),
            (&[0x7f], -63),
            (&[0x80, 0x01], 64),
            (&[0xc0, 0x01], -64),
            (
                &[0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f],
                SAFE_INTEGER_MAX as i64,
            ),
        ] {
            assert_eq!(Reader::new(bytes).int(), Ok(number), "{bytes:02x?}");
        }
        let long = [0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Reader::new(&long).int(), Err(ReadError::Number { at: 0 }));
    }

    #[test]
    fn a_number_that_does_not_fit_its_field_is_not_wrapped() {
        let two_to_the_32nd = [0x80, 0x80, 0x80, 0x80, 0x10];
        assert_eq!(
            Reader::new(&two_to_the_32nd).uint(u64::from(u32::MAX)),
            Err(ReadError::Number { at: 0 })
        );
        assert_eq!(Reader::new(&two_to_the_32nd).uint(1 << 32), Ok(1 << 32));
        assert_eq!(
            Reader::new(&[0xff; 20]).uint(u64::MAX),
            Err(ReadError::Number { at: 0 })
        );
        assert_eq!(Reader::new(&[0x80; 3]).uint(9), Err(ReadError::Truncated { at: 3 }));
    }

    #[test]
    fn a_length_beyond_the_end_takes_nothing() {
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0x03, b'a']).buffer(),
            Err(ReadError::Truncated { at: 3 })
        );
        assert_eq!(Reader::new(&[2, 0xc3, 0x28]).text(), Err(ReadError::Text { at: 0 }));
        assert_eq!(Reader::new(&[]).byte(), Err(ReadError::Truncated { at: 0 }));
    }
}
