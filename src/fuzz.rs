//! What the fuzz targets of this crate do with bytes of a client; `fuzz/README.md` tells how they are run. No bytes make any of
//! this panic.

use bytes::Bytes;

use crate::wire;

pub use crate::auth::fuzz::{claims, token};
pub use crate::transport::websocket::fuzz::websocket;

/// A frame of a client as types, and a datagram.
pub fn request(body: &[u8]) {
    let _ = wire::request(Bytes::copy_from_slice(body), "chat");
    let _ = wire::datagram(Bytes::copy_from_slice(body));
}

#[cfg(test)]
#[path = "../fuzz/replay.rs"]
pub(crate) mod replay;

#[cfg(test)]
mod tests {
    use starling_protocol::frame::encode_client;
    use starling_protocol::v1;

    use super::replay::replay;
    use super::*;

    #[test]
    fn frames_of_clients_become_types_or_are_refused() {
        let channel = || "chat:räume:küche".to_owned();
        let hello = v1::Hello {
            version_min: 1,
            version_max: 1,
            publisher: vec![7; 16].into(),
            page_credit: 1 << 20,
            ..v1::Hello::default()
        };
        let attach = v1::Attach {
            request: 1,
            channel: channel(),
            ..v1::Attach::default()
        };
        let publish = v1::Publish {
            request: 2,
            channel: channel(),
            serial: 3,
            base: 1,
            since_ms: 1_700_000_000_000,
            key: "🦜".to_owned(),
            payload: "grüße".into(),
            ..v1::Publish::default()
        };
        let ephemeral = v1::Ephemeral {
            channel: channel(),
            number: 4,
            state: "[1,2]".into(),
        };
        let seeds = [
            ("hello", encode_client(hello)),
            ("attach", encode_client(attach)),
            ("publish", encode_client(publish)),
            ("ephemeral", encode_client(ephemeral)),
        ];
        let seeds = seeds.map(|(name, seed)| (name.to_owned(), seed.message().to_vec()));
        replay("client_request", request, seeds);
    }
}
