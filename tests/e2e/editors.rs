//! Editors of documents over raw WebSockets: what unmodified clients say and are told, byte for byte, and what strangers send.
//! The clients themselves are in `tests/compat`.

mod hocuspocus;
mod hostile;
mod idle;
mod stopping;
mod yjs;

use bytes::Bytes;

use crate::support::directory::Directory;
use crate::support::eventually::soon;
use crate::support::http::Request;
use crate::support::node::Node;
use crate::support::raw::websocket::{Message, Socket, binary};
use crate::support::settings::Settings;

/// A node that serves documents, out of a directory.
pub(crate) fn serving(directory: &Directory) -> Settings {
    let settings = Settings::default().set("documents.enabled", "true");
    settings.set("node.data_dir", directory.text())
}

/// A connection of an editor.
pub(crate) struct Line(Socket);

impl Line {
    /// Connects.
    pub(crate) async fn open(node: &Node, path: &str) -> Self {
        let socket = Socket::connect_to(node.address(), false, Request::upgrade().at(path));
        Self(soon("a connection", socket).await.expect("the node upgrades"))
    }

    /// Sends a message, written in hexadecimal.
    pub(crate) async fn say(&mut self, hex: &str) {
        self.send(&bytes(hex)).await;
    }

    /// Sends a message. A node that is hanging up may not take it.
    pub(crate) async fn send(&mut self, message: &[u8]) {
        let _ = self.0.write(&binary(message)).await;
    }

    /// The next message, in hexadecimal; or how it ended.
    pub(crate) async fn hears(&mut self) -> Result<String, Option<u16>> {
        match soon("something from the node", self.0.next()).await {
            Message::Binary(message) => Ok(hex(&message)),
            Message::Closed(code) => Err(code),
        }
    }

    /// The code that the connection is closed with, whatever comes before.
    pub(crate) async fn code(&mut self) -> Option<u16> {
        loop {
            if let Err(code) = self.hears().await {
                return code;
            }
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let pairs = bytes.iter().map(|byte| format!("{byte:02x}"));
    pairs.collect::<Vec<_>>().join(" ")
}

pub(crate) fn bytes(hex: &str) -> Bytes {
    let digits: Vec<_> = hex.chars().filter(char::is_ascii_hexdigit).collect();
    let pairs = digits.chunks(2).map(|pair| {
        let pair: String = pair.iter().collect();
        u8::from_str_radix(&pair, 16).expect("hexadecimal")
    });
    pairs.collect()
}
