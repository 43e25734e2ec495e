//! Every way a frame can be refused, and what follows from it.

use thiserror::Error;

use crate::close::CloseCode;
use crate::v1::ErrorCode;

/// Why bytes are not a frame, or a frame not one that may be sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The length before a frame is longer than ten bytes, above 2^64 - 1, or not in its shortest form.
    #[error("the length before a frame is not a LEB128 number in its shortest form; check the framing of the stream")]
    BadPrefix,
    /// The frame is longer than the limit in force.
    #[error("a frame of {bytes} bytes exceeds the limit of {max}; send less in one frame")]
    TooLarge {
        /// Bytes announced.
        bytes: u64,
        /// Bytes allowed.
        max: usize,
    },
    /// The stream ended inside a frame.
    #[error("the stream ended inside a frame, after {bytes} bytes of it; send whole frames before closing")]
    Truncated {
        /// Bytes of the frame that did arrive, its length included.
        bytes: usize,
    },
    /// A frame of no bytes.
    #[error("a frame is empty; send at least a body")]
    EmptyFrame,
    /// The bytes are not the protobuf message they should be.
    #[error("a frame is not the protobuf message it should be; encode it by the schema")]
    Malformed(#[from] prost::DecodeError),
    /// The frame has fields, but none of them is a body.
    #[error("a frame has no body; send exactly one")]
    NoBody,
    /// The frame has more than one body.
    #[error("a frame has more than one body; send each in a frame of its own")]
    SecondBody,
    /// The frame's body is of a kind that this protocol version does not have.
    #[error(
        "a frame has body {number}, which this protocol version does not know; send only what the version chosen has"
    )]
    UnknownBody {
        /// Its field number.
        number: u32,
    },
    /// A field of the body does not hold what it must.
    #[error("{frame}.{field} {fault}")]
    Field {
        /// The body, by its name in the schema.
        frame: &'static str,
        /// The field, by its name in the schema.
        field: &'static str,
        /// The request that the refusal answers; 0 if there is none to answer.
        request: u64,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// It is unset, empty or 0 and must not be.
    #[error("is missing; set it")]
    Missing,
    /// It is longer than its limit.
    #[error("is {bytes} bytes long; shorten it to {max}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// It has one right length, and this is not it.
    #[error("is {bytes} bytes long; make it exactly {expected}")]
    WrongLength {
        /// Its length.
        bytes: usize,
        /// The right length.
        expected: usize,
    },
    /// It repeats more often than it may.
    #[error("repeats {count} times; send at most {max}")]
    TooMany {
        /// How often it repeats.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// Its number is outside of what it may be.
    #[error("is {value}; it must be {expected}")]
    OutOfRange {
        /// The number.
        value: u64,
        /// What it may be, to read after "it must be".
        expected: &'static str,
    },
    /// Its value is not one of the enumeration's.
    #[error("has the unknown value {value}; use one of the schema")]
    UnknownValue {
        /// The value.
        value: i32,
    },
    /// It cannot be set as it is while another field is as that one is.
    #[error("contradicts {with}; send one or the other")]
    Contradicts {
        /// The other field.
        with: &'static str,
    },
}

/// What the side that refuses a frame does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The session ends with this code in a Goodbye.
    Close(CloseCode),
    /// The request is answered with an Error of this code, and the session goes on.
    Refuse {
        /// The request.
        request: u64,
        /// The code.
        code: ErrorCode,
    },
}

/// Names the ways a frame is refused.
///
/// The match has no wildcard, so a way that is added does not compile until it has a name, and the golden vectors are
/// not complete until they show it.
macro_rules! names {
    ($($refusal:pat => $name:literal,)+) => {
        impl DecodeError {
            /// Every name that [`DecodeError::name`] gives.
            pub const NAMES: &[&str] = &[$($name),+];

            /// The stable name, for logs, metrics and golden vectors.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $($refusal => $name,)+
                }
            }
        }
    };
}

names! {
    Self::BadPrefix => "bad_prefix",
    Self::TooLarge { .. } => "too_large",
    Self::Truncated { .. } => "truncated",
    Self::EmptyFrame => "empty_frame",
    Self::Malformed(_) => "malformed",
    Self::NoBody => "no_body",
    Self::SecondBody => "second_body",
    Self::UnknownBody { .. } => "unknown_body",
    Self::Field { fault: Fault::Missing, .. } => "field_missing",
    Self::Field { fault: Fault::TooLong { .. }, .. } => "field_too_long",
    Self::Field { fault: Fault::WrongLength { .. }, .. } => "field_wrong_length",
    Self::Field { fault: Fault::TooMany { .. }, .. } => "field_too_many",
    Self::Field { fault: Fault::OutOfRange { .. }, .. } => "field_out_of_range",
    Self::Field { fault: Fault::UnknownValue { .. }, .. } => "field_unknown_value",
    Self::Field { fault: Fault::Contradicts { .. }, .. } => "field_contradicts",
}

impl DecodeError {
    /// What follows from the refusal.
    ///
    /// A wrong field of a request costs its sender that request. Everything else ends the session: either the bytes
    /// that follow cannot be trusted, or there is no request to answer.
    #[must_use]
    pub const fn answer(&self) -> Answer {
        match self {
            Self::TooLarge { .. } => Answer::Close(CloseCode::FrameTooLarge),
            Self::Field { request: 0, .. }
            | Self::BadPrefix
            | Self::Truncated { .. }
            | Self::EmptyFrame
            | Self::Malformed(_)
            | Self::NoBody
            | Self::SecondBody
            | Self::UnknownBody { .. } => Answer::Close(CloseCode::ProtocolError),
            Self::Field { request, field, .. } => {
                let code = if matches!(field.as_bytes(), b"channel") {
                    ErrorCode::BadChannelName
                } else {
                    ErrorCode::BadRequest
                };
                Answer::Refuse {
                    request: *request,
                    code,
                }
            }
        }
    }
}
