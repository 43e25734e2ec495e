//! What each watcher is told.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use starling_client::{Client, PresenceEvent, Present, Watch, WatchOptions};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::CHANNEL;
use super::members::{Number, builder, failed};
use crate::error::Error;
use crate::setup::Setup;

/// How long everybody may take to be shown when nothing is wrong.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);

/// One thing that a watcher was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) at: Instant,
    pub(super) number: Number,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Joined,
    Left,
}

/// See the module.
pub(super) struct Watchers(Vec<Watcher>);

struct Watcher {
    client: Client,
    noted: Arc<Mutex<Noted>>,
    reading: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Noted {
    shown: BTreeSet<Number>,
    told: Vec<Told>,
}

impl Watchers {
    /// One at each node, for so many clients.
    pub(super) async fn start(setup: &Setup, members: usize) -> Result<Self, Error> {
        let mut watchers = Vec::new();
        for number in 0..setup.nodes.len() {
            let name = format!("watcher {number}");
            let client = builder(setup, number as Number).build();
            let client = client.map_err(|error| failed(&name, &error))?;
            let options = WatchOptions {
                // All of it at once, and the next fault with it: what is merged would be told later than it came.
                queue_events: 8 * members,
                queue_bytes: 64 << 20,
                ..WatchOptions::default()
            };
            let watch = client.watch(CHANNEL, options).await;
            let watch = watch.map_err(|error| failed(&name, &error))?;
            let noted = Arc::<Mutex<Noted>>::default();
            watchers.push(Watcher {
                reading: tokio::spawn(read(watch, Arc::clone(&noted))),
                client,
                noted,
            });
        }
        Ok(Self(watchers))
    }

    /// Waits until all of these are shown at every node.
    pub(super) async fn all_shown(&self, there: &BTreeSet<Number>, setup: &Setup) -> Result<(), Error> {
        let shown = async {
            while self.shown().iter().any(|shown| shown != there) {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(SHOWN_WITHIN, shown).await.map_err(|_| Error::Late {
            what: "everybody to be shown at every node".into(),
            seconds: SHOWN_WITHIN.as_secs(),
            logs: setup.directory.clone(),
        })
    }

    /// What was told before was how the crowd gathered.
    pub(super) fn begin(&mut self) {
        for watcher in &self.0 {
            watcher
                .noted
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .told
                .clear();
        }
    }

    /// Who each of them is shown.
    pub(super) fn shown(&self) -> Vec<BTreeSet<Number>> {
        let of = |watcher: &Watcher| {
            let noted = watcher.noted.lock().unwrap_or_else(PoisonError::into_inner);
            noted.shown.clone()
        };
        self.0.iter().map(of).collect()
    }

    /// What each of them was told.
    pub(super) fn told(&self) -> Vec<Vec<Told>> {
        let of = |watcher: &Watcher| {
            let noted = watcher.noted.lock().unwrap_or_else(PoisonError::into_inner);
            noted.told.clone()
        };
        self.0.iter().map(of).collect()
    }

    pub(super) async fn close(self) {
        for watcher in self.0 {
            watcher.reading.abort();
            watcher.client.close().await;
        }
    }
}

async fn read(mut watch: Watch, noted: Arc<Mutex<Noted>>) {
    let number = |present: &Present| String::from_utf8_lossy(&present.state).parse::<Number>().ok();
    while let Some(event) = watch.next().await {
        let at = Instant::now();
        let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            PresenceEvent::Roster(all) => noted.shown = all.iter().filter_map(|one| number(one)).collect(),
            PresenceEvent::Joined { present, .. } => {
                if let Some(number) = number(&present) {
                    noted.shown.insert(number);
                    let what = What::Joined;
                    noted.told.push(Told { at, number, what });
                }
            }
            PresenceEvent::Left { present, .. } => {
                if let Some(number) = number(&present) {
                    noted.shown.remove(&number);
                    let what = What::Left;
                    noted.told.push(Told { at, number, what });
                }
            }
            _ => {}
        }
    }
}
