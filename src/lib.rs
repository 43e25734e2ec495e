//! The Starling node: actors, transports, HTTP, life cycle and the command line.
//!
//! `ARCHITECTURE.md` draws the whole; a publish passes through this crate like this:
//!
//! ```text
//! transport ─frame─▶ session ─request─▶ actor::channel ─proposal─▶ actor::slot
//!     ▲                 ▲ marks            │ ▲──────committed──────────┘
//!     └──shared bytes── fanout ◀──message──┘
//! ```

pub mod actor;
pub mod admin;
pub mod api;
pub mod auth;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod directory;
pub mod editor;
pub mod fanout;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod memory;
pub mod metrics;
pub mod node;
pub mod quotas;
pub mod session;
mod signal;
pub mod storage;
pub mod telemetry;
pub mod transport;
pub mod wire;
