//! Why an owner refuses.

use bincode::{Decode, Encode};
use starling_core::channel::Refusal;
use starling_core::id::{ChannelName, Serial};

/// A refusal that an owner may give. Others concern a session, and never leave its gateway.
#[derive(Debug, Encode, Decode)]
pub(in crate::wire) enum RefusalHead {
    BadRequest(String),
    UnknownNamespace,
    PayloadTooLarge { bytes: u64, bytes_max: u64 },
    SerialGap { expected: u64 },
    OutcomeUnknown,
    KeyMismatch { keyed: bool },
    TooManyKeys,
    NoHistory,
    SerialSkipped,
    Busy,
    InsufficientReplicas,
    Unavailable,
    Moving,
    StoreNotShared,
    Draining,
    SlotFull,
    Quarantined,
    Internal,
}

impl RefusalHead {
    pub(super) fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::BadRequest(text) => Self::BadRequest((*text).to_owned()),
            Refusal::UnknownNamespace(_) => Self::UnknownNamespace,
            Refusal::PayloadTooLarge { bytes, bytes_max } => Self::PayloadTooLarge {
                bytes: *bytes as u64,
                bytes_max: *bytes_max as u64,
            },
            Refusal::SerialGap { expected } => Self::SerialGap { expected: expected.0 },
            Refusal::OutcomeUnknown => Self::OutcomeUnknown,
            Refusal::KeyMismatch { keyed } => Self::KeyMismatch { keyed: *keyed },
            Refusal::TooManyKeys => Self::TooManyKeys,
            Refusal::NoHistory => Self::NoHistory,
            Refusal::SerialSkipped => Self::SerialSkipped,
            Refusal::Busy => Self::Busy,
            Refusal::InsufficientReplicas => Self::InsufficientReplicas,
            Refusal::Unavailable => Self::Unavailable,
            Refusal::Moving => Self::Moving,
            Refusal::StoreNotShared(_) => Self::StoreNotShared,
            Refusal::Draining => Self::Draining,
            Refusal::SlotFull => Self::SlotFull,
            Refusal::Quarantined => Self::Quarantined,
            Refusal::Internal
            | Refusal::Forbidden { .. }
            | Refusal::Unauthorized(_)
            | Refusal::TooManyChannels { .. }
            | Refusal::NotAttached
            | Refusal::NotEntered
            | Refusal::DocumentsOff
            | Refusal::TooManyDocuments { .. }
            | Refusal::StateTooLarge { .. }
            | Refusal::TooManyEntries { .. }
            | Refusal::PresenceFull
            | Refusal::RateLimited { .. }
            | Refusal::TooManyInFlight { .. } => Self::Internal,
        }
    }

    pub(super) fn refusal(self, channel: &ChannelName) -> Refusal {
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        match self {
            Self::BadRequest(text) => Refusal::bad_request(&text),
            Self::UnknownNamespace => Refusal::UnknownNamespace(channel.clone()),
            Self::PayloadTooLarge { bytes, bytes_max } => Refusal::PayloadTooLarge {
                bytes: size(bytes),
                bytes_max: size(bytes_max),
            },
            Self::SerialGap { expected } => Refusal::SerialGap {
                expected: Serial(expected),
            },
            Self::OutcomeUnknown => Refusal::OutcomeUnknown,
            Self::KeyMismatch { keyed } => Refusal::KeyMismatch { keyed },
            Self::TooManyKeys => Refusal::TooManyKeys,
            Self::NoHistory => Refusal::NoHistory,
            Self::SerialSkipped => Refusal::SerialSkipped,
            Self::Busy => Refusal::Busy,
            Self::InsufficientReplicas => Refusal::InsufficientReplicas,
            Self::Unavailable => Refusal::Unavailable,
            Self::Moving => Refusal::Moving,
            Self::StoreNotShared => Refusal::StoreNotShared(channel.clone()),
            Self::Draining => Refusal::Draining,
            Self::SlotFull => Refusal::SlotFull,
            Self::Quarantined => Refusal::Quarantined,
            Self::Internal => Refusal::Internal,
        }
    }
}
