//! What a subscription asks for.

use std::time::Duration;

use starling_protocol::v1::{self, attach};

use crate::Position;

/// Where a subscription starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum From {
    /// With what is published from now on. A keyed channel gives its state first.
    #[default]
    Head,
    /// With up to so many of the newest messages.
    Rewind(u32),
    /// After this position.
    Position(Position),
}

impl From {
    pub(crate) fn to_wire(&self) -> Option<attach::From> {
        match self {
            Self::Head => None,
            Self::Rewind(count) => Some(attach::From::Rewind(*count)),
            Self::Position(position) => Some(attach::From::Position(position.to_wire())),
        }
    }
}

/// What the server does when this reader is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// It stops sending; the client pulls what it missed from history.
    Recover,
    /// The newest value of each key replaces the queued one.
    Latest,
    /// The oldest are dropped; [`Event::Skipped`](crate::Event::Skipped) counts them.
    Drop,
    /// It closes the session; the client returns and resumes.
    Disconnect,
}

impl Policy {
    pub(crate) fn to_wire(self) -> v1::Policy {
        match self {
            Self::Recover => v1::Policy::Recover,
            Self::Latest => v1::Policy::Latest,
            Self::Drop => v1::Policy::Drop,
            Self::Disconnect => v1::Policy::Disconnect,
        }
    }
}

/// What a subscription asks for. `SubscribeOptions::default()` starts at the head with the namespace's policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// Where it starts.
    pub from: From,
    /// What the server does when this reader is behind; `None` takes the namespace's policy.
    pub policy: Option<Policy>,
    /// Events queued for the application before live messages are left with the server; 0 counts as 1.
    ///
    /// What is left there is pulled once the queue is half empty: a slow application never loses a message in silence,
    /// and never holds up another subscription. 1,024 covers a second of a busy channel.
    pub queue_events: usize,
    /// Bytes queued for the application, bounded like `queue_events`; 0 counts as 1.
    ///
    /// 1 MiB, with the pages of history that the server may have on their way (512 KiB for the whole client), bounds
    /// what a subscription takes.
    pub queue_bytes: usize,
    /// How long `subscribe` waits until the channel is attached.
    pub timeout: Duration,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self {
            from: From::Head,
            policy: None,
            queue_events: 1024,
            queue_bytes: 1024 * 1024,
            timeout: Duration::from_secs(30),
        }
    }
}

impl SubscribeOptions {
    /// Starts after `position`.
    #[must_use]
    pub fn after(position: Position) -> Self {
        Self {
            from: From::Position(position),
            ..Self::default()
        }
    }

    /// Starts with up to `count` of the newest messages.
    #[must_use]
    pub fn rewind(count: u32) -> Self {
        Self {
            from: From::Rewind(count),
            ..Self::default()
        }
    }
}
