//! Every limit on the wire, with its reason.
//!
//! Both sides hold to these: a server refuses what exceeds them, and a client may size its buffers by them.
//! What a configuration can change is marked: such a constant is the default, and Welcome tells the value that holds.
//! [`ALL`] lists every one, so that the tables in `README.md` and `vectors/limits.json` cannot fall behind.

/// Declares the constants and lists them in [`ALL`].
macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $value:expr;)+) => {
        $($(#[$doc])* pub const $name: $type = $value;)+

        /// Every limit by name and value.
        pub const ALL: &[(&str, u64)] = &[$((stringify!($name), $name as u64)),+];
    };
}

limits! {
    /// Bytes of the first frame a client sends.
    ///
    /// All a stranger can make a node hold before its token is checked. 4 KiB carries a token of [`TOKEN_BYTES_MAX`]
    /// and every other field of Hello at its limit. A longer one closes the session with `frame_too_large`.
    HELLO_BYTES_MAX: usize = 4 * 1024;

    /// Milliseconds from the first packet, over WebSocket the request to upgrade, to a complete Hello.
    ///
    /// A browser on a poor mobile network sends one packet within two; the rest is room for a retransmission. Later,
    /// the session is closed with `hello_timeout`, which lets the client return.
    HELLO_DEADLINE_MS: u64 = 5_000;

    /// Bytes of a token, in Hello and in Refresh.
    ///
    /// A signed token with some thirty capabilities is near 2 KiB; the rest of Hello needs less than the last KiB.
    TOKEN_BYTES_MAX: usize = 3 * 1024;

    /// Bytes of the agent in Hello: a name and a version, for an operator's table of clients.
    AGENT_BYTES_MAX: usize = 128;

    /// Bytes of the publisher in Hello, neither more nor fewer: 128 random bits never repeat by chance.
    PUBLISHER_BYTES: usize = 16;

    /// Bytes of a client's number: in Hello the secret one, or none, and in presence the one that is shown. 128 bits never
    /// repeat by chance.
    CLIENT_BYTES: usize = 16;

    /// Bytes of a state in presence that no namespace can exceed (configurable below it).
    ///
    /// A name, a colour and the address of a picture. Everybody in a channel sees it of everybody: a thousand members
    /// with a full one are a megabyte to whoever begins to watch. A longer one is refused with `payload_too_large`.
    STATE_BYTES_MAX: usize = 4 * 1024;

    /// Bytes of an ephemeral state: with what is around it, it fits a datagram.
    EPHEMERAL_BYTES_MAX: usize = 512;

    /// Bytes of a datagram, in either direction. Every path that carries QUIC takes packets of 1,200 bytes, of which QUIC and
    /// HTTP/3 need less than a hundred; a full ephemeral state, with the longest name of a channel, fits.
    DATAGRAM_BYTES_MAX: usize = 1_024;

    /// Bytes of a member's name in presence: the subject of a token.
    MEMBER_BYTES_MAX: usize = 128;

    /// Bytes of a piece of a document, in all its parts, from a client.
    ///
    /// Far above what anybody types or pastes: a text of a million words. A longer one is refused with `bad_update`.
    PIECE_BYTES_MAX: usize = 4 * 1024 * 1024;

    /// Bytes of a payload unless the namespace says otherwise (configurable up to [`PAYLOAD_BYTES_MAX`]).
    ///
    /// Longer messages are files: they belong in a store, with their address in the message. A longer payload that
    /// still fits a frame is refused with `payload_too_large`.
    PAYLOAD_BYTES_DEFAULT: usize = 64 * 1024;

    /// Bytes of a payload that no namespace can exceed.
    ///
    /// What is published must fit a page by itself: a page of [`PAGE_BYTES_MAX`] less [`FRAME_HEADER_BYTES`].
    PAYLOAD_BYTES_MAX: usize = PAGE_BYTES_MAX - FRAME_HEADER_BYTES;

    /// Bytes a frame may spend on everything but its payload.
    ///
    /// Publish with a channel name and a key at their limits and every number at its widest needs fewer than 500.
    FRAME_HEADER_BYTES: usize = 1024;

    /// Bytes of a client's frame after Hello when payloads keep to their default (Welcome tells what holds).
    ///
    /// The length before the frame is checked against it before a byte is reserved. A longer frame closes the session
    /// with `frame_too_large`, because what follows it on the stream cannot be trusted.
    CLIENT_FRAME_BYTES_DEFAULT: usize = PAYLOAD_BYTES_DEFAULT + FRAME_HEADER_BYTES;

    /// Bytes of a client's frame under any configuration: Welcome never tells more.
    CLIENT_FRAME_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + FRAME_HEADER_BYTES;

    /// Bytes of a Page or Snapshot frame.
    ///
    /// A quarter of a second on a 10 Mbit/s line: live messages of other channels do not wait longer behind one.
    PAGE_BYTES_MAX: usize = 256 * 1024;

    /// Bytes of a server's frame: the longest are pages, and no other frame needs more.
    SERVER_FRAME_BYTES_MAX: usize = PAGE_BYTES_MAX;

    /// Bytes of pages in flight to a client that leaves `page_credit` at 0.
    ///
    /// Two full pages, so that one travels while the client works on the other.
    PAGE_CREDIT_BYTES_DEFAULT: u32 = 512 * 1024;

    /// The least `page_credit` a client may open with: with less, a full page could never be sent, and the reader
    /// would wait for ever. A smaller one is refused with `protocol_error`.
    PAGE_CREDIT_BYTES_MIN: u32 = 256 * 1024;

    /// Bytes of a channel's name, namespace included.
    ///
    /// Long enough for a path of ids. A longer one is refused with `bad_channel_name`.
    CHANNEL_BYTES_MAX: usize = 255;

    /// Bytes of a key on a keyed channel: ids and short paths. A longer one is refused with `bad_request`.
    KEY_BYTES_MAX: usize = 128;

    /// Bytes of an epoch: opaque to clients, which store it with their position. A longer one was not given out by a
    /// server and is refused with `bad_request`.
    EPOCH_BYTES_MAX: usize = 64;

    /// Bytes of a name that a server gives itself or a session in Welcome: a host name and more.
    NAME_BYTES_MAX: usize = 255;

    /// Bytes of the text for a person in Error and Goodbye: three sentences and a link.
    TEXT_BYTES_MAX: usize = 1024;

    /// Nodes that a Goodbye names to return to. A client tries them in order; after eight it does better to ask again.
    ALTERNATES_MAX: usize = 8;

    /// Bytes of one such address: a scheme, a host name at its longest (253) and a port.
    ALTERNATE_BYTES_MAX: usize = 512;

    /// Channels a session holds at once (configurable; Welcome tells what holds).
    ///
    /// A page that shows more than a hundred live things is better served by one channel with keys. One more is
    /// refused with `too_many_channels`.
    CHANNELS_DEFAULT: u32 = 100;

    /// Publishes sent and not yet answered, over all channels of a session (configurable; Welcome tells what holds).
    ///
    /// As many results as an owner remembers for each publisher, so that every retry finds its answer. One more is
    /// refused with `rate_limited`.
    PUBLISHES_IN_FLIGHT_DEFAULT: u32 = 64;

    /// Milliseconds after which a silent side sends Ping (configurable; Welcome tells what holds).
    ///
    /// Well below the 30 s after which the first address translators forget a connection.
    HEARTBEAT_MS_DEFAULT: u32 = 10_000;

    /// Silence that means loss, in percent of a heartbeat: one Ping may be half a heartbeat late.
    SILENCE_PERCENT: u32 = 150;
}

/// Milliseconds of silence after which a session with this heartbeat is lost.
///
/// A server closes it with `silent`; a client returns to the same node or another.
#[must_use]
pub const fn silence_ms(heartbeat_ms: u32) -> u64 {
    heartbeat_ms as u64 * SILENCE_PERCENT as u64 / 100
}

/// Longest frame, in bytes, of a session whose longest payload is `payload_bytes`: what Welcome tells.
///
/// A payload above [`PAYLOAD_BYTES_MAX`] counts as that many.
#[must_use]
pub const fn client_frame_bytes(payload_bytes: usize) -> usize {
    let payload_bytes = if payload_bytes < PAYLOAD_BYTES_MAX {
        payload_bytes
    } else {
        PAYLOAD_BYTES_MAX
    };
    let frame_bytes = payload_bytes + FRAME_HEADER_BYTES;
    // A token must fit a Refresh even where payloads are tiny.
    if frame_bytes < HELLO_BYTES_MAX {
        HELLO_BYTES_MAX
    } else {
        frame_bytes
    }
}

// The limits depend on each other; a change that breaks a relation does not compile.
const _: () = {
    assert!(
        TOKEN_BYTES_MAX + AGENT_BYTES_MAX + PUBLISHER_BYTES + CLIENT_BYTES + 64 <= HELLO_BYTES_MAX,
        "a full hello fits its frame"
    );
    assert!(
        CHANNEL_BYTES_MAX + KEY_BYTES_MAX + 128 <= FRAME_HEADER_BYTES,
        "a full publish fits its frame"
    );
    assert!(
        STATE_BYTES_MAX + CHANNEL_BYTES_MAX + 32 <= CLIENT_FRAME_BYTES_DEFAULT,
        "a full enter fits its frame"
    );
    assert!(
        EPHEMERAL_BYTES_MAX + CHANNEL_BYTES_MAX + 64 <= DATAGRAM_BYTES_MAX,
        "a full ephemeral state fits a datagram, from its client and to others"
    );
    assert!(PAYLOAD_BYTES_DEFAULT <= PAYLOAD_BYTES_MAX, "the default is allowed");
    assert!(
        CLIENT_FRAME_BYTES_MAX <= SERVER_FRAME_BYTES_MAX,
        "what is published can be delivered"
    );
    assert!(
        PAGE_CREDIT_BYTES_MIN as usize >= PAGE_BYTES_MAX,
        "the least credit covers a page"
    );
    assert!(
        ALTERNATES_MAX * ALTERNATE_BYTES_MAX + 2 * TEXT_BYTES_MAX <= CLIENT_FRAME_BYTES_DEFAULT,
        "a full goodbye fits"
    );
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_one_and_a_half_heartbeats_and_cannot_overflow() {
        assert_eq!(silence_ms(HEARTBEAT_MS_DEFAULT), 15_000);
        assert_eq!(silence_ms(u32::MAX), u64::from(u32::MAX) * 3 / 2);
    }

    #[test]
    fn a_frame_holds_a_payload_or_a_token_and_never_more_than_a_page() {
        assert_eq!(client_frame_bytes(PAYLOAD_BYTES_DEFAULT), CLIENT_FRAME_BYTES_DEFAULT);
        assert_eq!(client_frame_bytes(0), HELLO_BYTES_MAX);
        assert_eq!(client_frame_bytes(usize::MAX), CLIENT_FRAME_BYTES_MAX);
    }
}
