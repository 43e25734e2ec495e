//! Answers are JSON: whoever takes none is told before anything is done for it.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;

/// Refuses requests whose `Accept` leaves JSON out; and has nobody keep an answer that is not true for long.
pub(super) async fn negotiate(request: Request, next: Next) -> Response {
    if !takes_json(request.headers()) {
        let message = "answers here are application/json, which the Accept header of the request leaves out; add it";
        return ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message).into_response();
    }
    let mut response = next.run(request).await;
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    response
}

/// Whether JSON is among what the client takes. A client that does not say takes everything.
fn takes_json(headers: &HeaderMap) -> bool {
    let mut named = false;
    // The most precise range counts, so that `application/json;q=0, */*` takes none.
    let mut best: Option<(u8, bool)> = None;
    for value in headers.get_all(header::ACCEPT) {
        let value = value.to_str().unwrap_or_default();
        for range in value.split(',').map(str::trim).filter(|range| !range.is_empty()) {
            named = true;
            let mut parts = range.split(';').map(str::trim);
            let precision = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/json" => 2,
                "application/*" => 1,
                "*/*" => 0,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            let is_wanted = weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0));
            if best.is_none_or(|(known, _)| known <= precision) {
                best = Some((precision, is_wanted));
            }
        }
    }
    !named || best.is_some_and(|(_, is_wanted)| is_wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_taken_unless_it_is_left_out() {
        for (accept, expected) in [
            (None, true),
            (Some(""), true),
            (Some("*/*"), true),
            (Some("application/json"), true),
            (Some("Application/JSON; charset=utf-8"), true),
            (Some("text/html, application/xhtml+xml, */*;q=0.8"), true),
            (Some("text/html,application/*;q=0.1"), true),
            (Some("text/html"), false),
            (Some("application/jsonp"), false),
            (Some("application/json;q=0"), false),
            (Some("*/*, application/json;q=0"), false),
            (Some("application/json;q=0, */*"), false),
            (Some("*/*;q=0, application/json"), true),
            (Some("nonsense"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().expect("a header"));
            }
            assert_eq!(takes_json(&headers), expected, "{accept:?}");
        }
    }
}
