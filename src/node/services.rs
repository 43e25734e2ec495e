//! What all parts of a node share.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use starling_core::channel::{self, Refusal};
use starling_core::fault::Faults;
use starling_core::id::ChannelName;
use starling_core::namespace::{Namespace, Namespaces};
use starling_core::pulse::Windows;
use starling_core::session::answer::Farewell;
use starling_core::session::{PLACES_MAX, Settings};
use starling_core::time::{Now, WallTime};
use starling_core::{backpressure, presence, rate, ring, slot};
use starling_protocol::{limits, v1};
use starling_runtime::wheel::{Alarm, Wheel};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{Sessions, Storage};
use crate::actor::document::unsaved::Unsaved;
use crate::auth::Auth;
use crate::cluster::Cluster;
use crate::config::{self, Config};
use crate::fanout::Gateway;
use crate::metrics::Metrics;
use crate::quotas::Quotas;
use crate::transport::accept::Admission;
use crate::wire::Greeting;

/// Ticks of the wheel for deadlines of seconds: heartbeats, hello, retirement. A tenth of a second
/// is nothing to any of them.
const TIMERS_TICK: Duration = Duration::from_millis(100);

/// Buckets of that wheel: half a minute, so that an alarm is rarely carried round.
const TIMERS_BUCKETS: usize = 300;

/// Ticks of the wheel for coalescing windows, which are a few milliseconds long. Tokio's own timers
/// are no finer.
pub(crate) const WINDOWS_TICK: Duration = Duration::from_millis(1);

/// Buckets of that wheel: the longest window in use is 40 ms.
const WINDOWS_BUCKETS: usize = 64;

/// A client that was turned away for want of room comes back at a time drawn from twice this, so
/// that those turned away together do not come back together.
const OVERLOADED_RETRY_AFTER: Duration = Duration::from_secs(1);

/// The node's clock. Follows Tokio's, so that a paused clock drives sessions and actors too.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock;

impl Clock {
    /// Both times at this moment.
    #[must_use]
    pub fn now(self) -> Now {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let millis = since_1970.unwrap_or_default().as_millis();
        Now {
            instant: Instant::now().into_std(),
            wall: WallTime(u64::try_from(millis).unwrap_or(u64::MAX)),
        }
    }
}

/// See the module.
pub struct Services {
    /// The configuration as it was read.
    pub config: Config,
    /// What holds for every session.
    pub settings: Arc<Settings>,
    /// What holds for every slot.
    pub slot_config: slot::Config,
    /// How many slots there are.
    pub slots: u16,
    /// What every welcome says.
    pub greeting: Greeting,
    /// The time.
    pub clock: Clock,
    /// Alarms for deadlines of seconds.
    pub timers: Wheel,
    /// Alarms for coalescing windows.
    pub windows: Wheel,
    /// Who may connect, and how many.
    pub admission: Arc<Admission>,
    /// Who may do what.
    pub auth: Auth,
    /// How often one party may ask for what lasts.
    pub quotas: Quotas,
    /// The channels that are read here.
    pub gateway: Arc<Gateway>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where persisted channels are kept, if any are.
    pub storage: Option<Storage>,
    /// The other nodes, if there are any.
    pub cluster: Option<Arc<Cluster>>,
    /// Documents that may be brought into memory, or checked, at once: it takes a thread for as long as they are large.
    pub document_loads: Semaphore,
    /// The same for programs: what they have made of a document waits for its owner, which may have to bring it into memory.
    pub document_jobs: Arc<Semaphore>,
    /// Documents with edits that are not in the store.
    pub unsaved: Unsaved,
    /// Who is connected.
    pub sessions: Sessions,
    /// Bytes queued for one session before what follows stays in the ring.
    pub send_queue: usize,
    /// The longest frame taken from an open session.
    pub frame_bytes: usize,
    /// How long a channel is followed after its last reader has left.
    pub linger: Duration,
    /// How long an unused channel keeps its actor.
    pub channel_idle: Duration,
}

/// See [`Services::document_loads`]. The largest document takes some hundred megabytes while it is loaded.
const DOCUMENT_LOADS_MAX: usize = 4;

/// See [`Services::document_jobs`]. Editors wait for none of them.
const DOCUMENT_JOBS_MAX: usize = 2;

/// See [`Services::ring`].
const SOON: Duration = Duration::from_secs(1);

impl Services {
    /// Builds what is shared. Must be called inside a Tokio runtime: the wheels run on it.
    #[must_use]
    pub fn new(
        config: Config,
        auth: Auth,
        metrics: Arc<Metrics>,
        storage: Option<Storage>,
        cluster: Option<Arc<Cluster>>,
    ) -> Self {
        let namespaces: Namespaces = config.namespaces.iter().map(|one| namespace(one, &config)).collect();
        let gathering = Windows {
            window: config.session.window,
            busy: config.session.window_busy,
        };
        let settings = Settings {
            hello_timeout: config.session.hello_timeout,
            token_leeway: config.auth.leeway,
            attach_interval: rate::interval(config.session.attach_rate),
            entries_max: presence::gateway::Limits::default().entries_per_connection_max,
            documents_max: match config.documents.enabled {
                true => config.documents.per_session_max as usize,
                false => 0,
            },
            document_interval: rate::interval(config.documents.message_rate),
            presence_interval: rate::interval(config.session.presence_rate),
            ephemeral_interval: rate::interval(config.session.ephemeral_rate),
            windows: gathering,
            heartbeat: config.session.heartbeat,
            channels_max: (config.session.channels_max as usize).min(PLACES_MAX),
            publishes_in_flight_max: u16::try_from(config.session.publishes_in_flight_max).unwrap_or(u16::MAX),
            namespaces,
            faults: Faults::default(),
        };
        let windows = Wheel::start(WINDOWS_TICK, WINDOWS_BUCKETS);
        let bounds = ring::Bounds {
            messages: config.fanout.ring_messages as usize,
            bytes: size(config.fanout.ring_bytes),
        };
        Self {
            storage,
            slot_config: slot::Config {
                channels_max: config.slots.channels_max as usize,
                ..slot::Config::default()
            },
            slots: config.slots.count,
            greeting: greeting(&config, &settings, cluster.as_deref()),
            cluster,
            settings: Arc::new(settings),
            clock: Clock,
            timers: Wheel::start(TIMERS_TICK, TIMERS_BUCKETS),
            admission: Arc::new(Admission::new(&config.limits, Arc::clone(&metrics))),
            auth,
            quotas: Quotas::new(&config),
            gateway: Arc::new(Gateway::new(bounds, gathering, windows.clone())),
            windows,
            metrics,
            document_loads: Semaphore::new(DOCUMENT_LOADS_MAX),
            document_jobs: Arc::new(Semaphore::new(DOCUMENT_JOBS_MAX)),
            unsaved: Unsaved::default(),
            sessions: Sessions::default(),
            send_queue: size(config.session.send_queue),
            frame_bytes: size(config.limits.frame),
            linger: config.fanout.linger,
            channel_idle: config.slots.channel_idle,
            config,
        }
    }

    /// Rings an alarm then: soon to the millisecond, later to the second.
    pub fn ring(&self, at: Instant, alarm: Arc<dyn Alarm>) {
        match at.saturating_duration_since(Instant::now()) > SOON {
            true => self.timers.set(at, alarm),
            false => self.windows.set(at, alarm),
        }
    }

    /// Whether this node can keep a channel as its namespace promises.
    ///
    /// # Errors
    /// When it would need a store that the nodes share, and there is none.
    pub fn keeps(&self, channel: &ChannelName) -> Result<(), Refusal> {
        let is_stored = self.settings.namespaces.channel(channel).durability == channel::Durability::Stored;
        match is_stored && self.storage.is_none() && self.config.cluster.enabled {
            true => Err(Refusal::StoreNotShared(channel.clone())),
            false => Ok(()),
        }
    }

    /// When a client may come back that is told this; zero leaves it to the client.
    #[must_use]
    pub fn retry_after(&self, farewell: &Farewell) -> Duration {
        match farewell {
            Farewell::Overloaded | Farewell::Throttled => OVERLOADED_RETRY_AFTER.mul_f64(0.5 + 1.5 * fastrand::f64()),
            _ => Duration::ZERO,
        }
    }

    /// Nodes that a client had better return to that is told this, best first; none when any will do.
    #[must_use]
    pub fn alternates(&self, farewell: &Farewell) -> Vec<String> {
        match (farewell, &self.cluster) {
            (Farewell::Draining | Farewell::Overloaded, Some(cluster)) => cluster.alternates(),
            (Farewell::Rebalanced, Some(cluster)) => cluster.roomier(self.sessions.len()),
            _ => Vec::new(),
        }
    }
}

fn size(size: config::Size) -> usize {
    usize::try_from(size.bytes()).unwrap_or(usize::MAX)
}

/// What the node is called: as configured, or as its machine is.
#[must_use]
pub fn name_of(config: &Config) -> String {
    match config.node.name.as_str() {
        "" => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        name => name.to_owned(),
    }
}

fn greeting(config: &Config, settings: &Settings, cluster: Option<&Cluster>) -> Greeting {
    // New at each start, and later starts have higher ones: alone by the clock, among others for certain.
    let alone = || Clock.now().wall.0;
    Greeting {
        node: name_of(config),
        generation: cluster.map_or_else(alone, |cluster| cluster.me.generation.0),
        heartbeat: settings.heartbeat,
        window: channel::Config::default().window,
        limits: v1::Limits {
            frame_bytes: u32::try_from(config.limits.frame.bytes()).unwrap_or(u32::MAX),
            channels: u32::try_from(settings.channels_max).unwrap_or(u32::MAX),
            publishes_in_flight: u32::from(settings.publishes_in_flight_max),
        },
    }
}

fn namespace(one: &config::Namespace, config: &Config) -> Namespace {
    let config::History { messages, bytes, age } = one.history;
    Namespace {
        name: one.name.as_str().into(),
        channel: channel::Config {
            durability: match one.durability {
                config::Durability::Ephemeral => channel::Durability::Ephemeral,
                config::Durability::Replicated => channel::Durability::Logged,
                config::Durability::Persisted => channel::Durability::Stored,
            },
            keyed: one.keyed,
            window: channel::Window {
                messages,
                bytes: bytes.bytes(),
                age,
            },
            memory: channel::Memory::default(),
            payload_bytes_max: size(one.payload_max).min(limits::PAYLOAD_BYTES_MAX),
            keys_max: one.keys_max as usize,
            values_bytes_max: one.values_max.bytes(),
            tombstone_age: one.tombstone_age,
            publishers_max: one.publishers_max as usize,
            head_age: config.slots.head_age,
            faults: Faults::default(),
        },
        policy: match one.policy {
            config::Policy::Recover => backpressure::Policy::Recover,
            config::Policy::Latest => backpressure::Policy::Latest,
            config::Policy::Drop => backpressure::Policy::Drop,
            config::Policy::Disconnect => backpressure::Policy::Disconnect,
        },
        publish_interval: rate::interval(one.publish_rate),
        publish_bytes: NonZeroU64::new(one.publish_bytes.bytes()),
        presence: presence::Settings {
            mode: match one.presence.mode {
                config::PresenceMode::Roster => presence::Mode::Roster,
                config::PresenceMode::Count => presence::Mode::Count,
            },
            grace: one.presence.grace,
            reload_grace: one.presence.reload_grace,
            roster_max: one.presence.roster_max as usize,
            state_bytes_max: size(one.presence.state_max).min(limits::STATE_BYTES_MAX),
        },
    }
}
