//! The little HTTP/1.1 that opens a WebSocket and fetches one document.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::LinkError;

/// The sample key of RFC 6455, section 1.3, and the answer that belongs to it. With a key that never changes the null
/// server needs no SHA-1, and the load can still check that it speaks to a WebSocket server.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Longest document taken, in bytes. A large cluster lists its nodes in a few KiB, and 32,768 slots, the most there are,
/// in some 5 MiB; a longer one ends early and is not understood.
const DOCUMENT_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Longest head of a request or an answer, in bytes. Ours are near 200; a longer one ends the connection.
const HEAD_BYTES_MAX: usize = 4 * 1024;

/// Asks to turn the connection into a WebSocket.
pub(crate) fn upgrade_request(authority: &str, path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// Agrees to an [`upgrade_request`].
pub(crate) fn upgrade_answer() -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    )
}

/// Whether the head of an answer agrees to an [`upgrade_request`].
pub(crate) fn is_upgraded(head: &str) -> bool {
    head.starts_with("HTTP/1.1 101 ") && head.lines().any(|line| line.trim_end().ends_with(ACCEPT))
}

/// Fetches a document on a connection of its own. Any answer but 200 is an error.
pub(crate) async fn fetch(address: SocketAddr, path: &str) -> Result<Vec<u8>, LinkError> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let head = read_head(&mut stream).await?;
    let mut body = Vec::new();
    stream.take(DOCUMENT_BYTES_MAX).read_to_end(&mut body).await?;
    if !head.starts_with("HTTP/1.1 200 ") {
        let status = head.lines().next().unwrap_or_default();
        // What a node is not ready for stands there.
        let why = String::from_utf8_lossy(&body);
        return Err(LinkError::Protocol(format!(
            "{path} was answered with {status:?}: {}",
            why.trim()
        )));
    }
    Ok(body)
}

/// A JSON document as the answer to [`fetch`].
pub(crate) fn json_answer(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Reads a head up to and including its empty line, and nothing beyond it.
///
/// One byte at a time would be slow anywhere but here: it happens once for each connection, before anything is timed,
/// and leaves whatever follows the head to its proper reader.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Result<String, LinkError> {
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == HEAD_BYTES_MAX {
            return Err(LinkError::Protocol(format!(
                "an HTTP head is longer than {HEAD_BYTES_MAX} bytes"
            )));
        }
        head.push(stream.read_u8().await?);
    }
    String::from_utf8(head).map_err(|_| LinkError::Protocol("an HTTP head is not text".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_our_own_request_is_an_upgrade() {
        assert!(is_upgraded(&upgrade_answer()));
        assert!(!is_upgraded("HTTP/1.1 403 Forbidden\r\n\r\n"));
    }

    #[tokio::test]
    async fn a_head_is_read_to_its_end_and_no_further() {
        let mut wire = &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\x82\x00"[..];
        assert_eq!(
            read_head(&mut wire).await.expect("a head"),
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        assert_eq!(wire, b"\x82\x00");
    }

    #[tokio::test]
    async fn a_head_without_an_end_is_refused() {
        let endless = vec![b'a'; HEAD_BYTES_MAX + 1];
        assert!(matches!(
            read_head(&mut &endless[..]).await,
            Err(LinkError::Protocol(_))
        ));
    }
}
