//! The description of this API for machines: OpenAPI 3.1, written by hand, held to the router and to real answers by
//! tests.

use axum::http::header;
use axum::response::IntoResponse;

/// What is served.
pub(super) const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /openapi.json`.
pub(super) async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}
