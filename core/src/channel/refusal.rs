//! Why a request is refused, in words for a person.

use std::time::Duration;

use thiserror::Error;

use crate::id::{ChannelName, Serial};

/// Why a request is refused; the error codes of the client protocol are made from it. The
/// text says what happened, what it means, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A field is missing or out of range. The text says which.
    #[error("the request cannot be carried out as it stands: {0}; correct it before sending it again")]
    BadRequest(&'static str),
    /// No settings exist for the channel's namespace.
    #[error("namespace `{name}` is not configured here, so `{0}` cannot be used; add the namespace or correct the name", name = .0.namespace())]
    UnknownNamespace(ChannelName),
    /// No capability of the session covers it.
    #[error("this session may not {action} `{channel}`; ask for a token that covers it")]
    Forbidden {
        /// What was wanted, as a verb with its preposition: "publish to".
        action: &'static str,
        /// Where.
        channel: ChannelName,
    },
    /// A token is not accepted. The text says why.
    #[error("{0}")]
    Unauthorized(String),
    /// The payload is larger than the namespace allows.
    #[error(
        "the payload has {bytes} bytes and the namespace takes {bytes_max}; nothing was published, split it or raise the limit"
    )]
    PayloadTooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        bytes_max: usize,
    },
    /// The session holds as many channels as it may.
    #[error("this session holds {max} channels, as many as it may; detach from some first")]
    TooManyChannels {
        /// As many as it may.
        max: usize,
    },
    /// The owner accepts another serial next.
    #[error("the owner takes serial {expected} next, so nothing was published; send again from there, or skip")]
    SerialGap {
        /// The serial the owner accepts.
        expected: Serial,
    },
    /// The owner has forgotten what became of this serial.
    #[error(
        "the owner no longer knows whether this serial was published; look in the channel before publishing it under a new serial"
    )]
    OutcomeUnknown,
    /// The session is not attached to the channel.
    #[error("this session is not attached to that channel; attach first")]
    NotAttached,
    /// The session has not entered the channel's presence.
    #[error("this session has not entered the presence of that channel; enter it first")]
    NotEntered,
    /// The node serves no documents.
    #[error("this node serves no documents; whoever operates it sets documents.enabled")]
    DocumentsOff,
    /// The session has as many documents open as it may.
    #[error("this session has {max} documents open, as many as it may; close some first")]
    TooManyDocuments {
        /// As many as it may.
        max: usize,
    },
    /// A state in presence is longer than the namespace allows.
    #[error(
        "the state has {bytes} bytes and the namespace takes {bytes_max}; nothing has changed, say less in it or raise the limit"
    )]
    StateTooLarge {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        bytes_max: usize,
    },
    /// The session has entered as many channels as it may.
    #[error("this session has entered {max} channels, as many as it may; leave some first")]
    TooManyEntries {
        /// As many as it may.
        max: usize,
    },
    /// The node holds as much of presence as it may.
    #[error("this node holds as much of presence as it may; try again later, or at another node")]
    PresenceFull,
    /// The channel takes keys and there was none, or the reverse.
    #[error("the channel {}; correct the request or the channel's name", if *.keyed { "holds a value per key and the request names none" } else { "holds no keys and the request names or removes one" })]
    KeyMismatch {
        /// Whether the channel takes keys.
        keyed: bool,
    },
    /// The channel holds as many keys as it may, or as many bytes of values.
    #[error(
        "the channel holds as many keys or bytes of values as it may; nothing was published, remove keys or raise the limit"
    )]
    TooManyKeys,
    /// The channel keeps no history.
    #[error("the channel keeps no history, so there is nothing to read back; attach to follow it")]
    NoHistory,
    /// The serial was retired by a skip.
    #[error("this serial was skipped, so nothing was or will be published under it; use the next one")]
    SerialSkipped,
    /// The channel is to be kept in a store, and the nodes share none.
    #[error(
        "this cluster keeps no persisted channels, because its nodes share no store, so `{0}` cannot be used; give all nodes one database in storage.url"
    )]
    StoreNotShared(ChannelName),
    /// A queue on the way is full.
    #[error("the channel has too much unfinished work; nothing was published, try again shortly")]
    Busy,
    /// The client asks more often than it may.
    #[error("this client {} faster than it may; nothing was done, try again in {} ms", .limit.beyond(), .retry_after.as_millis())]
    RateLimited {
        /// Which limit it met.
        limit: Limit,
        /// When there is room again.
        retry_after: Duration,
    },
    /// The session has as many unanswered publishes as it may.
    #[error(
        "{max} publishes of this session are unanswered, as many as may be; wait for an answer before sending more"
    )]
    TooManyInFlight {
        /// As many as it may.
        max: usize,
    },
    /// Fewer copies can be placed than an acknowledgement promises.
    #[error(
        "fewer copies can be placed than an acknowledgement promises, so nothing is acknowledged; try again when more nodes are up"
    )]
    InsufficientReplicas,
    /// The owner cannot be reached, or is no longer the owner.
    #[error("the channel's owner cannot answer now; try again, the outcome will be told then")]
    Unavailable,
    /// Another node is about to own the channel, or has just begun to.
    #[error("the channel is moving to another node, and nothing was lost; try again at once")]
    Moving,
    /// The node is stopping.
    #[error("this node is stopping and another takes over; try again there")]
    Draining,
    /// A bound of the slot is reached.
    #[error(
        "the slot holds as many channels or publishers as it may; try again after others expired, or raise the limit"
    )]
    SlotFull,
    /// The channel was set aside after a fault.
    #[error("the channel was set aside after repeated faults; an operator has to look before it is used again")]
    Quarantined,
    /// A fault of the server.
    #[error("the server failed on this request; try again, and report it if it happens again")]
    Internal,
}

/// What bounds how often a client may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Publishes of a session to a namespace.
    PublishRate,
    /// Bytes that a session publishes to a namespace.
    PublishBytes,
    /// Attaches of a session.
    AttachRate,
    /// What a session enters, changes, leaves and watches.
    PresenceRate,
    /// Channels that one party puts into use.
    OpenRate,
    /// Publishes of one party over HTTP.
    HttpPublishRate,
    /// Tokens and keys of one party that are not accepted.
    AuthFailureRate,
    /// Other requests of one party over HTTP.
    HttpRequestRate,
}

impl Limit {
    /// The name in metrics, which is that of the key in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PublishRate => "publish_rate",
            Self::PublishBytes => "publish_bytes",
            Self::AttachRate => "attach_rate",
            Self::PresenceRate => "presence_rate",
            Self::OpenRate => "open_rate",
            Self::HttpPublishRate => "http_publish_rate",
            Self::AuthFailureRate => "auth_failure_rate",
            Self::HttpRequestRate => "http_request_rate",
        }
    }

    /// What a client does that goes beyond it.
    const fn beyond(self) -> &'static str {
        match self {
            Self::PublishRate => "publishes",
            Self::PublishBytes => "publishes more bytes",
            Self::AttachRate => "attaches to channels",
            Self::PresenceRate => "enters, changes, leaves and watches presence",
            Self::OpenRate => "puts channels into use that nobody uses",
            Self::HttpPublishRate => "publishes over HTTP",
            Self::AuthFailureRate => "presents tokens or keys that are not accepted",
            Self::HttpRequestRate => "sends requests over HTTP",
        }
    }
}

/// What is wrong with a request that an owner refuses as it stands.
pub(super) const SERIALS: &str = "serials start at 1, and base is at most the serial";
pub(super) const REMOVAL_WITH_PAYLOAD: &str = "a message that removes a key has no payload";

impl Refusal {
    /// A request that another node found to be wrong, and what it said about that.
    #[must_use]
    pub fn bad_request(text: &str) -> Self {
        let known = [SERIALS, REMOVAL_WITH_PAYLOAD];
        let known = known.into_iter().find(|known| *known == text);
        Self::BadRequest(known.unwrap_or("the channel's owner finds fault with it"))
    }

    /// The limit of a rate or a number in the configuration that the request met, for metrics.
    #[must_use]
    pub const fn limit(&self) -> Option<&'static str> {
        match self {
            Self::RateLimited { limit, .. } => Some(limit.name()),
            Self::TooManyInFlight { .. } => Some("publishes_in_flight_max"),
            Self::TooManyChannels { .. } => Some("channels_max"),
            Self::PayloadTooLarge { .. } => Some("payload_max"),
            Self::StateTooLarge { .. } => Some("state_max"),
            Self::TooManyEntries { .. } => Some("presence_entries_per_session_max"),
            Self::PresenceFull => Some("presence_entries_max"),
            Self::TooManyDocuments { .. } => Some("documents_per_session_max"),
            _ => None,
        }
    }

    /// When the same request may succeed; `None` if it cannot as it stands.
    ///
    /// The figures are hints: short where a queue drains by itself, long where nodes, timers or
    /// people have to act first. A client adds its own back-off.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } => Some(*retry_after),
            // A hand-over takes about as long.
            Self::Moving => Some(Duration::from_millis(50)),
            Self::Busy | Self::TooManyInFlight { .. } => Some(Duration::from_millis(100)),
            Self::InsufficientReplicas | Self::Unavailable | Self::Draining => Some(Duration::from_millis(500)),
            Self::Internal => Some(Duration::from_secs(1)),
            Self::SlotFull | Self::PresenceFull => Some(Duration::from_secs(10)),
            Self::Quarantined => Some(Duration::from_secs(60)),
            Self::BadRequest(_)
            | Self::UnknownNamespace { .. }
            | Self::Forbidden { .. }
            | Self::Unauthorized(_)
            | Self::PayloadTooLarge { .. }
            | Self::TooManyChannels { .. }
            | Self::SerialGap { .. }
            | Self::OutcomeUnknown
            | Self::NotAttached
            | Self::NotEntered
            | Self::DocumentsOff
            | Self::TooManyDocuments { .. }
            | Self::StateTooLarge { .. }
            | Self::TooManyEntries { .. }
            | Self::KeyMismatch { .. }
            | Self::TooManyKeys
            | Self::NoHistory
            | Self::SerialSkipped
            | Self::StoreNotShared(_) => None,
        }
    }
}
