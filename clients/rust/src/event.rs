//! What a subscription tells the application.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use starling_protocol::v1;

use crate::{Position, SubscribeError};

/// What happened on a subscribed channel, in order.
///
/// Messages of one history come with seqs that rise by one. Where some are left out, an event says so first: there is
/// no silent gap.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The channel is attached: at first, and again after each reconnect.
    ///
    /// With [`Outcome::Discontinuity`] it is followed by [`Event::Discontinuity`].
    Attached {
        /// Delivery goes on after this position.
        position: Position,
        /// Seq of the newest message at that time: what lies between is on its way.
        head: u64,
        /// What became of the position asked for.
        outcome: Outcome,
        /// How far back the channel keeps messages.
        window: Window,
        /// The messages carry keys, and the state comes as [`Event::KeyedState`].
        keyed: bool,
    },
    /// One message.
    Message(Message),
    /// A part of the state of a keyed channel.
    KeyedState(KeyedState),
    /// Messages up to and including `to` were left out for this reader; the next is the one after it.
    Skipped {
        /// Seq of the last message left out.
        to: u64,
        /// How many were left out.
        count: u64,
        /// Why.
        reason: SkipReason,
    },
    /// The messages between the last one and `position` are lost to this reader. Delivery goes on after it.
    Discontinuity {
        /// Why.
        reason: Reason,
        /// Where delivery goes on.
        position: Position,
    },
    /// The subscription has failed for good: the last event.
    Failed(SubscribeError),
}

/// One message of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The channel it was published to.
    pub channel: Arc<str>,
    /// Where it stands. In a [`KeyedState`] the term is 0: unknown.
    pub position: Position,
    /// When its owner took it, milliseconds since 1970.
    pub time_ms: u64,
    /// Its key on a keyed channel.
    pub key: Option<String>,
    /// The key was removed; the payload is empty.
    pub deleted: bool,
    /// What was published.
    pub payload: Bytes,
    /// It was published before the channel was attached, or comes from history after a gap was closed.
    pub replayed: bool,
}

/// A part of the state of a keyed channel.
///
/// Parts come one after the other with nothing of the channel between them. At a part that is `first` and `replace`,
/// forget every key; then apply the entries of each part. A state that is cut off by a reconnect starts again with a
/// `first` part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedState {
    /// The whole state: keys in none of its parts do not exist. Otherwise only the keys that changed.
    pub replace: bool,
    /// The first part.
    pub first: bool,
    /// The final part: messages after `at` follow.
    pub last: bool,
    /// The position at which this was the state.
    pub at: Position,
    /// Newest value of each key, or its removal.
    pub entries: Vec<Message>,
}

/// What became of the position a reader asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was missed.
    Resumed,
    /// The reader starts so many messages before the head.
    Rewound(u64),
    /// The position cannot be continued from.
    Discontinuity(Reason),
}

/// How far back a channel keeps messages. The bound that is reached first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Messages kept.
    pub messages: u64,
    /// Bytes of payload kept.
    pub bytes: u64,
    /// Age up to which they are kept.
    pub age: Duration,
}

impl Window {
    pub(crate) fn from_wire(window: v1::Window) -> Self {
        Self {
            messages: window.messages,
            bytes: window.bytes,
            age: Duration::from_millis(window.age_ms),
        }
    }
}

/// Makes an enum of ours from one of the schema: without its "unspecified", with a name for people and logs, and with
/// `Other` for what a newer server may say.
macro_rules! mirrored {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// One that this version of the client does not know, by its number in the schema.
            Other(i32),
        }

        impl $name {
            pub(crate) fn from_wire(number: i32) -> Self {
                match v1::$name::try_from(number) {
                    $(Ok(v1::$name::$variant) => Self::$variant,)+
                    Ok(v1::$name::Unspecified) | Err(_) => Self::Other(number),
                }
            }

            /// The stable name, for logs and machines.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(_) => "other",
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Other(number) => write!(f, "other({number})"),
                    known => f.write_str(known.name()),
                }
            }
        }
    };
}

mirrored! {
    /// Why a position cannot be continued from.
    Reason {
        /// The position is older than the history that is kept.
        WindowExceeded "window_exceeded",
        /// The node that kept this history in memory was restarted.
        NodeRestarted "node_restarted",
        /// The channel was unused for so long that it was forgotten.
        Expired "expired",
        /// The channel keeps no history.
        NoHistory "no_history",
        /// History was cut while the reader paged through it.
        Truncated "truncated",
        /// The position lies ahead of what the channel holds.
        PositionAhead "position_ahead",
        /// The position names a message that this history does not hold.
        Forked "forked",
        /// Every copy was lost.
        AllCopiesLost "all_copies_lost",
        /// The epoch is not one this channel ever had.
        UnknownEpoch "unknown_epoch",
        /// The session may not read so far back.
        Forbidden "forbidden",
    }
}

mirrored! {
    /// Why messages were left out for one reader.
    SkipReason {
        /// The reader was slow and its policy drops the oldest.
        Slow "slow",
        /// A newer value of the same key follows.
        Superseded "superseded",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_schema_has_its_name() {
        for number in 1..=10 {
            let reason = v1::Reason::try_from(number).expect("the schema has reasons 1 to 10");
            let name = reason.as_str_name().trim_start_matches("REASON_").to_lowercase();
            assert_eq!(Reason::from_wire(number).name(), name);
        }
        assert!(
            v1::Reason::try_from(11).is_err(),
            "a reason was added to the schema and is not mirrored"
        );
        assert_eq!(Reason::from_wire(11).to_string(), "other(11)");
        assert_eq!(SkipReason::from_wire(1), SkipReason::Slow);
        assert_eq!(SkipReason::from_wire(2), SkipReason::Superseded);
        assert_eq!(SkipReason::from_wire(0), SkipReason::Other(0));
    }
}
