//! Who published, and under which number.

use std::fmt;
use std::sync::Arc;

use super::counter;

/// Whom a session's token names; empty for anonymous sessions. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(Arc<str>);

impl Subject {
    /// A subject as the token spells it. Whoever checks the token bounds its length.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Whom a session belongs to that names nobody.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new("")
    }

    /// Whether nobody is named.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.0.is_empty()
    }

    /// The subject as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// 128 random bits that name one instance of a client. Whoever knows them can speak for that
/// publisher, so they are shown to nobody: not to other clients, not in a log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PublisherId(pub [u8; 16]);

impl fmt::Debug for PublisherId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublisherId(..)")
    }
}

/// A publisher as the owner of a channel knows it. The subject is part of it: a publisher id that
/// leaked is of no use under another token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Author {
    /// Whom the token names.
    pub subject: Subject,
    /// Which of the subject's clients.
    pub publisher: PublisherId,
}

counter! {
    /// The number of a publish among those of one author to one channel. It rises by one; 0 is none.
    Serial
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_id_is_not_printed() {
        let author = Author {
            subject: Subject::new("anna"),
            publisher: PublisherId([7; 16]),
        };
        assert_eq!(
            format!("{author:?}"),
            "Author { subject: Subject(\"anna\"), publisher: PublisherId(..) }"
        );
    }
}
