//! What can go wrong, and who must act.

use std::time::Duration;

use starling_protocol::{close, v1};
use thiserror::Error;

pub use starling_protocol::v1::ErrorCode;

/// Why a client could not be built.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A URL is not the HTTP base of a node.
    #[error("{url:?} is not the address of a node; write it as http://host:port or https://host:port")]
    BadUrl {
        /// What was given.
        url: String,
    },
    /// The token is longer than the protocol allows.
    #[error("the token has {bytes} bytes and the protocol takes {max}; ask its issuer for a shorter one")]
    TokenTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The agent is longer than the protocol allows.
    #[error("the agent has {bytes} bytes and the protocol takes {max}; shorten it")]
    AgentTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// There is no runtime to run on.
    #[error("no tokio runtime is running here; build the client inside one")]
    NoRuntime,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes to tell this client from others; see its random device")]
    NoRandomness,
}

/// A request that the server refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {message}", self.name())]
pub struct Refusal {
    /// The number of the schema's `ErrorCode`; see [`Refusal::code`].
    pub number: i32,
    /// For a person: what happened, what it means, what to do next.
    pub message: String,
    /// Trying again is useful after so long, if it is at all.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// The code, if this version of the client knows it.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        ErrorCode::try_from(self.number)
            .ok()
            .filter(|code| *code != ErrorCode::Unspecified)
    }

    /// The code's stable name, for logs and machines.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.code().map_or("unknown_code", ErrorCode::name)
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        starling_protocol::refusal::is_retryable(self.number)
    }

    pub(crate) fn from_wire(error: v1::Error) -> Self {
        let retry_after = (error.retry_after_ms > 0).then(|| Duration::from_millis(error.retry_after_ms.into()));
        Self {
            number: error.code,
            message: error.message,
            retry_after,
        }
    }
}

/// Why a subscription could not be made, or why it ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The server refused it for good.
    #[error("the server refused the subscription: {0}")]
    Refused(Refusal),
    /// This client is subscribed to the channel already.
    #[error("this client is subscribed to the channel already; share that subscription, or use another client")]
    AlreadySubscribed,
    /// The name cannot be a channel's.
    #[error("a channel's name has 1 to {max} bytes; this one has {bytes}", max = starling_protocol::limits::CHANNEL_BYTES_MAX)]
    BadChannelName {
        /// Its length.
        bytes: usize,
    },
    /// The channel was not attached within the time limit.
    #[error("the channel was not attached within the time limit ({}); check that the server can be reached", last(cause.as_deref()))]
    TimedOut {
        /// What stood in the way last.
        cause: Option<String>,
    },
    /// The client has closed.
    #[error("the client has closed: {0}")]
    Closed(CloseReason),
}

/// Why a client is not in a channel, or is not told who is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PresenceError {
    /// The server refused it for good.
    #[error("the server refused it: {0}")]
    Refused(Refusal),
    /// This client has entered the channel already.
    #[error("this client has entered the channel already; update that entry, or use another client")]
    AlreadyEntered,
    /// This client watches the channel already.
    #[error("this client watches the channel already; share that watch, or use another client")]
    AlreadyWatched,
    /// The name cannot be a channel's.
    #[error("a channel's name has 1 to {max} bytes; this one has {bytes}", max = starling_protocol::limits::CHANNEL_BYTES_MAX)]
    BadChannelName {
        /// Its length.
        bytes: usize,
    },
    /// A state is longer than any server takes.
    #[error("the state has {bytes} bytes and the protocol takes {max}; say less")]
    StateTooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// No node has answered for it within the time limit.
    #[error("no node answered for it within the time limit ({}); check that the server can be reached", last(cause.as_deref()))]
    TimedOut {
        /// What stood in the way last.
        cause: Option<String>,
    },
    /// A newer state of the same entry took the place of this one before a node had taken it.
    #[error("a newer state took the place of this one")]
    Superseded,
    /// The client has closed.
    #[error("the client has closed: {0}")]
    Closed(CloseReason),
}

/// Why a message was not published, or may not have been.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The server refused it for good: it was not published.
    #[error("the server refused the message: {0}")]
    Refused(Refusal),
    /// Its payload is too large for a frame of this server: it was not published.
    #[error("the payload has {bytes} bytes and the server takes {max}; publish less at once")]
    TooLarge {
        /// Bytes of the payload.
        bytes: usize,
        /// What fits a frame of the server.
        max: usize,
    },
    /// The channel's name or the key is not one: it was not published.
    #[error("the message cannot be sent: {0}")]
    Invalid(&'static str),
    /// It was not published within the time limit, and never will be.
    #[error("the message was not published within the time limit ({}); publish it again", last(cause.as_deref()))]
    TimedOut {
        /// What stood in the way last.
        cause: Option<String>,
    },
    /// Whether it was published is not known.
    #[error("whether the message was published is not known; read the channel before publishing it again")]
    OutcomeUnknown,
    /// The client has closed. A message that had been sent may have been published.
    #[error("the client has closed: {reason}; {}", if *.sent { "whether the message was published is not known" } else { "the message was not sent" })]
    Closed {
        /// Why it closed.
        reason: CloseReason,
        /// The message had been sent at least once.
        sent: bool,
    },
}

/// Why a client stopped for good.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The application closed it.
    #[error("closed by the application")]
    Application,
    /// The server said not to return.
    #[error("the server ended the session and asked not to return: {reason} ({})", code_name(*.code))]
    Server {
        /// The close code, from 4400 to 4499.
        code: u16,
        /// The server's reason, for a person.
        reason: String,
    },
    /// The application's token provider denied a token.
    #[error("no token: {0}")]
    Denied(String),
}

fn last(cause: Option<&str>) -> &str {
    cause.unwrap_or("no answer")
}

fn code_name(code: u16) -> String {
    close::CloseCode::from_u16(code).map_or_else(|| code.to_string(), |code| code.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_keep_what_the_server_said_and_are_judged_by_range() {
        let wire = v1::Error {
            code: 100,
            message: "a queue is full".into(),
            retry_after_ms: 250,
            ..Default::default()
        };
        let busy = Refusal::from_wire(wire);
        assert_eq!(busy.code(), Some(ErrorCode::Busy));
        assert_eq!(busy.retry_after, Some(Duration::from_millis(250)));
        assert!(busy.is_retryable());
        assert_eq!(busy.to_string(), "busy: a queue is full");

        let new = Refusal::from_wire(v1::Error {
            code: 199,
            ..Default::default()
        });
        assert_eq!((new.code(), new.retry_after), (None, None));
        assert!(new.is_retryable(), "an unknown code is judged by its range");
        assert!(
            !Refusal::from_wire(v1::Error {
                code: 4,
                ..Default::default()
            })
            .is_retryable()
        );
    }

    #[test]
    fn errors_say_what_is_known_about_the_message() {
        let closed = |sent| {
            PublishError::Closed {
                reason: CloseReason::Application,
                sent,
            }
            .to_string()
        };
        assert!(closed(true).ends_with("is not known"));
        assert!(closed(false).ends_with("was not sent"));
        let server = CloseReason::Server {
            code: 4401,
            reason: "no".into(),
        };
        assert_eq!(
            server.to_string(),
            "the server ended the session and asked not to return: no (unauthorized (4401))"
        );
    }
}
