//! Texts that are checked when they come back.

use starling_core::id::{Author, ChannelName, Epoch, IdempotencyKey, Key, PublisherId, Subject};

use super::WireError;

/// Bytes of a subject; whoever checks tokens allows fewer.
const SUBJECT_BYTES_MAX: usize = 256;

pub(super) fn channel(text: &str) -> Result<ChannelName, WireError> {
    ChannelName::parse(text).map_err(|_| WireError::Text("channel name"))
}

pub(super) fn epoch(text: &str) -> Result<Epoch, WireError> {
    Epoch::parse(text).map_err(|_| WireError::Text("epoch"))
}

pub(super) fn key(text: &str) -> Result<Key, WireError> {
    Key::parse(text).map_err(|_| WireError::Text("key"))
}

pub(super) fn idempotency_key(text: &str) -> Result<IdempotencyKey, WireError> {
    IdempotencyKey::parse(text).map_err(|_| WireError::Text("idempotency key"))
}

pub(super) fn subject(text: &str) -> Result<Subject, WireError> {
    match text.len() {
        0..=SUBJECT_BYTES_MAX => Ok(Subject::new(text)),
        _ => Err(WireError::Text("subject")),
    }
}

/// An author on the wire.
pub(super) type AuthorHead = (String, [u8; 16]);

pub(super) fn author_head(author: &Author) -> AuthorHead {
    (author.subject.as_str().into(), author.publisher.0)
}

pub(super) fn author((text, publisher): &AuthorHead) -> Result<Author, WireError> {
    Ok(Author {
        subject: subject(text)?,
        publisher: PublisherId(*publisher),
    })
}
