//! The admin port: health and metrics. For operators, never for clients.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /health/live` | 200 while the process can answer at all |
//! | `GET /health/ready` | 200 while clients should be sent here, 503 when it drains or its store cannot be written |
//! | `GET /metrics` | everything counted, in Prometheus' text format |

use std::io;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::actor::registry::Registry;

#[derive(Clone)]
struct Admin {
    registry: Registry,
    draining: watch::Receiver<bool>,
}

/// Serves the admin port until its listener fails.
///
/// # Errors
/// What the listener says.
pub async fn serve(listener: TcpListener, registry: Registry, draining: watch::Receiver<bool>) -> io::Result<()> {
    let router = Router::new()
        .route("/health/live", get(async || "live\n"))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Admin { registry, draining });
    axum::serve(listener, router).await
}

async fn ready(State(admin): State<Admin>) -> impl IntoResponse {
    let storage = admin.registry.services().storage.as_ref();
    let writable = storage.is_none_or(|storage| storage.store.is_writable());
    match (*admin.draining.borrow(), writable) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "the store cannot be written\n"),
        (false, true) => (StatusCode::OK, "ready\n"),
    }
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    let text = admin.registry.services().metrics.render(admin.registry.channels());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
