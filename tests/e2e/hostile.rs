//! What strangers send. Everything that is wrong gets the answer the protocol gives it a code for, and nobody else
//! notices: after each attack the node serves others as before, and has not panicked.
//!
//! * `frames`: what is no frame, or out of place: the session ends;
//! * `requests`: what is not allowed: the request is refused, and the session goes on;
//! * `rates`: what is allowed, and asked for too often;
//! * `websocket`, `webtransport`, `datagrams`: what only one transport makes possible;
//! * `origins`: pages of foreign sites; `http`: the plain API; `admission`: too many at once.

use std::time::Duration;

use tokio::time::timeout;

use crate::support::node::Node;
use crate::support::raw::Raw;

mod admission;
mod datagrams;
mod frames;
mod http;
mod origins;
mod rates;
mod requests;
mod websocket;
mod webtransport;

/// Bytes of a flood, and how long it may take: a node need not read it.
const FLOOD_BYTES: usize = 64 * 1024 * 1024;
const FLOOD_TIME: Duration = Duration::from_secs(2);

/// Memory that one client may cost a node beyond its connection, with what the allocator keeps for a while of what it had for others:
/// half of that was seen. The floods have 20 MB and more, but for one of cursors.
const GROWTH_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Sends this again and again and reads no answer. The node may stop reading, or hang up; it may not collect answers.
async fn flood(node: &Node, raw: &mut Raw, bytes: &[u8]) {
    let before = node.resident_bytes();
    let sent = async {
        for _ in 0..FLOOD_BYTES / bytes.len() {
            if raw.write(bytes).await.is_err() {
                return;
            }
        }
    };
    let _ = timeout(FLOOD_TIME, sent).await;
    grew_little(node, before);
}

/// The node has not grown since `before` by more than one client may cost.
fn grew_little(node: &Node, before: u64) {
    let growth = node.resident_bytes().saturating_sub(before);
    assert!(growth < GROWTH_BYTES_MAX, "{growth} bytes are kept for one client");
}
