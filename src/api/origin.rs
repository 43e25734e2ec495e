//! Web pages: which may send requests, and read the answers.
//!
//! The list is `client.origins`, the same for HTTP as for sessions. A browser sends `Origin` with what pages of other
//! origins ask, and asks first whether it may ([`preflight`]) for anything but the simplest request; it shows a page the
//! answer only if the answer says so. Nothing here is for requests that name no origin: they come from no browser.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::{Site, text};

/// What any route takes.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");

/// What a page may send beside what every page may.
const HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type, idempotency-key");

/// What a page may see of an answer beside what every page may.
const EXPOSED: HeaderValue = HeaderValue::from_static("retry-after");

/// Seconds a browser may rely on the answer to a preflight: after that it notices a changed configuration.
const PREFLIGHT_AGE_SECONDS: HeaderValue = HeaderValue::from_static("600");

/// Refuses what a page of a foreign origin sends, before anything else looks at it, and lets those of the list read
/// the answers.
pub(super) async fn check(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let services = site.registry.services();
    let host = text(request.headers(), &header::HOST).unwrap_or_default();
    let named = request.headers().get(header::ORIGIN).cloned();
    let origin = named.as_ref().map(|origin| origin.to_str().unwrap_or("null"));
    if !origin.is_none_or(|origin| services.config.allows_origin(origin, host)) {
        services.metrics.unauthorized("origin");
        tracing::info!(origin, "origin not allowed; add it to client.origins if it is yours");
        return ApiError::forbidden_origin().into_response();
    }
    let mut response = match preflight(&request) {
        Some(response) if named.is_some() => response,
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    // To another origin, or to none, the answer would be another.
    headers.append(header::VARY, HeaderValue::from_name(header::ORIGIN));
    if let Some(origin) = named {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

/// The answer to a browser that asks whether a page may ask.
fn preflight(request: &Request) -> Option<Response> {
    let asks =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let answer: [(HeaderName, HeaderValue); 3] = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE_SECONDS),
    ];
    asks.then(|| (StatusCode::NO_CONTENT, answer).into_response())
}
