//! The settings of a run: which node, which channels, which clients.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use super::dice::Dice;
use super::plan::ClientId;
use super::scenario::{Mix, Scenario};
use crate::access::{Capability, Grant, Operation, Operations, Pattern};
use crate::backpressure::Policy;
use crate::channel::{Config, Durability, Memory, Window};
use crate::fault::Faults;
use crate::id::{Author, ChannelName, PublisherId, Subject};
use crate::namespace::{Namespace, Namespaces};
use crate::pulse::Windows;
use crate::session::{PAGE_BYTES_MAX, Settings};
use crate::slot::{self, TailBounds};
use crate::{presence, ring};

/// Everything about a run that does not change while it lasts.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) channels: Vec<ChannelName>,
    pub(super) clients: Vec<ClientSetup>,
    pub(super) session: Arc<Settings>,
    pub(super) slots: u16,
    pub(super) slot: slot::Config,
    /// Newest messages of a channel, kept for its readers.
    pub(super) ring: ring::Bounds,
    /// Bytes queued for one session before what follows stays in the ring.
    pub(super) send_queue: usize,
    /// Bytes of messages in a page, and messages.
    pub(super) page: (u32, u32),
    /// Messages that a channel has not worked off.
    pub(super) mailbox: usize,
    /// How long a channel is followed after its last reader has left.
    pub(super) linger: Duration,
    /// How long an unused channel keeps its actor.
    pub(super) channel_idle: Duration,
    /// From the node to a client or back, on a good day.
    pub(super) delay: (Duration, Duration),
    /// From a message in a mailbox to the turn that takes it.
    pub(super) turn: (Duration, Duration),
    /// From a batch in the store to its sync.
    pub(super) sync: (Duration, Duration),
    /// Bytes on their way to a client that has not read them.
    pub(super) window: usize,
    /// Bytes a link carries to a client in a millisecond.
    pub(super) rate: u64,
}

/// One client.
#[derive(Debug)]
pub(super) struct ClientSetup {
    pub(super) publisher: PublisherId,
    /// What the node's access check knows it by.
    pub(super) grant: Arc<Grant>,
    /// How long its tokens hold, if they end; and whether it brings a new one before.
    pub(super) token_age: Option<Duration>,
    pub(super) refreshes: bool,
    /// How long the application waits for a publish.
    pub(super) patience: Duration,
    /// Bytes of pages it takes before it grants more.
    pub(super) page_credit: u32,
    /// Events that its application lets pile up per channel.
    pub(super) room: usize,
}

impl Setup {
    pub(super) fn new(scenario: Scenario, faults: Faults, dice: &mut Dice) -> Self {
        let mix = scenario.mix();
        let tight = dice.percent(mix.tight);
        let namespaces: Vec<_> = (0..dice.between(mix.channels))
            .map(|number| namespace(number, &mix, faults, dice))
            .collect();
        let channels = namespaces
            .iter()
            .map(|one| name(&format!("{}:room", one.name)))
            .collect();
        let heartbeat = Duration::from_secs(mix.heartbeat_secs);
        let settings = Settings {
            hello_timeout: Duration::from_secs(5),
            windows: Windows {
                window: Duration::from_millis(5),
                busy: Duration::from_millis(10),
            },
            heartbeat,
            channels_max: 100,
            entries_max: 0,
            documents_max: 0,
            document_interval: None,
            presence_interval: None,
            ephemeral_interval: None,
            attach_interval: dice.percent(15).then_some(MILLI * 400),
            token_leeway: Duration::ZERO,
            publishes_in_flight_max: *dice.pick(&[4, 16, 64]),
            namespaces: namespaces.into_iter().collect::<Namespaces>(),
            faults,
        };
        Self {
            channels,
            clients: (0..dice.between(mix.clients))
                .map(|number| client(number, heartbeat, dice))
                .collect(),
            session: Arc::new(settings),
            slots: u16::try_from(dice.between((1, 3))).expect("a few"),
            slot: slot::Config {
                // The whole log is kept: it is the truth that everything is compared with.
                tail: TailBounds {
                    entries: 10_000,
                    bytes: u64::MAX,
                },
                faults,
                ..slot::Config::default()
            },
            ring: ring::Bounds {
                messages: dice.index(if tight { 4 } else { 60 }) + 1,
                bytes: if tight { 600 } else { 20_000 },
            },
            send_queue: if tight { 300 } else { 8_000 },
            page: if tight { (700, 5) } else { (20_000, 40) },
            mailbox: if tight { 3 } else { 64 },
            linger: heartbeat * 3,
            channel_idle: heartbeat * 6,
            delay: *dice.pick(&[(MILLI / 5, MILLI), (MILLI * 5, MILLI * 40), (MILLI, MILLI * 300)]),
            turn: *dice.pick(&[(MILLI / 50, MILLI / 5), (MILLI / 10, MILLI * 3), (MILLI, MILLI * 25)]),
            sync: *dice.pick(&[(MILLI / 5, MILLI), (MILLI, MILLI * 20), (MILLI * 20, MILLI * 400)]),
            window: if tight { 500 } else { 16_000 },
            rate: if tight { dice.between((1, 40)) } else { 2_000 },
        }
    }

    /// Whether a store keeps any of the channels.
    pub(super) fn has_store(&self) -> bool {
        let is_stored = |channel| self.namespace(channel).channel.durability == Durability::Stored;
        self.channels.iter().any(is_stored)
    }

    /// The settings of a channel.
    pub(super) fn namespace(&self, channel: &ChannelName) -> &Arc<Namespace> {
        let found = self.session.namespaces.of(channel);
        found.expect("every channel of a run has its namespace")
    }

    /// A client as the owners of channels know it.
    pub(super) fn author(&self, client: ClientId) -> Author {
        let ClientSetup { publisher, grant, .. } = &self.clients[client];
        Author {
            subject: grant.subject.clone(),
            publisher: *publisher,
        }
    }
}

impl ClientSetup {
    /// Whether the client may read what lies in the past.
    pub(super) fn reads_history(&self, channel: &ChannelName) -> bool {
        self.grant.allows(channel, Operation::History)
    }
}

/// Bytes a second: a few messages of a run.
const PUBLISH_BYTES: NonZeroU64 = NonZeroU64::new(500).expect("above 0");

const MILLI: Duration = Duration::from_millis(1);

fn namespace(number: u64, mix: &Mix, faults: Faults, dice: &mut Dice) -> Namespace {
    // The first channel keeps enough to be paged through when the run is over.
    let plain = number == 0;
    let ephemeral = !plain && dice.percent(mix.ephemeral);
    let keyed = !plain && dice.percent(mix.keyed);
    let stored = dice.percent(mix.stored);
    let memory = Memory {
        messages: *dice.pick(&[2, 20, 1_000]),
        bytes: *dice.pick(&[300, 1 << 20]),
    };
    let kept = !ephemeral && (plain || !dice.percent(10));
    let window = Window {
        messages: match kept {
            false => 0,
            true if plain => 200,
            true => *dice.pick(&[3, 12, 60, 10_000]),
        },
        bytes: if plain {
            1 << 20
        } else {
            *dice.pick(&[400, 4_000, 1 << 20])
        },
        age: Duration::from_secs(*dice.pick(&[20, 120, 3_600])),
    };
    let policies = [Policy::Recover, Policy::Latest, Policy::Drop, Policy::Disconnect];
    Namespace {
        name: format!("n{number}").into(),
        channel: Config {
            durability: match (ephemeral, stored) {
                (true, _) => Durability::Ephemeral,
                (false, true) => Durability::Stored,
                (false, false) => Durability::Logged,
            },
            memory,
            keyed,
            window,
            payload_bytes_max: 300,
            keys_max: *dice.pick(&[4, 10_000]),
            tombstone_age: Duration::from_secs(*dice.pick(&[20, 600])),
            faults,
            ..Config::default()
        },
        policy: match kept {
            true => *dice.pick(&policies),
            false => *dice.pick(&policies[1..]),
        },
        publish_interval: dice.percent(15).then_some(MILLI * 40),
        publish_bytes: dice.percent(15).then_some(PUBLISH_BYTES),
        presence: presence::Settings::default(),
    }
}

fn client(number: u64, heartbeat: Duration, dice: &mut Dice) -> ClientSetup {
    // Some clients speak for the same person, and are told apart by their publisher ids.
    let subject = Subject::new(["anna", "ben", "chen"][dice.index(3)]);
    let live = Operations::default()
        .with(Operation::Publish)
        .with(Operation::Subscribe);
    let capability = Capability {
        pattern: Pattern::parse("*").expect("a star is a pattern"),
        operations: if number > 0 && dice.percent(15) {
            live
        } else {
            Operations::ALL
        },
    };
    let mut publisher = [0; 16];
    publisher[0] = u8::try_from(number).expect("a run has a few clients");
    ClientSetup {
        publisher: PublisherId(publisher),
        grant: Arc::new(Grant {
            subject,
            capabilities: Arc::new([capability]),
            expires: None,
        }),
        token_age: dice.percent(20).then_some(heartbeat * 5 / 2),
        refreshes: dice.percent(50),
        patience: Duration::from_secs(*dice.pick(&[2, 10, 30])),
        page_credit: *dice.pick(&[PAGE_BYTES_MAX, PAGE_BYTES_MAX * 3]),
        room: *dice.pick(&[2, 8, 64]),
    }
}

fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).expect("the names of a run are channel names")
}
