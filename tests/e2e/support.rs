//! What the tests stand on.
//!
//! * [`node`]: the binary as a child process, with its log; [`settings`]: how it is configured;
//! * [`cluster`]: several of them; [`stream`]: publishes that go on whatever happens to those;
//! * [`metrics`]: what the node says of itself on the admin port;
//! * [`raw`]: clients that send whatever they like, over either transport; [`reader`]: one that checks every frame;
//! * [`directory`]: where a node keeps things, on a small disk if need be;
//! * [`token`]: tokens, put together by hand;
//! * [`http`]: one request, byte by byte if need be; [`api`]: requests whose answers are held to the API's document, with
//!   [`schema`];
//! * [`postgres`]: a database of a test's own;
//! * [`proxy`]: cuts connections from outside;
//! * [`eventually`]: the one way to wait.

pub(crate) mod api;
pub(crate) mod cluster;
pub(crate) mod directory;
pub(crate) mod eventually;
pub(crate) mod http;
pub(crate) mod metrics;
pub(crate) mod node;
#[expect(dead_code, reason = "the tests of the store, in src/storage, use the rest of it")]
pub(crate) mod postgres;
pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod reader;
pub(crate) mod schema;
pub(crate) mod settings;
pub(crate) mod stream;
pub(crate) mod token;

/// Runs each of these tests over both transports, as two tests.
macro_rules! over_both {
    ($($test:ident)+) => {
        mod websocket {
            $(#[tokio::test]
            async fn $test() {
                super::$test(starling_mesh::transport::Transport::WebSocket).await;
            })+
        }

        mod webtransport {
            $(#[tokio::test]
            async fn $test() {
                super::$test(starling_mesh::transport::Transport::WebTransport).await;
            })+
        }
    };
}

pub(crate) use over_both;

/// A number from the environment: how a short run is made a long one.
pub(crate) fn from_environment(variable: &str, otherwise: u64) -> u64 {
    let Ok(text) = std::env::var(variable) else {
        return otherwise;
    };
    text.parse()
        .unwrap_or_else(|_| panic!("{variable}={text} is not a whole number"))
}
