//! Names of channels.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Bytes of a whole name. Names travel in every attach and publish and are kept once per channel
/// and node; a longer one is refused when it is parsed.
pub const NAME_BYTES_MAX: usize = 255;

/// Bytes of the namespace. It is written by an operator in the configuration; 64 is a long word.
pub const NAMESPACE_BYTES_MAX: usize = 64;

/// The name of a channel: `namespace:rest`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName(Arc<str>);

/// Which rule a channel name breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ChannelNameError {
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("channel name has {bytes} bytes; use at most {NAME_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// There is no colon.
    #[error("channel name has no namespace; write it as `namespace:rest`")]
    NoNamespace,
    /// The part before the first colon breaks its rule.
    #[error("namespace of the channel name is not 1 to {NAMESPACE_BYTES_MAX} of a-z, 0-9, `_` and `-`; use only these")]
    BadNamespace,
    /// Two colons in a row, or a colon at the end.
    #[error("channel name has an empty segment; put text between single colons")]
    EmptySegment,
    /// A control character or whitespace.
    #[error("channel name has whitespace or a control character at byte {at}; remove it")]
    ForbiddenCharacter {
        /// Where it starts.
        at: usize,
    },
}

impl ChannelName {
    /// Reads a name: a namespace of 1 to 64 of `[a-z0-9_-]`, then one or more segments, each after
    /// a colon and not empty, of any characters but whitespace and control characters.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, ChannelNameError> {
        if text.len() > NAME_BYTES_MAX {
            return Err(ChannelNameError::TooLong { bytes: text.len() });
        }
        let (namespace, rest) = text.split_once(':').ok_or(ChannelNameError::NoNamespace)?;
        let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'_' | b'-');
        if !(1..=NAMESPACE_BYTES_MAX).contains(&namespace.len()) || !namespace.bytes().all(is_plain) {
            return Err(ChannelNameError::BadNamespace);
        }
        if rest.split(':').any(str::is_empty) {
            return Err(ChannelNameError::EmptySegment);
        }
        let forbidden = |(_, c): &(usize, char)| c.is_whitespace() || c.is_control();
        if let Some((at, _)) = text.char_indices().find(forbidden) {
            return Err(ChannelNameError::ForbiddenCharacter { at });
        }
        Ok(Self(text.into()))
    }

    /// The part before the first colon, which chooses the channel's settings.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.segments().next().unwrap_or_default()
    }

    /// The namespace and what follows it, split at the colons.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split(':')
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_namespace_and_segments() {
        let name = ChannelName::parse("chat:lobby:été-7").unwrap();
        assert_eq!(name.namespace(), "chat");
        assert_eq!(name.segments().collect::<Vec<_>>(), ["chat", "lobby", "été-7"]);
        assert_eq!(name.to_string(), "chat:lobby:été-7");
    }

    #[test]
    fn each_rule_has_its_error() {
        use ChannelNameError as E;
        for (text, error) in [
            ("", E::NoNamespace),
            ("chat", E::NoNamespace),
            (":a", E::BadNamespace),
            ("Chat:a", E::BadNamespace),
            ("ch at:a", E::BadNamespace),
            ("é:a", E::BadNamespace),
            ("chat:", E::EmptySegment),
            ("chat:a:", E::EmptySegment),
            ("chat::a", E::EmptySegment),
            ("chat:a b", E::ForbiddenCharacter { at: 6 }),
            ("chat:é\u{7f}", E::ForbiddenCharacter { at: 7 }),
            ("chat:a\u{2003}", E::ForbiddenCharacter { at: 6 }),
            ("chat:\n", E::ForbiddenCharacter { at: 5 }),
        ] {
            assert_eq!(ChannelName::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn lengths_are_bounded() {
        let name = |namespace: usize, rest: usize| {
            ChannelName::parse(&format!("{}:{}", "n".repeat(namespace), "r".repeat(rest)))
        };
        assert!(name(64, 190).is_ok());
        assert_eq!(name(64, 191), Err(ChannelNameError::TooLong { bytes: 256 }));
        assert_eq!(name(65, 1), Err(ChannelNameError::BadNamespace));
        assert!(name(1, 253).is_ok());
    }
}
