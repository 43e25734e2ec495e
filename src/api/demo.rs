//! The demo: a page at `/` that shows a channel at work, and one at `/document` that shows a document. Built into the binary, so
//! that it needs no network; served only where `client.demo` says so.
//!
//! `demo/sdk` is the TypeScript client as `scripts/demo` bundles it; a check keeps it equal to its source. A page of
//! another origin cannot frame it, and it loads nothing from anywhere.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::error::ApiError;

/// What the page may do: scripts and styles of this node, and connections to it and to other nodes.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; worker-src 'self'; \
                      connect-src 'self' http: https: ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the demo.
struct File {
    name: &'static str,
    kind: &'static str,
    body: &'static str,
}

macro_rules! file {
    ($name:literal, $kind:expr) => {
        File {
            name: $name,
            kind: $kind,
            body: include_str!(concat!("demo/", $name)),
        }
    };
}

const PAGE: File = file!("index.html", "text/html; charset=utf-8");

/// The page of a document.
const DOCUMENT: File = file!("document.html", "text/html; charset=utf-8");

const FILES: [File; 17] = [
    file!("style.css", "text/css; charset=utf-8"),
    file!("main.js", SCRIPT),
    file!("connection.js", SCRIPT),
    file!("chat.js", SCRIPT),
    file!("flood.js", SCRIPT),
    file!("meter.js", SCRIPT),
    file!("board.js", SCRIPT),
    file!("people.js", SCRIPT),
    file!("sdk/client.js", SCRIPT),
    file!("sdk/presence.js", SCRIPT),
    file!("sdk/worker.js", SCRIPT),
    file!("document.css", "text/css; charset=utf-8"),
    file!("document.js", SCRIPT),
    file!("toolbar.js", SCRIPT),
    file!("trouble.js", SCRIPT),
    file!("versions.js", SCRIPT),
    file!("sdk/document.js", SCRIPT),
];

/// The routes of the demo.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(async || PAGE.into_response()))
        .route("/document", get(async || DOCUMENT.into_response()))
        .route("/demo/{*file}", get(serve))
}

async fn serve(Path(name): Path<String>) -> Response {
    match FILES.into_iter().find(|file| file.name == name) {
        Some(file) => file.into_response(),
        None => ApiError::not_found().into_response(),
    }
}

impl IntoResponse for File {
    fn into_response(self) -> Response {
        let headers: [(HeaderName, &str); 5] = [
            (header::CONTENT_TYPE, self.kind),
            // A node that was updated serves another page.
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ];
        (headers, self.body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page and its scripts name nothing that is not served.
    #[test]
    fn what_is_loaded_is_there() {
        let files: Vec<_> = FILES.iter().map(|file| file.name).collect();
        let mut loaded = Vec::new();
        for file in [PAGE, DOCUMENT]
            .iter()
            .chain(&FILES)
            .filter(|file| !file.name.starts_with("sdk/"))
        {
            for part in file.body.split(['"', '\'']) {
                if let Some(name) = part.strip_prefix("/demo/").or_else(|| part.strip_prefix("./")) {
                    loaded.push(name.to_owned());
                }
            }
        }
        assert!(loaded.len() >= 8, "{loaded:?}");
        for name in loaded {
            assert!(files.contains(&&*name), "{name} is loaded and not served");
        }
    }

    /// Nothing that somebody published becomes markup.
    #[test]
    fn no_script_writes_markup() {
        for file in FILES.iter().filter(|file| !file.name.starts_with("sdk/")) {
            for sink in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
            ] {
                assert!(!file.body.contains(sink), "{} uses {sink}", file.name);
            }
        }
    }
}
