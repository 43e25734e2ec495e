//! Names of documents as editors write them.
//!
//! A document is named as a channel is, `namespace:rest`. Rooms of y-websocket and documents of Hocuspocus mostly have no
//! namespace: these are in the one that `documents.namespace` names, so that `/yjs/plan` and `/yjs/doc:plan` are one.

use starling_core::id::ChannelName;
use starling_core::id::name::ChannelNameError;

/// The document that an editor means.
///
/// # Errors
/// When it is no name with the namespace, either.
pub fn document(text: &str, namespace: &str) -> Result<ChannelName, ChannelNameError> {
    match ChannelName::parse(text) {
        Err(ChannelNameError::NoNamespace | ChannelNameError::BadNamespace) => {
            ChannelName::parse(&format!("{namespace}:{text}"))
        }
        parsed => parsed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_namespace_is_in_the_one_for_those() {
        for (text, expected) in [
            ("plan", Some("doc:plan")),
            ("team:plan", Some("team:plan")),
            ("a/b/c", Some("doc:a/b/c")),
            ("My Room", None),
            ("My:Room", Some("doc:My:Room")),
            ("a:", None),
            ("", None),
        ] {
            let document = document(text, "doc").ok();
            assert_eq!(document.as_ref().map(ChannelName::as_str), expected, "{text}");
        }
    }
}
