//! Who is let in, with what rights, and for how long. The rules have their own tests; here are their answers on the
//! wire, over both transports and over HTTP.
//!
//! * `tokens`: each way a token can be wrong, and what one permits;
//! * `lifetime`: sessions that end with their token, and tokens that follow one another;
//! * `requests`: API keys and tokens over HTTP;
//! * `keys`: keys that are replaced while the node runs, and the verbs that make and explain tokens.

use starling_mesh::transport::Transport;
use starling_protocol::v1;

use crate::support::node::Node;
use crate::support::raw::{Heard, Raw, hello};
use crate::support::settings::Settings;
use crate::support::token::{SECRET, Token};

mod keys;
mod lifetime;
mod requests;
mod tokens;

/// A node that lets in whoever has a token by the key `app`, and whose clocks are exact.
pub(crate) fn settings() -> Settings {
    Settings::default()
        .set("auth.anonymous", "false")
        .set("auth.leeway", "0s")
        .set("limits.auth_failure_rate", "0")
        .key("app", &format!("secret = \"{SECRET}\""))
}

/// A session with this token.
pub(crate) async fn session(node: &Node, transport: Transport, token: &Token) -> Raw {
    let mut raw = Raw::connect(node, transport).await;
    let token = token.text();
    raw.send(v1::Hello { token, ..hello() }).await;
    match raw.next().await {
        Heard::Frame(v1::server_frame::Body::Welcome(_)) => raw,
        other => panic!("{other:?} instead of a welcome"),
    }
}

/// Nothing that a token or a key consists of is in the node's log.
fn log_has_no_secret(node: &Node, tokens: &[String]) {
    let log = node.log().text();
    assert!(!log.contains(SECRET));
    for token in tokens {
        let signature = token.rsplit('.').next().unwrap_or_default();
        assert!(
            !log.contains(token.as_str()) && (signature.len() < 20 || !log.contains(signature)),
            "{log}"
        );
    }
}
