//! Who sends a request, and what it may do.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use starling_core::access::Grant;
use starling_core::channel::{Limit, Refusal};

use super::error::ApiError;
use super::{Peer, Site, text};
use crate::auth::Denied;
use crate::quotas::Party;

/// Whoever sends a request.
pub(super) struct Caller {
    /// What it may do.
    pub(super) grant: Arc<Grant>,
    /// Whose requests its own are counted with.
    pub(super) party: Party,
}

impl Caller {
    /// Checks what the request presents: `Authorization: Bearer` and an API key or a token, or nothing.
    ///
    /// # Errors
    /// It is not let in.
    pub(super) fn of(site: &Site, peer: &Peer, headers: &HeaderMap) -> Result<Self, ApiError> {
        let services = site.registry.services();
        let credentials = bearer(headers)?;
        let (mut party, now) = (peer.party(), services.clock.now());
        let check = || services.auth.admit_request(credentials, now.wall);
        let grant = services.quotas.admit(&party, now.instant, check).map_err(|denied| {
            services.metrics.unauthorized(denied.name());
            match denied {
                Denied::TooOften { retry_after } => {
                    let limit = Limit::AuthFailureRate;
                    Refusal::RateLimited { limit, retry_after }.into()
                }
                denied => ApiError::unauthorized(denied.to_string()),
            }
        })?;
        party.identify(&grant);
        Ok(Self { grant, party })
    }
}

/// What stands behind `Bearer`.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return Ok(None);
    }
    let parts = text(headers, &header::AUTHORIZATION).and_then(|value| value.trim().split_once(' '));
    match parts {
        Some((scheme, credentials)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(credentials.trim())),
        _ => Err(ApiError::unauthorized(
            "the Authorization header is not \"Bearer\" and an API key or a token",
        )),
    }
}

impl ApiError {
    fn unauthorized(message: impl Into<String>) -> Self {
        let code = starling_protocol::v1::ErrorCode::Unauthorized.name();
        Self::new(StatusCode::UNAUTHORIZED, code, message)
    }
}
