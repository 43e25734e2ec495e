//! How QUIC is set up between nodes.

use std::sync::Arc;
use std::time::Duration;

use quinn::{
    ClientConfig, ConnectionId, ConnectionIdGenerator, EndpointConfig, IdleTimeout, ServerConfig, TransportConfig,
    VarInt,
};
use quinn_proto::InvalidCid;

use super::congestion::Floored;
use super::frame::{FRAME_BYTES_MAX, LANES};
use super::tls::Credentials;
use crate::instruments::Instruments;

/// The one version of QUIC that is spoken. Drafts are for others.
pub(super) const QUIC_VERSION: u32 = 1;

/// Datagrams that QUIC keeps of handshakes which nobody looked at: they are looked at as they come.
const INCOMING_MAX: usize = 256;

/// What a lane's stream may hold that was not read: one of the longest frames.
const STREAM_WINDOW: u32 = FRAME_BYTES_MAX as u32;

/// What all may: as much as all lanes, so that one that stands still leaves the others theirs.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * (LANES as u32 + 1);

/// Silence after which QUIC gives a connection up. Beats find it out long before; this is for a peer that nobody thinks of
/// any more.
const IDLE_TIME_MAX: Duration = Duration::from_secs(3);

/// A first guess of the round trip: nodes stand close together, and QUIC's own third of a second would hold up every redial
/// whose first datagram is lost.
const ROUND_TRIP_GUESS: Duration = Duration::from_millis(20);

/// Bytes of the ids that connections go by: they cannot meet by chance.
pub(super) const CONNECTION_ID_BYTES: usize = 8;

/// For the socket.
pub(super) fn endpoint(credentials: &Credentials, instruments: &Arc<dyn Instruments>) -> EndpointConfig {
    let mut config = EndpointConfig::new(Arc::clone(&credentials.reset) as _);
    let instruments = Arc::clone(instruments);
    config
        .supported_versions(vec![QUIC_VERSION])
        .cid_generator(move || Box::new(RandomIds(Arc::clone(&instruments))));
    config
}

/// QUIC's own ids are signed with a key of each start, and packets with another's are dropped: a peer that restarted would not
/// answer those of a connection that it lost, and only silence would tell. With these it answers by a reset.
struct RandomIds(Arc<dyn Instruments>);

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&rand::random::<[u8; CONNECTION_ID_BYTES]>())
    }

    /// QUIC asks about the id of a packet that belongs to no connection, and answers by a reset if it may be one of ours.
    fn validate(&self, _: &ConnectionId) -> Result<(), InvalidCid> {
        self.0.link_stray("unknown");
        Ok(())
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// For nodes that dial.
pub(super) fn server(credentials: &Credentials) -> ServerConfig {
    let mut config = ServerConfig::with_crypto(Arc::clone(&credentials.server) as _);
    config.transport_config(transport());
    config.max_incoming(INCOMING_MAX);
    config
}

/// For dialling one.
pub(super) fn client(credentials: &Credentials) -> ClientConfig {
    let mut config = ClientConfig::new(Arc::clone(&credentials.client) as _);
    config.transport_config(transport());
    config
}

fn transport() -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(LANES as u32))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        // Twice what the other end takes: a lane that stands still there must not use up what all may send.
        .send_window(2 * u64::from(CONNECTION_WINDOW))
        .datagram_receive_buffer_size(None)
        .congestion_controller_factory(Arc::new(Floored::default()))
        .initial_rtt(ROUND_TRIP_GUESS)
        .max_idle_timeout(Some(
            IdleTimeout::try_from(IDLE_TIME_MAX).expect("seconds fit a varint of milliseconds"),
        ));
    Arc::new(config)
}
