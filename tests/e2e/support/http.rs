//! One HTTP request, written by hand so that it can be wrong in any way.

use std::io;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::eventually::soon;

/// A request that is being put together. The connection is closed after its answer.
pub(crate) struct Request {
    head: String,
    body: Vec<u8>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    /// Its status line and headers, in lower case.
    pub(crate) head: String,
    /// Its body.
    pub(crate) body: String,
    /// The same, where it is no text.
    pub(crate) bytes: Vec<u8>,
}

impl Request {
    /// With any method.
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self {
            head: format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n"),
            body: Vec::new(),
        }
    }

    /// To look at something.
    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// To publish to a channel.
    pub(crate) fn publish(channel: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::post(&format!("/v1/channels/{channel}/messages"), body)
    }

    /// To send JSON.
    pub(crate) fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        let request = Self::new("POST", path);
        request.header("content-type", "application/json").body(body)
    }

    /// The upgrade to WebSocket.
    pub(crate) fn upgrade() -> Self {
        Self::upgrade_to(13)
    }

    /// The upgrade to some version of WebSocket; 13 is the one there is.
    pub(crate) fn upgrade_to(version: u32) -> Self {
        Self {
            head: format!(
                "GET /connect HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-version: {version}\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            ),
            body: Vec::new(),
        }
    }

    /// The same for another path.
    pub(crate) fn at(mut self, path: &str) -> Self {
        self.head = self.head.replacen("/connect", path, 1);
        self
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    /// Adds a body and says how long it is.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.header("content-length", &length)
    }

    /// Its bytes, for the host at `address`.
    pub(crate) fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        let mut bytes = self.head.clone().into_bytes();
        if !self.head.contains("\r\nhost: ") {
            bytes.extend_from_slice(format!("host: {address}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Sends it and reads the answer.
    pub(crate) async fn send(&self, address: SocketAddr) -> Answer {
        let exchange = async {
            let mut stream = TcpStream::connect(address).await.expect("the port is open");
            // A server may answer before it has read everything, and hang up on the rest.
            let _ = stream.write_all(&self.bytes(address)).await;
            read_answer(&mut stream).await.expect("an answer")
        };
        soon("an answer over HTTP", exchange).await
    }
}

/// Reads an answer: its head, and as much body as it announces.
pub(crate) async fn read_answer(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    loop {
        if let Some(answer) = parse(&bytes) {
            return Ok(answer);
        }
        // Byte by byte to the end of the head: what follows one that upgrades is not for here.
        let has_head = bytes.windows(4).any(|window| window == b"\r\n\r\n");
        let most = if has_head { u64::MAX } else { 1 };
        if (&mut *stream).take(most).read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end + 2]).to_lowercase();
    let body = &bytes[end + 4..];
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.parse().expect("a length"));
    let bytes = body.get(..length)?.to_vec();
    let body = String::from_utf8_lossy(&bytes).into_owned();
    Some(Answer {
        status,
        head,
        body,
        bytes,
    })
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let value = |line: &'_ str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(": "));
        let line = self.head.lines().find(|line| value(line))?;
        line.split_once(": ").map(|(_, value)| value)
    }

    /// Its body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The status and the code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let json = self.json();
        let error = &json["error"];
        assert!(
            error["message"].as_str().is_some_and(|message| message.len() > 15),
            "{json} says too little"
        );
        (self.status, error["code"].as_str().expect("a code").to_owned())
    }
}
