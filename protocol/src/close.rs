//! Why a session ended, and whether the client returns.
//!
//! The code travels in a Goodbye frame, because a WebTransport close code does not reach every browser; a WebSocket
//! carries the same number as its close code too. The ranges are those that y-websocket clients keep: from 4400 to
//! 4499 they stop for good, from 4500 to 4599 they return. A code that a client does not know is judged by its range,
//! so that a server may learn new ones without a new protocol version.

/// Declares the codes; each says in one place what it is, what it is called, and what a person is told.
macro_rules! close_codes {
    ($($(#[$doc:meta])* $code:ident = $number:literal, $name:literal, $sentence:literal;)+) => {
        /// Why a session ended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        #[non_exhaustive]
        pub enum CloseCode {
            $($(#[$doc])* $code = $number,)+
        }

        impl CloseCode {
            /// Every code, in order of number.
            pub const ALL: &[Self] = &[$(Self::$code),+];

            /// The stable name, for logs, metrics and documents.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)+
                }
            }

            /// For a person: what happened and what to do. The text of a Goodbye that has nothing more precise to say.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$code => $sentence,)+
                }
            }
        }
    };
}

close_codes! {
    /// The client is done. Only a client sends it.
    ///
    /// A client that receives it without having left was cut off by something on the way, and returns.
    Normal = 1000, "normal", "the client is done";

    /// The client sent bytes that are not the protocol, or a frame out of place.
    ///
    /// Returning with the same program ends the same way.
    ProtocolError = 4400, "protocol_error",
        "the client sent what the protocol does not allow here; update the client or report a bug";

    /// The token is missing, malformed, expired at Hello, revoked, or signed by an unknown key.
    ///
    /// The same token will not be taken later. A client that can obtain another returns once with it, and stops if that
    /// one is refused too.
    Unauthorized = 4401, "unauthorized", "the token was not accepted; obtain a new one before connecting again";

    /// The page's origin is not on the list of this server.
    ForbiddenOrigin = 4403, "forbidden_origin",
        "this origin may not connect; add it to the server's allowed origins";

    /// No protocol version is spoken by both sides: the client has to be updated, or the server.
    UnsupportedVersion = 4406, "unsupported_version",
        "client and server speak no common protocol version; update the older one";

    /// An operator or the application ended this session on purpose.
    Kicked = 4409, "kicked",
        "the session was ended on purpose; ask the application before connecting again";

    /// A frame was longer than the limit in force.
    FrameTooLarge = 4413, "frame_too_large",
        "a frame was longer than the limit told in welcome; send less in one frame";

    /// A fault of the server.
    Internal = 4500, "internal", "the server met a fault of its own; connect again";

    /// The node is stopping: return to one of the alternates.
    Draining = 4501, "draining", "the node is stopping; connect to another and resume";

    /// The reader was too slow and its policy is to disconnect: return and resume from the last position.
    Slow = 4502, "slow", "the client read too slowly for its policy; connect again and resume";

    /// The node has no room for this session now: wait as long as the Goodbye says, then return.
    Overloaded = 4503, "overloaded",
        "the node has no room for another session now; connect again after the time given";

    /// Nothing was heard for one and a half heartbeats.
    Silent = 4504, "silent", "nothing was heard for one and a half heartbeats; connect again and resume";

    /// The token expired during the session and was not refreshed.
    ///
    /// A client returns, because the usual cause is a laptop that slept through the refresh: it obtains a new token and
    /// resumes. One that has no way to a new token presents the old one, and is told `unauthorized`, which ends it.
    TokenExpired = 4505, "token_expired",
        "the token expired and was not refreshed; connect again with a new one";

    /// An operator or the application asked the client to connect again, to have it present a new token, say.
    Reconnect = 4506, "reconnect", "the application asked for a new connection; connect again and resume";

    /// The node has more than its share of the clients: return to one of the alternates, which have fewer.
    Rebalanced = 4507, "rebalanced", "another node has fewer clients; connect to it and resume";

    /// Hello did not arrive in time. A slow network is the usual cause, so the client returns.
    HelloTimeout = 4508, "hello_timeout", "hello did not arrive in time; connect again";
}

impl CloseCode {
    /// The code with this number, if this version knows it. For others [`returns`] still tells what to do.
    #[must_use]
    pub fn from_u16(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// Whether a client that was told this code connects again by itself.
    #[must_use]
    pub const fn returns(self) -> bool {
        returns(self.number())
    }
}

impl std::fmt::Display for CloseCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name(), self.number())
    }
}

/// Whether a client that was told this number connects again by itself.
///
/// Only 4400 to 4499 keep a client away. Numbers outside both ranges come from proxies, browsers and WebSocket
/// libraries (1001, 1006, 1011, ...): they mean a lost connection, and a client returns from one.
#[must_use]
pub const fn returns(number: u16) -> bool {
    !matches!(number, 4400..=4499)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_leads_back_to_its_code() {
        for &code in CloseCode::ALL {
            assert_eq!(CloseCode::from_u16(code.number()), Some(code));
        }
        assert!(
            CloseCode::ALL.is_sorted_by(|a, b| a < b),
            "in order of number, each once"
        );
        assert_eq!(CloseCode::from_u16(4499), None);
    }

    #[test]
    fn codes_of_ours_are_in_one_of_the_two_ranges() {
        for code in CloseCode::ALL.iter().filter(|code| **code != CloseCode::Normal) {
            assert!((4400..=4599).contains(&code.number()), "{code}");
            assert_eq!(code.returns(), code.number() >= 4500, "{code}");
        }
    }

    #[test]
    fn unknown_numbers_are_judged_by_range() {
        for (number, expected) in [
            (4399, true),
            (4400, false),
            (4450, false),
            (4499, false),
            (4500, true),
            (4599, true),
            (1006, true),
            (0, true),
        ] {
            assert_eq!(returns(number), expected, "{number}");
        }
    }
}
