//! What every frame kind has in common: a name, and a short way to send it.

use crate::v1::{self, client_frame, server_frame};

/// Names the bodies of a frame and lets each be sent as it is, without its enum around it.
///
/// The match has no wildcard, so a kind added to the schema does not compile until it is listed.
macro_rules! kinds {
    ($frame:ident { $($kind:ident $name:literal,)+ }) => {
        impl $frame::Body {
            /// Every name that [`Body::name`](Self::name) gives.
            pub const NAMES: &[&str] = &[$($name),+];

            /// The kind of frame, by its name in the schema: for logs and metrics.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $name,)+
                }
            }
        }

        $(impl From<v1::$kind> for $frame::Body {
            fn from(body: v1::$kind) -> Self {
                Self::$kind(body)
            }
        })+
    };
}

kinds!(client_frame {
    Publish "publish",
    Ping "ping",
    Pong "pong",
    Credit "credit",
    Pull "pull",
    Attach "attach",
    Detach "detach",
    Skip "skip",
    Enter "enter",
    Ephemeral "ephemeral",
    Leave "leave",
    Watch "watch",
    DocumentPart "document_part",
    Hello "hello",
    Refresh "refresh",
    Goodbye "goodbye",
    OpenDocument "open_document",
    CloseDocument "close_document",
});

kinds!(server_frame {
    Publication "publication",
    Ack "ack",
    Ping "ping",
    Pong "pong",
    Page "page",
    Snapshot "snapshot",
    Skipped "skipped",
    Lagged "lagged",
    Attached "attached",
    Detached "detached",
    Discontinuity "discontinuity",
    Error "error",
    PresenceChanges "presence_changes",
    Ephemerals "ephemerals",
    Occupancy "occupancy",
    Welcome "welcome",
    Refreshed "refreshed",
    Goodbye "goodbye",
    Entered "entered",
    Left "left",
    Watched "watched",
    Roster "roster",
    Certainty "certainty",
    DocumentPart "document_part",
    DocumentSaved "document_saved",
    DocumentOpened "document_opened",
    DocumentRefused "document_refused",
});
