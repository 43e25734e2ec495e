//! The admin port: health, metrics and the cluster. For operators, never for clients.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /health/live` | 200 while the process can answer at all |
//! | `GET /health/ready` | 200 while clients should be sent here; 503 and why not when it drains, its store cannot be written, or its part in the cluster does not stand |
//! | `GET /metrics` | everything counted, in Prometheus' text format |
//! | `/cluster/..` | [`cluster`] |

mod cluster;

use std::fmt::Display;
use std::io;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
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
        .merge(cluster::routes())
        .with_state(Admin { registry, draining });
    axum::serve(listener, router).await
}

async fn ready(State(admin): State<Admin>) -> Response {
    let services = admin.registry.services();
    let unready = |why: &dyn Display| (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response();
    if *admin.draining.borrow() {
        return unready(&"draining");
    }
    if services
        .storage
        .as_ref()
        .is_some_and(|storage| !storage.store.is_ready())
    {
        return unready(&"the store cannot be used");
    }
    match services.cluster.as_ref().map(|cluster| cluster.ready()) {
        Some(Err(why)) => unready(&why),
        Some(Ok(())) | None => "ready\n".into_response(),
    }
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    let text = admin.registry.services().metrics.render(admin.registry.channels());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
