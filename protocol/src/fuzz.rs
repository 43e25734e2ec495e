//! What the fuzz targets of this crate do with bytes; `fuzz/README.md` tells how they are run. No bytes make any of this
//! panic.

use bytes::{Bytes, BytesMut};

use crate::frame::{Decoder, decode_client, decode_server, encode_client, encode_server};
use crate::limits;

/// A frame of a client: what is taken survives the way back.
pub fn client(body: &[u8]) {
    if let Ok(frame) = decode_client(Bytes::copy_from_slice(body)) {
        assert_eq!(decode_client(encode_client(frame.clone()).message()), Ok(frame));
    }
}

/// The same of a server.
pub fn server(body: &[u8]) {
    if let Ok(frame) = decode_server(Bytes::copy_from_slice(body)) {
        assert_eq!(decode_server(encode_server(frame.clone()).message()), Ok(frame));
    }
}

/// A stream, read at once and in pieces of as many bytes as the first one says: both find the same frames in it.
pub fn stream(bytes: &[u8]) {
    if let Some((piece, stream)) = bytes.split_first() {
        let pieces = cut(stream, usize::from(*piece).max(1));
        assert_eq!(cut(stream, stream.len().max(1)), pieces);
    }
}

/// The bodies in a stream, and the refusal that ends it.
fn cut(stream: &[u8], piece: usize) -> (Vec<Bytes>, Option<&'static str>) {
    let decoder = Decoder::new(limits::HELLO_BYTES_MAX);
    let (mut buffer, mut bodies) = (BytesMut::new(), Vec::new());
    for read in stream.chunks(piece) {
        buffer.extend_from_slice(read);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(body)) => bodies.push(body),
                Ok(None) => break,
                Err(error) => return (bodies, Some(error.name())),
            }
        }
        assert!(
            buffer.capacity() <= 4 * limits::HELLO_BYTES_MAX + stream.len(),
            "room follows the limit"
        );
    }
    (bodies, decoder.finish(&buffer).err().map(|error| error.name()))
}

#[cfg(test)]
mod tests;
