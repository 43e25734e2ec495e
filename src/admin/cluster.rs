//! `/cluster/..`: what an operator asks of a cluster, and orders. Any node answers for all.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /cluster/status` | the nodes, who leads, the slots counted |
//! | `GET /cluster/slots` | every slot: owner, term, in-sync set, heirs |
//! | `POST /cluster/drain {"node"}` | the node hands over what it has, and stays up |
//! | `POST /cluster/undrain {"node"}` | it serves again |
//! | `POST /cluster/reset {"node", "accept_loss": true}` | the node is declared lost, with what only it held |
//!
//! Whoever reaches the admin port may do this. A web page may not: a browser on such a machine says where a request comes
//! from, and what says so is refused.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use starling_core::id::NodeName;

use super::Admin;
use crate::cluster::{Cluster, Duty, Order, OrderError};

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/cluster/status", get(status))
        .route("/cluster/slots", get(slots))
        .route("/cluster/drain", post(drain))
        .route("/cluster/undrain", post(undrain))
        .route("/cluster/reset", post(reset))
        .layer(from_fn(refuse_pages))
}

/// Why nothing was done.
struct Refused(StatusCode, &'static str, String);

/// To which node.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    node: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    node: String,
    #[serde(default)]
    accept_loss: bool,
}

/// What an order came to.
#[derive(Serialize)]
struct Done {
    node: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    duty: Option<Duty>,
}

type Body<T> = Result<Json<T>, JsonRejection>;

async fn status(State(admin): State<Admin>) -> Result<Response, Refused> {
    Ok(Json(cluster(&admin)?.status()).into_response())
}

async fn slots(State(admin): State<Admin>) -> Result<Response, Refused> {
    Ok(Json(cluster(&admin)?.slots()).into_response())
}

async fn drain(State(admin): State<Admin>, to: Body<To>) -> Result<Json<Done>, Refused> {
    order(&admin, to, Order::Drain).await
}

async fn undrain(State(admin): State<Admin>, to: Body<To>) -> Result<Json<Done>, Refused> {
    order(&admin, to, Order::Undrain).await
}

async fn order(admin: &Admin, to: Body<To>, order: Order) -> Result<Json<Done>, Refused> {
    let cluster = cluster(admin)?;
    let node = name(&to?.node)?;
    let duty = Some(cluster.order(&node, order).await?);
    let node = node.to_string();
    Ok(Json(Done { node, duty }))
}

async fn reset(State(admin): State<Admin>, asked: Body<Reset>) -> Result<Json<Done>, Refused> {
    let cluster = cluster(&admin)?;
    let Json(Reset { node, accept_loss }) = asked?;
    let node = name(&node)?;
    if !accept_loss {
        let why =
            format!("messages that only node \"{node}\" holds are given up by this; say so with \"accept_loss\": true");
        return Err(Refused(StatusCode::BAD_REQUEST, "loss_not_accepted", why));
    }
    cluster.declare_lost(&node).await?;
    let node = node.to_string();
    Ok(Json(Done { node, duty: None }))
}

fn cluster(admin: &Admin) -> Result<Arc<Cluster>, Refused> {
    let cluster = admin.registry.services().cluster.clone();
    cluster.ok_or_else(|| {
        let why = "this node stands alone: cluster.enabled is off";
        Refused(StatusCode::NOT_FOUND, "no_cluster", why.to_owned())
    })
}

fn name(text: &str) -> Result<NodeName, Refused> {
    NodeName::parse(text).map_err(|error| Refused(StatusCode::BAD_REQUEST, "bad_request", error.to_string()))
}

async fn refuse_pages(request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        let why = "a web page may not use the admin port; use: starling cluster";
        return Refused(StatusCode::FORBIDDEN, "forbidden_origin", why.to_owned()).into_response();
    }
    next.run(request).await
}

impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), "bad_request", rejection.body_text())
    }
}

impl From<OrderError> for Refused {
    fn from(error: OrderError) -> Self {
        let (status, code) = match &error {
            OrderError::Unknown(_) => (StatusCode::NOT_FOUND, "unknown_node"),
            OrderError::Unreachable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unreachable"),
            OrderError::Ending(_) => (StatusCode::CONFLICT, "ending"),
            OrderError::Alive(_) => (StatusCode::CONFLICT, "alive"),
            OrderError::NotAnswered(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        };
        Self(status, code, error.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Error {
            code: &'static str,
            message: String,
        }
        #[derive(Serialize)]
        struct Body {
            error: Error,
        }
        let Self(status, code, message) = self;
        let error = Error { code, message };
        (status, Json(Body { error })).into_response()
    }
}
