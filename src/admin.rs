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
use crate::cluster::Standing;

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
    match not_ready(&admin) {
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
        None => (StatusCode::OK, "ready\n"),
    }
}

/// Why clients should not be sent here.
fn not_ready(admin: &Admin) -> Option<&'static str> {
    let services = admin.registry.services();
    let storage = services.storage.as_ref();
    if *admin.draining.borrow() {
        return Some("draining\n");
    }
    if !storage.is_none_or(|storage| storage.store.is_writable()) {
        return Some("the store cannot be written\n");
    }
    let cluster = services.cluster.as_ref()?;
    if !matches!(*cluster.standing().borrow(), Standing::Member) {
        return Some("not a member of the cluster yet\n");
    }
    if !cluster.is_passable() {
        return Some("messages do not get through\n");
    }
    (admin.registry.unsettled() > 0).then_some("slots without an owner, or without this node's copy\n")
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    let text = admin.registry.services().metrics.render(admin.registry.channels());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
