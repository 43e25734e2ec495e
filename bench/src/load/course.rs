//! The way of a run's messages: the channel, the server that they are published at, and the one that they are read at.

use super::link::Target;

/// A channel and both of its ends.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    pub(crate) channel: String,
    /// Where the publisher is.
    pub(crate) publisher: Target,
    /// Where all subscribers are.
    pub(crate) subscribers: Target,
}

impl Course {
    /// Where messages go at a server by itself. A namespace of `starling dev` that orders and keeps them; every run has
    /// a server, and so a channel, of its own.
    pub(crate) const CHANNEL: &str = "demo:bench";

    /// In and out at one server.
    pub(crate) fn within(server: Target) -> Self {
        Self {
            channel: Self::CHANNEL.into(),
            publisher: server.clone(),
            subscribers: server,
        }
    }
}
