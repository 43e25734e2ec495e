//! What must hold between keys, and the bounds of single keys, checked before anything binds.

mod auth;
mod cluster;
mod found;
mod namespace;
mod storage;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use starling_core::session::PLACES_MAX;
use starling_protocol::limits::{CLIENT_FRAME_BYTES_MAX, PUBLISHES_IN_FLIGHT_DEFAULT};

use found::Found;

pub use found::Conflict;

use super::Config;
use super::unit::Size;

impl Config {
    /// Every relation that does not hold; empty for a configuration a node may start with.
    #[must_use]
    pub fn check(&self) -> Vec<Conflict> {
        let mut found = Found::default();
        self.check_listeners(&mut found);
        self.check_auth(&mut found);
        self.check_client(&mut found);
        self.check_sessions(&mut found);
        self.check_channels(&mut found);
        self.check_namespaces(&mut found);
        self.check_storage(&mut found);
        self.check_cluster(&mut found);
        found.0
    }

    fn check_listeners(&self, found: &mut Found) {
        let client = &self.client;
        found.unless(
            !client.listen.is_empty(),
            &["client.listen"],
            "is empty: nobody could connect; name an address, such as 127.0.0.1:4433",
        );
        let unique: BTreeSet<_> = client.listen.iter().filter(|address| address.port() != 0).collect();
        let fixed = client.listen.iter().filter(|address| address.port() != 0).count();
        found.unless(
            unique.len() == fixed,
            &["client.listen"],
            "names an address twice; remove one",
        );
        let taken = client.listen.iter().any(|address| overlap(*address, self.admin.listen));
        found.unless(
            !taken,
            &["client.listen", "admin.listen"],
            "both listen on the same address and port; give the admin port another number",
        );
        found.unless(
            client.is_loopback() || client.tls.files().is_some(),
            &["client.listen", "client.tls.certificate"],
            "without a certificate the client port is plain HTTP, which is taken on loopback addresses only; set client.tls.certificate and client.tls.key, or listen on 127.0.0.1 and let a proxy in front hold the certificate",
        );
    }

    fn check_client(&self, found: &mut Found) {
        let client = &self.client;
        let (certificate, key) = (client.tls.certificate.as_os_str(), client.tls.key.as_os_str());
        found.unless(
            certificate.is_empty() == key.is_empty(),
            &["client.tls.certificate", "client.tls.key"],
            "only one of them is set, and a certificate serves with its private key only; set both or neither",
        );
        if !client.public_url.is_empty() {
            let url = url::Url::parse(&client.public_url).ok();
            let is_base = url.is_some_and(|url| {
                matches!(url.scheme(), "http" | "https")
                    && url.host().is_some()
                    && url.path() == "/"
                    && url.query().is_none()
            });
            found.unless(
                is_base,
                &["client.public_url"],
                "is not an HTTP base; write scheme, host and port without a path, such as https://realtime.example.org",
            );
        }
        found.between(
            &["client.udp_buffer"],
            client.udp_buffer,
            Size::new(64 << 10),
            Size::new(1 << 30),
        );
        found.unless(
            !self.node.data_dir.as_os_str().is_empty(),
            &["node.data_dir"],
            "is empty; name a directory that belongs to this node alone",
        );
        let filter = tracing_subscriber::EnvFilter::try_new(&self.log.filter);
        if let Err(error) = filter {
            found.add(&["log.filter"], format!("cannot be read ({error}); write a level such as \"info\", or directives such as \"info,starling_mesh=debug\""));
        }
    }

    fn check_sessions(&self, found: &mut Found) {
        let (session, limits) = (&self.session, &self.limits);
        found.between_times(
            "session.hello_timeout",
            session.hello_timeout,
            Duration::from_millis(100),
            Duration::from_secs(60),
        );
        // Below a second pings cost more than messages; above five minutes proxies have cut the connection.
        found.between_times(
            "session.heartbeat",
            session.heartbeat,
            Duration::from_secs(1),
            Duration::from_secs(300),
        );
        found.between_times("session.window", session.window, Duration::ZERO, Duration::from_secs(1));
        found.between_times(
            "session.window_busy",
            session.window_busy,
            Duration::ZERO,
            Duration::from_secs(1),
        );
        found.between_times(
            "limits.http_header_timeout",
            limits.http_header_timeout,
            Duration::from_millis(100),
            Duration::from_secs(60),
        );
        found.between(&["session.channels_max"], session.channels_max, 1, PLACES_MAX as u32);
        // A channel remembers as many results of each publisher: with one more in flight a repeat is not recognised.
        found.between(
            &["session.publishes_in_flight_max"],
            session.publishes_in_flight_max,
            1,
            PUBLISHES_IN_FLIGHT_DEFAULT,
        );
        found.between(
            &["session.send_queue"],
            session.send_queue,
            Size::new(4 << 10),
            Size::new(64 << 20),
        );
        found.between(&["limits.connections_max"], limits.connections_max, 1, 10_000_000);
        let within = "must be between 1 and limits.connections_max, because it counts some of the same connections";
        found.unless(
            (1..=limits.connections_max).contains(&limits.connections_opening_max),
            &["limits.connections_opening_max", "limits.connections_max"],
            within,
        );
        found.unless(
            (1..=limits.connections_max).contains(&limits.connections_per_address_max),
            &["limits.connections_per_address_max", "limits.connections_max"],
            within,
        );
        found.between(
            &["limits.frame"],
            limits.frame,
            Size::new(4 << 10),
            Size::new(CLIENT_FRAME_BYTES_MAX as u64),
        );
        found.between(
            &["limits.http_body"],
            limits.http_body,
            Size::new(4 << 10),
            Size::new(64 << 20),
        );
    }

    fn check_channels(&self, found: &mut Found) {
        let (slots, fanout) = (&self.slots, &self.fanout);
        found.unless(
            slots.count.is_power_of_two(),
            &["slots.count"],
            "must be a power of two between 1 and 32768, such as 1024",
        );
        found.between(&["slots.channels_max"], slots.channels_max, 1, 10_000_000);
        found.between_times("slots.channel_idle", slots.channel_idle, Duration::from_secs(1), DAY);
        found.between_times("slots.head_age", slots.head_age, Duration::from_secs(1), DAY * 365);
        found.unless(
            slots.channel_idle <= slots.head_age,
            &["slots.channel_idle", "slots.head_age"],
            "a channel's head cannot be forgotten while its actor lives; make head_age the longer one",
        );
        let idle = self.documents.idle;
        found.between_times("documents.idle", idle, Duration::from_millis(100), DAY);
        found.between(&["fanout.ring_messages"], fanout.ring_messages, 1, 1 << 20);
        found.between(
            &["fanout.ring_bytes"],
            fanout.ring_bytes,
            Size::new(4 << 10),
            Size::new(1 << 30),
        );
        found.between_times("fanout.linger", fanout.linger, Duration::ZERO, DAY);
    }
}

const DAY: Duration = Duration::from_hours(24);

/// Whether both cannot be bound at once.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let same_address = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_address
}
