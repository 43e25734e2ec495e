//! Answers are JSON, but some of documents: whoever takes none of what a route answers with is told before anything is done
//! for it.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;

/// What a route may answer with.
pub(super) type Media = &'static [&'static str];

/// What nearly all answer with, and refusals everywhere.
pub(super) const JSON: Media = &["application/json"];

/// Refuses requests whose `Accept` leaves out all that the route answers with; and has nobody keep an answer that is not true for
/// long.
pub(super) async fn negotiate(State(media): State<Media>, request: Request, next: Next) -> Response {
    if !media.iter().any(|one| takes(request.headers(), one)) {
        let all = media.join(" or ");
        let message = format!("answers here are {all}, which the Accept header of the request leaves out; add it");
        return ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message).into_response();
    }
    let mut response = next.run(request).await;
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    response
}

/// Whether this is among what the client takes. A client that does not say takes everything.
fn takes(headers: &HeaderMap, media: &str) -> bool {
    let kind = media.split('/').next().unwrap_or_default();
    let mut named = false;
    // The most precise range counts, so that `application/json;q=0, */*` takes none.
    let mut best: Option<(u8, bool)> = None;
    for value in headers.get_all(header::ACCEPT) {
        let value = value.to_str().unwrap_or_default();
        for range in value.split(',').map(str::trim).filter(|range| !range.is_empty()) {
            named = true;
            let mut parts = range.split(';').map(str::trim);
            let range = parts.next().unwrap_or_default().to_ascii_lowercase();
            let precision = match range.strip_suffix("/*") {
                None if range == media => 2,
                Some(all) if all == kind => 1,
                Some("*") => 0,
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
            assert_eq!(takes(&headers, "application/json"), expected, "{accept:?}");
        }
    }

    #[test]
    fn text_is_not_taken_for_json() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::ACCEPT,
            "text/*, application/json;q=0".parse().expect("a header"),
        );
        assert!(takes(&headers, "text/plain") && !takes(&headers, "application/json"));
    }
}
