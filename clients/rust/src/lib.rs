#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! The rules do no IO and read no clock; the shell around them does both.
//!
//! | rules | |
//! | --- | --- |
//! | `session` | one client over many connections: hello, heartbeat, reconnect, requests and answers |
//! | `channel` | one subscription: order, gaps, room, the state of keyed channels |
//! | `publisher` | publishes: serials, sending again, giving up |
//! | `session::presence`, `roster` | what the client entered and watches; what a watch is told |
//! | `credit`, `backoff` | bytes of pages the server may send; how long to wait |
//!
//! | shell | |
//! | --- | --- |
//! | `client`, `subscription`, `entry`, `watch`, `queue` | what the application holds |
//! | `driver` | the client's task |
//! | `transport`, `discovery`, `net`, `tls` | connections |

mod backoff;
mod builder;
mod channel;
mod client;
mod clock;
mod credit;
mod discovery;
mod driver;
mod entry;
mod error;
mod event;
mod net;
mod position;
mod presence;
mod publish;
mod publisher;
mod queue;
mod roster;
mod session;
mod state;
mod subscribe;
mod subscription;
mod tls;
mod token;
mod transport;
mod watch;

pub use self::builder::ClientBuilder;
pub use self::client::Client;
pub use self::entry::Entry;
pub use self::error::{BuildError, CloseReason, ErrorCode, PresenceError, PublishError, Refusal, SubscribeError};
pub use self::event::{Event, KeyedState, Message, Outcome, Reason, SkipReason, Window};
pub use self::position::{BadPosition, Position};
pub use self::presence::{Certainty, ClientId, Occupancy, PresenceEvent, Present, WatchOptions};
pub use self::publish::{Pending, PublishOptions, Published};
pub use self::state::{State, Stats, Transport, Transports};
pub use self::subscribe::{From, Policy, SubscribeOptions};
pub use self::subscription::Subscription;
pub use self::token::{TokenError, TokenRequest};
pub use self::watch::Watch;
