//! Keys: of the values of a keyed channel, and of requests that may be repeated.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Bytes of a [`Key`] or an [`IdempotencyKey`]. Three UUIDs fit; a longer one is refused.
pub const KEY_BYTES_MAX: usize = 128;

/// A key is empty, or longer than [`KEY_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("key has {bytes} bytes; use 1 to {KEY_BYTES_MAX}")]
pub struct KeyError {
    /// How long it is.
    pub bytes: usize,
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads a key of 1 to [`KEY_BYTES_MAX`] bytes.
            ///
            /// # Errors
            /// When it is empty or longer.
            pub fn parse(text: &str) -> Result<Self, KeyError> {
                match text.len() {
                    1..=KEY_BYTES_MAX => Ok(Self(text.into())),
                    bytes => Err(KeyError { bytes }),
                }
            }

            /// The key as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

key! {
    /// Names one value of a keyed channel.
    Key
}

key! {
    /// Names one request of a subject, so that repeating it publishes once.
    IdempotencyKey
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_bounds() {
        assert_eq!(Key::parse(""), Err(KeyError { bytes: 0 }));
        assert_eq!(Key::parse(&"k".repeat(129)), Err(KeyError { bytes: 129 }));
        assert_eq!(Key::parse(&"k".repeat(128)).unwrap().as_str().len(), 128);
        assert_eq!(IdempotencyKey::parse("a").unwrap().to_string(), "a");
    }
}
