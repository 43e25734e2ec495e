//! bincode, with limits: the one place that speaks it.
//!
//! It carries headers between nodes that know each other's certificate, nothing that is stored and nothing from clients;
//! payloads stand beside it and never pass through. Its layout cannot grow: what a header holds is bound to a version of
//! the wire, which the handshake settles.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::{Decode, Encode};
use thiserror::Error;

use super::frame::FRAME_BYTES_MAX;

/// Longest header. A batch of a few hundred entries with their channels and publishers; what is larger is payload.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;

const CONFIG: Configuration<LittleEndian, Varint, Limit<HEADER_BYTES_MAX>> =
    bincode::config::standard().with_limit::<HEADER_BYTES_MAX>();

/// The same for a payload that nodes make themselves: as much as a frame holds.
const PAYLOAD: Configuration<LittleEndian, Varint, Limit<FRAME_BYTES_MAX>> =
    bincode::config::standard().with_limit::<FRAME_BYTES_MAX>();

/// Why a header cannot be written or read.
#[derive(Debug, Error)]
pub enum CodecError {
    /// It is too long.
    #[error("a header of {0} bytes is longer than the {HEADER_BYTES_MAX} that a frame takes")]
    TooLong(usize),
    /// It cannot be encoded.
    #[error("a header cannot be encoded: {0}")]
    Encode(#[from] bincode::error::EncodeError),
    /// Its bytes are not what they should be.
    #[error("a header cannot be decoded: {0}")]
    Decode(#[from] bincode::error::DecodeError),
    /// Bytes are left when it has been read.
    #[error("{0} bytes are left after a header")]
    Left(usize),
}

/// Encodes a header, if it is not too long.
pub(super) fn encode<H: Encode>(header: &H) -> Result<Vec<u8>, CodecError> {
    let bytes = bincode::encode_to_vec(header, CONFIG)?;
    if bytes.len() > HEADER_BYTES_MAX {
        return Err(CodecError::TooLong(bytes.len()));
    }
    Ok(bytes)
}

/// Decodes a header, which takes all of `bytes`.
pub(crate) fn decode<H: Decode<()>>(bytes: &[u8]) -> Result<H, CodecError> {
    if bytes.len() > HEADER_BYTES_MAX {
        return Err(CodecError::TooLong(bytes.len()));
    }
    let (header, taken) = bincode::decode_from_slice(bytes, CONFIG)?;
    match bytes.len() - taken {
        0 => Ok(header),
        left => Err(CodecError::Left(left)),
    }
}

/// Encodes a payload that is made of more than bytes.
pub(crate) fn encode_payload<P: Encode>(payload: &P) -> Result<Vec<u8>, CodecError> {
    Ok(bincode::encode_to_vec(payload, PAYLOAD)?)
}

/// Decodes one, which takes all of `bytes`.
pub(crate) fn decode_payload<P: Decode<()>>(bytes: &[u8]) -> Result<P, CodecError> {
    let (payload, taken) = bincode::decode_from_slice(bytes, PAYLOAD)?;
    match bytes.len() - taken {
        0 => Ok(payload),
        left => Err(CodecError::Left(left)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_reads_back_whole_or_not_at_all() {
        let header = (7u64, "lobby".to_owned(), vec![1u16, 2]);
        let bytes = encode(&header).expect("it is short");
        assert_eq!(decode::<(u64, String, Vec<u16>)>(&bytes).expect("it is whole"), header);
        for length in 0..bytes.len() {
            assert!(decode::<(u64, String, Vec<u16>)>(&bytes[..length]).is_err());
        }
        let more = [bytes, vec![0]].concat();
        assert!(matches!(
            decode::<(u64, String, Vec<u16>)>(&more),
            Err(CodecError::Left(1))
        ));
    }

    #[test]
    fn a_length_that_lies_reserves_nothing() {
        // A varint of eight bytes: a vector of 2^62 numbers.
        let lie = [253, 0, 0, 0, 0, 0, 0, 0, 0x40];
        assert!(matches!(decode::<Vec<u8>>(&lie), Err(CodecError::Decode(_))));
        assert!(matches!(
            encode(&vec![0u8; HEADER_BYTES_MAX]),
            Err(CodecError::TooLong(_))
        ));
    }
}
