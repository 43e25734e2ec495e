//! Why a request was refused, and whether the same request may succeed later.
//!
//! The numbers are [`ErrorCode`] of the schema. A code that a client does not know is judged by its range, so that a
//! server may learn new ones without a new protocol version.

use crate::v1::ErrorCode;

impl ErrorCode {
    /// Every code that is sent, in order of number.
    pub const ALL: [Self; 27] = [
        Self::BadRequest,
        Self::UnknownNamespace,
        Self::BadChannelName,
        Self::Forbidden,
        Self::PayloadTooLarge,
        Self::TooManyChannels,
        Self::SerialGap,
        Self::OutcomeUnknown,
        Self::NotAttached,
        Self::KeyMismatch,
        Self::TooManyKeys,
        Self::NoHistory,
        Self::SerialSkipped,
        Self::Unauthorized,
        Self::StoreNotShared,
        Self::NotEntered,
        Self::DocumentsOff,
        Self::TooManyDocuments,
        Self::BadUpdate,
        Self::Busy,
        Self::RateLimited,
        Self::InsufficientReplicas,
        Self::Unavailable,
        Self::Draining,
        Self::SlotFull,
        Self::Quarantined,
        Self::Internal,
    ];

    /// The stable name, for logs, metrics and documents: the schema's name in lower case without its prefix.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::BadRequest => "bad_request",
            Self::UnknownNamespace => "unknown_namespace",
            Self::BadChannelName => "bad_channel_name",
            Self::Forbidden => "forbidden",
            Self::PayloadTooLarge => "payload_too_large",
            Self::TooManyChannels => "too_many_channels",
            Self::SerialGap => "serial_gap",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::NotAttached => "not_attached",
            Self::KeyMismatch => "key_mismatch",
            Self::TooManyKeys => "too_many_keys",
            Self::NoHistory => "no_history",
            Self::SerialSkipped => "serial_skipped",
            Self::Unauthorized => "unauthorized",
            Self::StoreNotShared => "store_not_shared",
            Self::NotEntered => "not_entered",
            Self::DocumentsOff => "documents_off",
            Self::TooManyDocuments => "too_many_documents",
            Self::BadUpdate => "bad_update",
            Self::Busy => "busy",
            Self::RateLimited => "rate_limited",
            Self::InsufficientReplicas => "insufficient_replicas",
            Self::Unavailable => "unavailable",
            Self::Draining => "draining",
            Self::SlotFull => "slot_full",
            Self::Quarantined => "quarantined",
            Self::Internal => "internal",
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        is_retryable(self as i32)
    }
}

/// Whether a request refused with this number may succeed later: 100 to 199 may, all others cannot as they stand.
#[must_use]
pub const fn is_retryable(number: i32) -> bool {
    matches!(number, 100..=199)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_schema_is_listed_once() {
        let of_schema: Vec<ErrorCode> = (1..200).filter_map(|number| ErrorCode::try_from(number).ok()).collect();
        assert_eq!(ErrorCode::ALL.to_vec(), of_schema);
    }

    #[test]
    fn names_follow_the_schema() {
        for code in ErrorCode::ALL {
            assert_eq!(code.as_str_name(), format!("ERROR_CODE_{}", code.name().to_uppercase()));
        }
    }

    #[test]
    fn the_range_tells_whether_to_try_again() {
        assert!(ErrorCode::Busy.is_retryable());
        assert!(!ErrorCode::SerialGap.is_retryable());
        assert!(is_retryable(199), "a code of the future in the upper range");
        assert!(!is_retryable(99) && !is_retryable(200) && !is_retryable(0) && !is_retryable(-1));
    }
}
