//! What a session is told, in frames.

use std::time::Duration;

use starling_core::backpressure::Policy;
use starling_core::channel::{self, Attachment, Outcome, Reason, Refusal};
use starling_core::id::Position;
use starling_core::session::ChannelId;
use starling_core::session::answer::{Answer, Farewell, SkipReason};
use starling_core::session::request::RequestId;
use starling_protocol::close::CloseCode;
use starling_protocol::frame;
use starling_protocol::v1::{self, ErrorCode, server_frame};
use starling_protocol::{limits, version};

use super::document;
use crate::fanout::Frame;

/// What a welcome says that is the same for every session of the node.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// The node's name.
    pub node: String,
    /// New at each start of it.
    pub generation: u64,
    /// Silence allowed on either side.
    pub heartbeat: Duration,
    /// How far back channels keep messages by default.
    pub window: channel::Window,
    /// What a session may send.
    pub limits: v1::Limits,
}

/// The frame of an answer. Datagrams of up to `datagram_bytes` are taken from the session.
#[must_use]
pub fn answer(answer: Answer, greeting: &Greeting, session: u64, datagram_bytes: usize) -> Frame {
    let body = match answer {
        Answer::Welcome { time, expires } => server_frame::Body::Welcome(v1::Welcome {
            version: version::VERSION_MAX,
            session: session_name(greeting.generation, session),
            node: greeting.node.clone(),
            generation: greeting.generation,
            heartbeat_ms: millis(greeting.heartbeat),
            time_ms: time.0,
            window: Some(window(greeting.window)),
            limits: Some(greeting.limits),
            expires_ms: expires.map_or(0, |at| at.0),
            datagram_bytes: u32::try_from(datagram_bytes).unwrap_or(u32::MAX),
        }),
        Answer::Refreshed { request, expires } => server_frame::Body::Refreshed(v1::Refreshed {
            request: request.0,
            expires_ms: expires.map_or(0, |at| at.0),
        }),
        Answer::Ping => server_frame::Body::Ping(v1::Ping { nonce: 0 }),
        Answer::Pong { nonce, time } => server_frame::Body::Pong(v1::Pong { nonce, time_ms: time.0 }),
        Answer::Attached {
            request,
            channel,
            channel_id,
            namespace,
            policy,
            attachment,
        } => {
            let Attachment {
                outcome,
                position,
                head,
                ..
            } = attachment;
            server_frame::Body::Attached(v1::Attached {
                request: request.0,
                channel_id: channel_id.0,
                channel: channel.as_str().to_owned(),
                position: Some(position_frame(&position)),
                head: head.seq.0,
                window: Some(window(namespace.channel.window)),
                policy: policy_frame(policy).into(),
                keyed: namespace.channel.keyed,
                outcome: Some(outcome_frame(outcome)),
            })
        }
        Answer::Detached { request, channel_id } => server_frame::Body::Detached(v1::Detached {
            request: request.0,
            channel_id: channel_id.0,
        }),
        Answer::Entered { request, client } => server_frame::Body::Entered(v1::Entered {
            request: request.0,
            client: super::presence::id(client),
        }),
        Answer::Left { request } => server_frame::Body::Left(v1::Left { request: request.0 }),
        Answer::Watched {
            request,
            channel,
            channel_id,
        } => server_frame::Body::Watched(v1::Watched {
            request: request.0,
            channel_id: channel_id.0,
            channel: channel.as_str().to_owned(),
        }),
        Answer::Ack {
            request,
            serial,
            ack,
            time,
        } => server_frame::Body::Ack(v1::Ack {
            request: request.0,
            serial: serial.0,
            position: ack.position.as_ref().map(position_frame),
            copies: u32::from(ack.copies),
            skipped: ack.position.is_none(),
            duplicate: ack.duplicate,
            time_ms: time.0,
        }),
        Answer::Refused { request, refusal } => error(request, ChannelId(0), &refusal).into(),
        Answer::Withdrawn { channel_id, refusal } | Answer::PullRefused { channel_id, refusal } => {
            error(RequestId(0), channel_id, &refusal).into()
        }
        Answer::TakenOut { channel, refusal } => server_frame::Body::Error(v1::Error {
            channel: channel.as_str().to_owned(),
            ..error(RequestId(0), ChannelId(0), &refusal)
        }),
        Answer::DocumentOpened {
            request,
            document_id,
            may_write,
            may_show,
        } => document::opened(request.0, document_id, may_write, may_show),
        Answer::DocumentRefused {
            document_id,
            piece,
            why,
        } => document::piece_refused(document_id, piece, &why),
        Answer::DocumentClosed { document_id, why } => document::closed(document_id, &why),
        Answer::Lagged { channel_id, seq } => server_frame::Body::Lagged(v1::Lagged {
            channel_id: channel_id.0,
            seq: seq.0,
        }),
        Answer::Skipped {
            channel_id,
            to,
            count,
            reason,
        } => server_frame::Body::Skipped(v1::Skipped {
            channel_id: channel_id.0,
            to: to.0,
            count,
            reason: match reason {
                SkipReason::Slow => v1::SkipReason::Slow,
                SkipReason::Superseded => v1::SkipReason::Superseded,
            }
            .into(),
        }),
        Answer::Discontinuity {
            channel_id,
            reason,
            position,
        } => server_frame::Body::Discontinuity(v1::Discontinuity {
            channel_id: channel_id.0,
            reason: reason_frame(reason).into(),
            position: Some(position_frame(&position)),
        }),
    };
    frame::encode_server(body).into()
}

/// What a welcome names a session by: the node's generation, and its number there.
fn session_name(generation: u64, number: u64) -> String {
    format!("{generation:x}-{number:x}")
}

/// The generation and the number in the name of a session.
#[must_use]
pub fn session_id(name: &str) -> Option<(u64, u64)> {
    let (generation, number) = name.split_once('-')?;
    let hex = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let (generation, number) = (hex(generation)?, hex(number)?);
    // As it was written, and no other way to write the same.
    (session_name(generation, number) == name).then_some((generation, number))
}

/// The frame that refuses a request for its shape.
#[must_use]
pub fn refused(request: RequestId, code: ErrorCode, message: &str) -> Frame {
    frame::encode_server(server_frame::Body::Error(v1::Error {
        request: request.0,
        code: code.into(),
        message: clipped(message),
        ..v1::Error::default()
    }))
    .into()
}

/// The last frame of a session. `alternates` are nodes to return to, best first; none for any.
#[must_use]
pub fn goodbye(code: CloseCode, reason: &str, retry_after: Duration, alternates: Vec<String>) -> Frame {
    frame::encode_server(server_frame::Body::Goodbye(v1::Goodbye {
        code: u32::from(code.number()),
        reason: clipped(reason),
        retry_after_ms: millis(retry_after),
        alternates,
    }))
    .into()
}

/// The close code of a farewell, and what it says to a person.
#[must_use]
pub fn farewell(farewell: &Farewell) -> (CloseCode, String) {
    let (code, reason) = match farewell {
        Farewell::HelloFirst => (
            CloseCode::ProtocolError,
            "the first frame was not a hello; send hello and wait for welcome",
        ),
        Farewell::HelloTwice => (
            CloseCode::ProtocolError,
            "a second hello; a session has one, use refresh for a new token",
        ),
        Farewell::HelloLate => (
            CloseCode::HelloTimeout,
            "no hello came in time; connect again and send it at once",
        ),
        Farewell::ClientLeft | Farewell::ClientReturns => (CloseCode::Normal, "the client said goodbye"),
        Farewell::BadFrame(fault) => return (CloseCode::ProtocolError, format!("a frame could not be read: {fault}")),
        Farewell::FrameTooLarge { bytes_max } => {
            let reason =
                format!("a frame is longer than {bytes_max} bytes, the limit at this point; send less in one frame");
            return (CloseCode::FrameTooLarge, reason);
        }
        Farewell::UnsupportedVersion => {
            let (min, max) = (version::VERSION_MIN, version::VERSION_MAX);
            let reason =
                format!("no protocol version in common: this server speaks {min} to {max}; update the older side");
            return (CloseCode::UnsupportedVersion, reason);
        }
        Farewell::Unauthorized(why) => return (CloseCode::Unauthorized, why.clone()),
        Farewell::TokenExpired => (
            CloseCode::TokenExpired,
            "the token has ended; connect again with a new one, and refresh it before it ends",
        ),
        Farewell::Throttled => (
            CloseCode::Overloaded,
            "too many tokens from your address were not accepted lately; wait, then connect again",
        ),
        Farewell::Silent => (
            CloseCode::Silent,
            "nothing was heard for one and a half heartbeats; connect again and resume",
        ),
        Farewell::Slow => (
            CloseCode::Slow,
            "the reader was too slow; connect again and resume from the last position",
        ),
        Farewell::Overloaded => (
            CloseCode::Overloaded,
            "this node has no room for another session; wait, then connect again",
        ),
        Farewell::Draining => (
            CloseCode::Draining,
            "this node is stopping; connect again, to another node if there is one",
        ),
        Farewell::Rebalanced => (
            CloseCode::Rebalanced,
            "another node has fewer clients; connect to it and resume",
        ),
        Farewell::Dismissed { returns, why } => {
            let code = if *returns {
                CloseCode::Reconnect
            } else {
                CloseCode::Kicked
            };
            let why = if why.is_empty() { code.sentence() } else { why };
            return (code, why.to_owned());
        }
        Farewell::Internal => (CloseCode::Internal, "the server failed; connect again and resume"),
    };
    (code, reason.to_owned())
}

/// The code of a refusal.
#[must_use]
pub const fn refusal_code(refusal: &Refusal) -> ErrorCode {
    match refusal {
        Refusal::BadRequest(_) => ErrorCode::BadRequest,
        Refusal::UnknownNamespace(_) => ErrorCode::UnknownNamespace,
        Refusal::Forbidden { .. } => ErrorCode::Forbidden,
        Refusal::Unauthorized(_) => ErrorCode::Unauthorized,
        Refusal::PayloadTooLarge { .. } | Refusal::StateTooLarge { .. } => ErrorCode::PayloadTooLarge,
        Refusal::TooManyChannels { .. } | Refusal::TooManyEntries { .. } => ErrorCode::TooManyChannels,
        Refusal::NotEntered => ErrorCode::NotEntered,
        Refusal::DocumentsOff => ErrorCode::DocumentsOff,
        Refusal::TooManyDocuments { .. } => ErrorCode::TooManyDocuments,
        Refusal::SerialGap { .. } => ErrorCode::SerialGap,
        Refusal::OutcomeUnknown => ErrorCode::OutcomeUnknown,
        Refusal::NotAttached => ErrorCode::NotAttached,
        Refusal::KeyMismatch { .. } => ErrorCode::KeyMismatch,
        Refusal::TooManyKeys => ErrorCode::TooManyKeys,
        Refusal::NoHistory => ErrorCode::NoHistory,
        Refusal::SerialSkipped => ErrorCode::SerialSkipped,
        Refusal::StoreNotShared(_) => ErrorCode::StoreNotShared,
        Refusal::Busy | Refusal::PresenceFull => ErrorCode::Busy,
        Refusal::RateLimited { .. } | Refusal::TooManyInFlight { .. } => ErrorCode::RateLimited,
        Refusal::InsufficientReplicas => ErrorCode::InsufficientReplicas,
        Refusal::Unavailable | Refusal::Moving => ErrorCode::Unavailable,
        Refusal::Draining => ErrorCode::Draining,
        Refusal::SlotFull => ErrorCode::SlotFull,
        Refusal::Quarantined => ErrorCode::Quarantined,
        Refusal::Internal => ErrorCode::Internal,
    }
}

const fn outcome_frame(outcome: Outcome) -> v1::attached::Outcome {
    match outcome {
        Outcome::Resumed => v1::attached::Outcome::Resumed(v1::Resumed {}),
        Outcome::Rewound(count) => v1::attached::Outcome::Rewound(v1::Rewound { count }),
        Outcome::Discontinuity(reason) => v1::attached::Outcome::Discontinuity(v1::Lost {
            reason: reason_frame(reason) as i32,
        }),
    }
}

const fn policy_frame(policy: Policy) -> v1::Policy {
    match policy {
        Policy::Recover => v1::Policy::Recover,
        Policy::Latest => v1::Policy::Latest,
        Policy::Drop => v1::Policy::Drop,
        Policy::Disconnect => v1::Policy::Disconnect,
    }
}

fn error(request: RequestId, channel_id: ChannelId, refusal: &Refusal) -> v1::Error {
    v1::Error {
        request: request.0,
        channel_id: channel_id.0,
        code: refusal_code(refusal).into(),
        message: clipped(&refusal.to_string()),
        retry_after_ms: refusal.retry_after().map_or(0, |after| millis(after).max(1)),
        expected_serial: match refusal {
            Refusal::SerialGap { expected } => expected.0,
            _ => 0,
        },
        channel: String::new(),
    }
}

const fn reason_frame(reason: Reason) -> v1::Reason {
    match reason {
        Reason::WindowExceeded => v1::Reason::WindowExceeded,
        Reason::NodeRestarted => v1::Reason::NodeRestarted,
        Reason::Expired => v1::Reason::Expired,
        Reason::NoHistory => v1::Reason::NoHistory,
        Reason::Truncated => v1::Reason::Truncated,
        Reason::PositionAhead => v1::Reason::PositionAhead,
        Reason::Forked => v1::Reason::Forked,
        Reason::AllCopiesLost => v1::Reason::AllCopiesLost,
        Reason::UnknownEpoch => v1::Reason::UnknownEpoch,
        Reason::Forbidden => v1::Reason::Forbidden,
    }
}

/// The name of a reason, as the protocol's documents have it.
#[must_use]
pub const fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::WindowExceeded => "window_exceeded",
        Reason::NodeRestarted => "node_restarted",
        Reason::Expired => "expired",
        Reason::NoHistory => "no_history",
        Reason::Truncated => "truncated",
        Reason::PositionAhead => "position_ahead",
        Reason::Forked => "forked",
        Reason::AllCopiesLost => "all_copies_lost",
        Reason::UnknownEpoch => "unknown_epoch",
        Reason::Forbidden => "forbidden",
    }
}

pub(super) fn position_frame(position: &Position) -> v1::Position {
    v1::Position {
        epoch: position.epoch.as_str().to_owned(),
        seq: position.seq.0,
        term: position.term.0,
    }
}

fn window(window: channel::Window) -> v1::Window {
    v1::Window {
        messages: u64::from(window.messages),
        bytes: window.bytes,
        age_ms: u64::try_from(window.age.as_millis()).unwrap_or(u64::MAX),
    }
}

pub(super) fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// Texts for people have a limit on the wire; what a client sent may be part of one.
pub(super) fn clipped(text: &str) -> String {
    text[..text.floor_char_boundary(limits::TEXT_BYTES_MAX)].to_owned()
}
