//! What a request is told that is refused.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use starling_core::channel::{Reason, Refusal};
use starling_protocol::v1::ErrorCode;

use crate::metrics::Metrics;
use crate::wire;

/// A refusal, as JSON: `{"error": {"code", "message", "retry_after_ms"}}`.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    body: Body,
    limit: Option<&'static str>,
}

/// What a refusal is counted as; stands in the extensions of its response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused {
    /// The code's name.
    pub(super) code: &'static str,
    /// The limit of the configuration that was met, if it was one.
    pub(super) limit: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Body {
    error: Detail,
}

/// What went wrong.
#[derive(Debug, Serialize)]
pub(super) struct Detail {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// Why a position cannot be read on from, and where reading can go on.
    #[serde(flatten)]
    lost: Option<Lost>,
}

#[derive(Debug, Serialize)]
struct Lost {
    reason: &'static str,
    position: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let error = Detail {
            code,
            message: message.into(),
            retry_after_ms: None,
            lost: None,
        };
        Self {
            status,
            body: Body { error },
            limit: None,
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::BadRequest.name(), message)
    }

    pub(super) fn bad_channel_name(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::BadChannelName.name(), message)
    }

    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized.name(), message)
    }

    /// Messages after the position asked for are lost; `position` is where reading can go on.
    pub(super) fn lost(reason: Reason, position: String) -> Self {
        let reason = wire::reason_name(reason);
        let message = format!(
            "messages after that position are lost ({reason}); load your state anew and go on from error.position"
        );
        let mut error = Self::new(StatusCode::GONE, "position_lost", message);
        error.body.error.lost = Some(Lost { reason, position });
        error
    }

    /// Whether there was no room at this moment.
    pub(super) fn is_busy(&self) -> bool {
        self.body.error.code == ErrorCode::Busy.name()
    }

    /// The same request may succeed after this.
    pub(super) fn after(mut self, after: Duration) -> Self {
        let millis = u64::try_from(after.as_millis()).ok();
        self.body.error.retry_after_ms = millis.map(|millis| millis.max(1));
        self
    }

    /// What went wrong, where it is part of an answer that is no refusal itself: counted here.
    pub(super) fn counted(self, metrics: &Metrics) -> Detail {
        metrics.refused(self.body.error.code, self.limit);
        self.body.error
    }

    pub(super) fn not_found() -> Self {
        let message = "no such resource; see the HTTP API in the documentation";
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn method_not_allowed() -> Self {
        let message = "this resource does not take that method; see the Allow header";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    pub(super) fn forbidden_origin() -> Self {
        let message = "pages of this origin may not use this server; its operator can add it to client.origins";
        Self::new(StatusCode::FORBIDDEN, "forbidden_origin", message)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let code = wire::refusal_code(&refusal);
        let status = match code {
            ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorCode::UnknownNamespace => StatusCode::NOT_FOUND,
            ErrorCode::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::OutcomeUnknown | ErrorCode::SerialSkipped => StatusCode::CONFLICT,
            ErrorCode::StoreNotShared => StatusCode::NOT_IMPLEMENTED,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            code if code.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        let mut error = Self::new(status, code.name(), refusal.to_string());
        error.limit = refusal.limit();
        match refusal.retry_after() {
            Some(after) => error.after(after),
            None => error,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let retry_after = self.body.error.retry_after_ms;
        let refused = Refused {
            code: self.body.error.code,
            limit: self.limit,
        };
        let status = self.status;
        let mut response = (status, Json(self.body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(refused);
        if let Some(millis) = retry_after {
            // Whole seconds are all that the header takes.
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(millis.div_ceil(1_000)));
        }
        response
    }
}
