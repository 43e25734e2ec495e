//! The sections of the configuration, key by key. Units and reasons stand in `config/default.toml`, which is the
//! manual; here stands what the node may rely on once a configuration has been checked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::browser::Browser;
use super::origin::Origin;
use super::unit::{self, Size};

/// `[node]`: who this process is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Name of the node, unique among its peers; empty for the machine's host name.
    pub name: String,
    /// Where the node keeps what must outlive it.
    pub data_dir: PathBuf,
    /// Failure zone the node stands in; empty when there is none.
    pub zone: String,
}

/// `[client]`: where clients reach the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Addresses to listen on, TCP and UDP alike. At least one.
    #[serde(with = "super::address::list")]
    pub listen: Vec<SocketAddr>,
    /// HTTP base under which clients reach this node; empty when it follows from `listen`.
    pub public_url: String,
    /// Pages of other origins that may connect. A page of the node's own origin always may.
    pub origins: Vec<Origin>,
    /// Certificate for HTTPS and WebTransport.
    pub tls: Tls,
    /// Whether WebTransport is offered.
    pub webtransport: bool,
    /// Browsers that are told to use WebSocket although they have WebTransport.
    pub websocket_browsers: Vec<Browser>,
    /// Kernel buffer asked for on each UDP socket, in either direction.
    pub udp_buffer: Size,
    /// Whether the demo page is served.
    pub demo: bool,
}

impl Client {
    /// Whether only this machine can reach the client port.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.listen.iter().all(|address| address.ip().is_loopback())
    }
}

/// `[client.tls]`: both keys or neither.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the certificate chain; empty for none.
    pub certificate: PathBuf,
    /// PEM file with its private key; empty for none.
    pub key: PathBuf,
}

impl Tls {
    /// The certificate chain and its key, when they are configured.
    #[must_use]
    pub fn files(&self) -> Option<(&Path, &Path)> {
        let configured = !self.certificate.as_os_str().is_empty() && !self.key.as_os_str().is_empty();
        configured.then_some((self.certificate.as_path(), self.key.as_path()))
    }
}

/// `[admin]`: health, metrics and the admin API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Address of the admin port.
    #[serde(with = "super::address::one")]
    pub listen: SocketAddr,
}

/// `[session]`: how one client's connection behaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Time a connection has to send its first frame.
    #[serde(with = "unit::duration")]
    pub hello_timeout: Duration,
    /// Silence after which either side sends a ping; one and a half times this is a lost connection.
    #[serde(with = "unit::duration")]
    pub heartbeat: Duration,
    /// Channels one session may be attached to, or watch.
    pub channels_max: u32,
    /// Attaches a second that one session may make; 0 for no limit.
    pub attach_rate: u32,
    /// Times a second that one session may enter, change, leave or watch presence; 0 for no limit.
    pub presence_rate: u32,
    /// Ephemeral states a second that are taken from one session; 0 for no limit.
    pub ephemeral_rate: u32,
    /// Publishes one session may have unanswered.
    pub publishes_in_flight_max: u32,
    /// Bytes encoded for one session and not yet taken by its connection.
    pub send_queue: Size,
    /// How long messages to a connection that was just written to are collected.
    #[serde(with = "unit::duration")]
    pub window: Duration,
    /// The same for a channel of which a window holds several messages.
    #[serde(with = "unit::duration")]
    pub window_busy: Duration,
}

/// `[limits]`: what the node as a whole takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Connections at once, all transports together.
    pub connections_max: u32,
    /// Of these, connections that have not sent their first frame.
    pub connections_opening_max: u32,
    /// Of these, connections from one IP address.
    pub connections_per_address_max: u32,
    /// Longest frame taken from an open session.
    pub frame: Size,
    /// Time an HTTP connection has to send the head of a request.
    #[serde(with = "unit::duration")]
    pub http_header_timeout: Duration,
    /// Longest body taken from an HTTP request.
    pub http_body: Size,
    /// Tokens and keys a second from one party that may turn out not to be accepted; 0 for no limit.
    pub auth_failure_rate: u32,
    /// Publishes a second that one party may send over HTTP; 0 for no limit.
    pub http_publish_rate: u32,
    /// Other requests a second that one party may make over HTTP; 0 for no limit.
    pub http_request_rate: u32,
}

/// `[slots]`: the units of ownership.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slots {
    /// Number of slots: a power of two, fixed once channels exist.
    pub count: u16,
    /// Channels one slot may know at once.
    pub channels_max: u32,
    /// Channels a second that one party may put into use; 0 for no limit.
    pub open_rate: u32,
    /// How long a channel that nobody uses keeps its actor.
    #[serde(with = "unit::duration")]
    pub channel_idle: Duration,
    /// How long after its last use a channel's head is remembered.
    #[serde(with = "unit::duration")]
    pub head_age: Duration,
}

/// `[fanout]`: the ring of encoded messages that the readers of a channel share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fanout {
    /// Messages kept for readers that are behind.
    pub ring_messages: u32,
    /// Bytes kept for readers that are behind; the bound that is reached first counts.
    pub ring_bytes: Size,
    /// How long a channel is followed after its last reader here has left.
    #[serde(with = "unit::duration")]
    pub linger: Duration,
}

/// `[log]`: what goes to standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Which events: a level, or directives such as `info,starling_mesh::transport=debug`.
    pub filter: String,
    /// One line of text each, or one JSON object each.
    pub format: LogFormat,
}

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}
