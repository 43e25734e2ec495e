//! What a document refuses, over HTTP: each with its status, its code, and whether to come back.

use axum::body::to_bytes;
use axum::http::header;
use axum::response::IntoResponse as _;
use serde_json::Value;

use super::*;

#[tokio::test]
async fn each_refusal_has_a_status_and_a_code_that_the_document_of_the_api_names() {
    let document: Value = serde_json::from_str(crate::api::document::DOCUMENT).expect("JSON");
    let codes = &document["components"]["schemas"]["ErrorDetail"]["properties"]["code"]["enum"];
    let codes = codes.as_array().expect("an enum");
    for (refusal, status, returns) in [
        (Refusal::BadUpdate("the update is none".into()), 400, false),
        (Refusal::Unknown, 409, false),
        (Refusal::Closed(Closed::StoreNotShared), 501, false),
        (Refusal::Busy, 503, true),
        (Refusal::Moving, 503, true),
        (Refusal::Log(log::Refusal::UnsavedFull), 503, true),
        (Refusal::Log(log::Refusal::Quarantined), 503, true),
        (Refusal::Closed(Closed::Quarantined), 503, true),
    ] {
        let response = ApiError::from(refusal.clone()).into_response();
        assert_eq!(response.status(), status, "{refusal}");
        assert_eq!(
            response.headers().contains_key(header::RETRY_AFTER),
            returns,
            "{refusal}"
        );
        let body = to_bytes(response.into_body(), 1_000).await.expect("it is short");
        let told: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(told["error"]["retry_after_ms"].is_u64(), returns, "{told}");
        assert!(codes.contains(&told["error"]["code"]), "{told}");
    }
}
