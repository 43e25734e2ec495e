//! How the table's messages get to other nodes.

use async_trait::async_trait;
use bytes::Bytes;
use starling_core::id::NodeName;
use thiserror::Error;

/// A node did not answer, or not in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the node does not answer")]
pub struct Unreachable;

/// Brings a request to another node's [`super::TableService::handle`], and the answer back.
#[async_trait]
pub trait Courier: Send + Sync + 'static {
    /// Asks `to`. The answer may be lost, and a request without an answer may have been handled.
    async fn call(&self, to: &NodeName, request: Bytes) -> Result<Bytes, Unreachable>;
}
