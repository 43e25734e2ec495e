//! What a session may do: capabilities, checked at the gateway and again at the owner.
//!
//! A capability is a channel [`Pattern`] and the [`Operations`] it allows. A [`Grant`] is what a
//! session holds after it has been authenticated. What no capability allows is refused.
//!
//! Wildcards stand for whole segments only: a pattern that could match half a name is how tenants
//! read each other's channels.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::id::{ChannelName, Subject};
use crate::time::WallTime;

/// Segments a pattern may have. A channel name of 255 bytes has at most 128; patterns are written
/// by people and need a few. A longer pattern is refused when the grant is made.
pub const PATTERN_SEGMENTS_MAX: usize = 32;

/// One thing a session may want to do with a channel, or with a document, which is named like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Operation {
    /// Send messages.
    Publish = 1,
    /// Receive messages as they come.
    Subscribe = 1 << 1,
    /// Receive messages that are in the past: rewind, resume over missed messages, read back.
    History = 1 << 2,
    /// Act on the sessions of others: end them. Sessions belong to no channel, so only the pattern `*` gives it.
    Admin = 1 << 3,
    /// Enter a channel's presence, and watch who is there.
    Presence = 1 << 4,
    /// Open a document and see what is written in it.
    DocRead = 1 << 5,
    /// Write in a document.
    DocWrite = 1 << 6,
    /// Show who one is in a document, and where.
    Awareness = 1 << 7,
}

/// A set of [`Operation`]s.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Operations(u8);

impl Operations {
    /// None.
    pub const NONE: Self = Self(0);

    /// Every operation there is.
    pub const ALL: Self = Self::NONE
        .with(Operation::Publish)
        .with(Operation::Subscribe)
        .with(Operation::History)
        .with(Operation::Admin)
        .with(Operation::Presence)
        .with(Operation::DocRead)
        .with(Operation::DocWrite)
        .with(Operation::Awareness);

    /// Whether `operation` is in the set.
    #[must_use]
    pub const fn contains(self, operation: Operation) -> bool {
        self.0 & operation as u8 != 0
    }

    /// The set with `operation` added.
    #[must_use]
    pub const fn with(self, operation: Operation) -> Self {
        Self(self.0 | operation as u8)
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            Operation::Publish,
            Operation::Subscribe,
            Operation::History,
            Operation::Admin,
            Operation::Presence,
            Operation::DocRead,
            Operation::DocWrite,
            Operation::Awareness,
        ];
        f.debug_set()
            .entries(all.into_iter().filter(|one| self.contains(*one)))
            .finish()
    }
}

/// Why a pattern was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    /// Two colons in a row, or a colon at an end, or nothing at all.
    #[error("pattern has an empty segment; write segments between single colons")]
    EmptySegment,
    /// `*` beside other characters.
    #[error("`{0}` mixes `*` with text; a wildcard stands for a whole segment")]
    PartialWildcard(String),
    /// More than [`PATTERN_SEGMENTS_MAX`].
    #[error("pattern has more than {PATTERN_SEGMENTS_MAX} segments; shorten it")]
    TooLong,
}

/// A channel name with wildcards: `*` stands for one whole segment, and at the end for one or more.
///
/// `chat:*` matches `chat:a` and `chat:a:b`; `chat:*:log` matches `chat:a:log` but not
/// `chat:a:b:log`; `*` matches every channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Box<[Segment]>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Text(Box<str>),
    Any,
}

impl Pattern {
    /// Reads a pattern as an operator or a token writes it.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut segments = Vec::new();
        for segment in text.split(':') {
            if segments.len() == PATTERN_SEGMENTS_MAX {
                return Err(PatternError::TooLong);
            }
            segments.push(match segment {
                "" => return Err(PatternError::EmptySegment),
                "*" => Segment::Any,
                text if text.contains('*') => {
                    return Err(PatternError::PartialWildcard(text.to_owned()));
                }
                text => Segment::Text(text.into()),
            });
        }
        Ok(Self(segments.into()))
    }

    /// Whether it matches every channel there can be.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        matches!(&*self.0, [Segment::Any])
    }

    /// Whether the channel's name matches. Linear in the number of segments; never backtracks.
    #[must_use]
    pub fn matches(&self, channel: &ChannelName) -> bool {
        let mut names = channel.segments();
        let last = self.0.len() - 1;
        for (at, segment) in self.0.iter().enumerate() {
            let Some(name) = names.next() else {
                return false;
            };
            match segment {
                Segment::Any if at == last => return true,
                Segment::Any => {}
                Segment::Text(text) if **text == *name => {}
                Segment::Text(_) => return false,
            }
        }
        names.next().is_none()
    }
}

impl fmt::Display for Pattern {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            let text = match segment {
                Segment::Text(text) => text,
                Segment::Any => "*",
            };
            write!(f, "{colon}{text}")?;
        }
        Ok(())
    }
}

/// A right to do some things with some channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability {
    /// The channels it covers.
    pub pattern: Pattern,
    /// What it allows there.
    pub operations: Operations,
}

/// Who a session belongs to, and what it may do. Shared: every anonymous session holds the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whom the token names. Publishers of one subject share a publisher table key space.
    pub subject: Subject,
    /// What no capability covers is refused.
    pub capabilities: Arc<[Capability]>,
    /// When the right ends; `None` for never.
    pub expires: Option<WallTime>,
}

impl Grant {
    /// Whether some capability covers `operation` on `channel`.
    #[must_use]
    pub fn allows(&self, channel: &ChannelName, operation: Operation) -> bool {
        self.capabilities
            .iter()
            .any(|capability| capability.operations.contains(operation) && capability.pattern.matches(channel))
    }

    /// Whether it may act on the sessions of others.
    #[must_use]
    pub fn administers(&self) -> bool {
        self.capabilities
            .iter()
            .any(|capability| capability.operations.contains(Operation::Admin) && capability.pattern.is_everything())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ChannelName {
        ChannelName::parse(text).expect("a valid name")
    }

    #[test]
    fn a_wildcard_stands_for_whole_segments() {
        for (pattern, channel, expected) in [
            ("chat:lobby", "chat:lobby", true),
            ("chat:lobby", "chat:lobby2", false),
            ("chat:lobby", "chat:lobby:x", false),
            ("chat:*", "chat:a", true),
            ("chat:*", "chat:a:b", true),
            ("chat:*", "chats:a", false),
            ("chat:*:log", "chat:a:log", true),
            ("chat:*:log", "chat:a:b:log", false),
            ("chat:*:log", "chat:a", false),
            ("chat:a:*", "chat:a", false),
            ("*:lobby", "chat:lobby", true),
            ("*", "chat:a:b", true),
        ] {
            let parsed = Pattern::parse(pattern).expect("a valid pattern");
            assert_eq!(parsed.matches(&name(channel)), expected, "{pattern} on {channel}");
            assert_eq!(parsed.to_string(), pattern);
        }
    }

    #[test]
    fn a_pattern_that_could_match_half_a_name_is_refused() {
        assert_eq!(Pattern::parse("*a"), Err(PatternError::PartialWildcard("*a".into())));
        assert!(Pattern::parse("chat:a*").is_err());
        assert_eq!(Pattern::parse(""), Err(PatternError::EmptySegment));
        assert_eq!(Pattern::parse("chat::a"), Err(PatternError::EmptySegment));
        assert_eq!(Pattern::parse("chat:"), Err(PatternError::EmptySegment));
        assert_eq!(
            Pattern::parse(&vec!["a"; PATTERN_SEGMENTS_MAX + 1].join(":")),
            Err(PatternError::TooLong)
        );
        assert!(Pattern::parse(&vec!["a"; PATTERN_SEGMENTS_MAX].join(":")).is_ok());
    }

    #[test]
    fn nothing_is_allowed_unless_a_capability_says_so() {
        let mut grant = Grant {
            subject: Subject::new("anna"),
            capabilities: Arc::new([]),
            expires: None,
        };
        assert!(!grant.allows(&name("chat:a"), Operation::Subscribe));
        grant.capabilities = Arc::new([
            Capability {
                pattern: Pattern::parse("chat:*").expect("valid"),
                operations: Operations::default().with(Operation::Subscribe),
            },
            Capability {
                pattern: Pattern::parse("chat:a").expect("valid"),
                operations: Operations::default().with(Operation::Publish),
            },
        ]);
        assert!(grant.allows(&name("chat:a"), Operation::Subscribe));
        assert!(grant.allows(&name("chat:a"), Operation::Publish));
        assert!(!grant.allows(&name("chat:b"), Operation::Publish));
        assert!(!grant.allows(&name("chat:a"), Operation::History));
        assert!(Operations::ALL.contains(Operation::History));
    }

    #[test]
    fn only_who_may_administer_every_channel_administers_sessions() {
        let grant = |pattern: &str, operations| Grant {
            subject: Subject::new("anna"),
            capabilities: Arc::new([Capability {
                pattern: Pattern::parse(pattern).expect("valid"),
                operations,
            }]),
            expires: None,
        };
        let admin = Operations::default().with(Operation::Admin);
        assert!(grant("*", admin).administers());
        assert!(grant("*", Operations::ALL).administers());
        for (pattern, operations) in [
            ("chat:*", admin),
            ("*:*", admin),
            ("*:lobby", admin),
            ("*", Operations::default().with(Operation::Publish)),
        ] {
            assert!(!grant(pattern, operations).administers(), "{pattern} {operations:?}");
        }
    }
}
