//! One editor: it types, whether it is connected or not, and behaves as a client of y-websocket does.

use std::collections::HashMap;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep, sleep_until};
use yrs::Update;
use yrs::sync::awareness::AwarenessUpdateEntry;
use yrs::sync::{AwarenessUpdate, Message, SyncMessage};
use yrs::updates::decoder::Decode as _;

use super::draft::Draft;
use super::editors::Shared;
use super::line::{Heard, Line};

/// Between two edits, in milliseconds: two a second.
const PAUSE_MS: std::ops::Range<u64> = 250..750;

/// Before it connects again; doubled with each attempt that fails, up to the second.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_millis(2_500);

/// A client takes a connection for lost on which it hears nothing for so long.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How long an editor is without a connection that goes back to its own node, in milliseconds: a laptop that is carried there.
const WAY_MS: std::ops::Range<u64> = 100..3_000;

/// How often a client says that it is there.
const RENEW: Duration = Duration::from_secs(15);

/// When everybody has stopped, an editor whose edit is not told as saved for so long types once more. It is told in order, so
/// what was said in words that prove nothing is settled by that.
const ONCE_MORE_AFTER: Duration = Duration::from_secs(3);

/// See the module.
pub(super) struct Editor {
    pub(super) name: String,
    pub(super) document: String,
    /// The node that it goes to unless that is lost.
    pub(super) home: usize,
    pub(super) token: String,
    pub(super) rng: Rng,
    pub(super) draft: Arc<Mutex<Draft>>,
    pub(super) shared: Arc<Shared>,
    pub(super) next_edit: Instant,
    pub(super) clock: u32,
}

/// How a connection ended.
enum Ended {
    Lost(String),
    /// By the editor, to attach to its own node again.
    GoesHome,
    /// The node said that it must not return.
    SentAway(String),
}

impl Editor {
    /// Goes on until it is aborted, or told to stay away.
    pub(super) async fn live(mut self) {
        let shared = Arc::clone(&self.shared);
        let (document, token) = (self.document.clone(), self.token.clone());
        let (mut node, mut failures) = (self.home, 0);
        loop {
            let opening = shared.dialer.open(&shared.nodes[node], &document, &token);
            let ended = match self.type_until(opening).await {
                Ok(line) => {
                    failures = 0;
                    self.note(format_args!("attached to {}", shared.nodes[node].name));
                    let ended = self.attached(line, node).await;
                    self.draft().lost();
                    shared.returns.fetch_add(1, Ordering::Relaxed);
                    ended
                }
                Err(reason) => {
                    failures += 1;
                    Ended::Lost(reason)
                }
            };
            self.note(format_args!("leaves {}: {ended}", shared.nodes[node].name));
            match ended {
                Ended::Lost(_) => {
                    let backoff = BACKOFF_MIN * 2_u32.saturating_pow(failures);
                    self.type_until(sleep(backoff.min(BACKOFF_MAX))).await;
                    let others = shared.nodes.len().saturating_sub(1);
                    node = (node + 1 + self.rng.usize(..others.max(1))) % shared.nodes.len();
                }
                Ended::GoesHome => {
                    let way = Duration::from_millis(self.rng.u64(WAY_MS));
                    self.type_until(sleep(way)).await;
                    node = self.home;
                }
                Ended::SentAway(reason) => {
                    eprintln!("chaos: {} is told to stay away: {reason}", self.name);
                    return self.type_until(std::future::pending()).await;
                }
            }
        }
    }

    /// Goes on typing, for nobody to hear, until something is done.
    async fn type_until<T>(&mut self, done: impl Future<Output = T>) -> T {
        let mut done = pin!(done);
        loop {
            tokio::select! {
                done = &mut done => return done,
                () = due(&self.shared, &self.draft, self.next_edit) => {
                    let (number, _) = self.edit();
                    self.note(format_args!("makes {number}, alone"));
                }
            }
        }
    }

    /// Types over a connection until it ends.
    async fn attached(&mut self, mut line: Line, node: usize) -> Ended {
        self.draft().connected();
        let question = SyncMessage::SyncStep1(self.draft().state_vector());
        let mut said = line.say(&Message::Sync(question)).await;
        let (mut renew, mut silent) = (Instant::now(), Instant::now() + SILENCE_MAX);
        loop {
            if let Err(reason) = said {
                return Ended::Lost(reason);
            }
            if node != self.home && self.shared.go_home.load(Ordering::Relaxed) {
                return Ended::GoesHome;
            }
            said = tokio::select! {
                heard = line.hear() => {
                    silent = Instant::now() + SILENCE_MAX;
                    match heard {
                        Heard::Messages(messages) => self.told(messages, &mut line).await,
                        Heard::Closed { reason, stays_away: true } => return Ended::SentAway(reason),
                        Heard::Closed { reason, .. } => return Ended::Lost(reason),
                    }
                }
                () = due(&self.shared, &self.draft, self.next_edit) => {
                    let (number, update) = self.edit();
                    self.note(format_args!("sends {number}"));
                    self.draft().sends(number, update.clone());
                    line.say(&Message::Sync(SyncMessage::Update(update))).await
                }
                () = sleep_until(renew) => {
                    renew = Instant::now() + RENEW;
                    line.say(&self.awareness()).await
                }
                () = sleep_until(silent) => Err(format!("nothing heard for {SILENCE_MAX:?}")),
            };
        }
    }

    async fn told(&mut self, messages: Vec<Message>, line: &mut Line) -> Result<(), String> {
        for message in messages {
            match message {
                Message::Sync(SyncMessage::SyncStep1(state_vector)) => {
                    let answer = self.draft().answer(&state_vector);
                    self.note(format_args!("is asked, and answers with {}", described(&answer)));
                    line.say(&Message::Sync(SyncMessage::SyncStep2(answer))).await?;
                }
                Message::Sync(SyncMessage::SyncStep2(update)) => {
                    self.note(format_args!("is answered with {}", described(&update)));
                    self.apply(&update);
                    self.draft().synced();
                }
                Message::Sync(SyncMessage::Update(update)) => {
                    let phase = self.shared.phase();
                    let settled = self.draft().given_back(&update, phase);
                    match settled {
                        Some(edits) => self.note(format_args!("is given back {edits:?}")),
                        None => self.note(format_args!("hears {}", described(&update))),
                    }
                    self.apply(&update);
                }
                Message::Auth(Some(reason)) => {
                    self.note(format_args!("is denied: {reason}"));
                    eprintln!("chaos: {} is denied: {reason}", self.name);
                }
                Message::AwarenessQuery => line.say(&self.awareness()).await?,
                Message::Auth(None) | Message::Awareness(_) | Message::Custom(..) => {}
            }
        }
        Ok(())
    }

    fn apply(&self, update: &[u8]) {
        if let Err(error) = self.draft().apply(update) {
            self.note(format_args!("cannot apply what it heard: {error}"));
            eprintln!("chaos: {} cannot apply what it heard: {error}", self.name);
        }
    }

    fn edit(&mut self) -> (u64, Vec<u8>) {
        self.next_edit = Instant::now() + Duration::from_millis(self.rng.u64(PAUSE_MS));
        let phase = self.shared.phase();
        self.draft().edit(phase)
    }

    /// That it is there.
    fn awareness(&mut self) -> Message {
        self.clock += 1;
        let entry = AwarenessUpdateEntry {
            clock: self.clock,
            json: format!(r#"{{"user":{{"name":"{}"}}}}"#, self.name).into(),
        };
        let clients = HashMap::from([(self.draft().client(), entry)]);
        Message::Awareness(AwarenessUpdate { clients })
    }

    fn draft(&self) -> MutexGuard<'_, Draft> {
        self.draft.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, what: fmt::Arguments<'_>) {
        self.shared.trace.note(&self.name, what);
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(reason) => write!(f, "lost: {reason}"),
            Self::GoesHome => f.write_str("goes home"),
            Self::SentAway(reason) => write!(f, "sent away: {reason}"),
        }
    }
}

/// When the next edit is due.
async fn due(shared: &Shared, draft: &Mutex<Draft>, next_edit: Instant) {
    let mut at = next_edit;
    loop {
        sleep_until(at).await;
        if shared.types.load(Ordering::Relaxed) {
            return;
        }
        let waits = draft.lock().unwrap_or_else(PoisonError::into_inner).newest();
        if waits.is_some_and(|since| since.elapsed() > ONCE_MORE_AFTER) {
            return;
        }
        at = Instant::now() + Duration::from_millis(PAUSE_MS.start);
    }
}

/// What an update has, for a reader: whose insertions, which, and whether anything is deleted.
fn described(update: &[u8]) -> String {
    let Ok(decoded) = Update::decode_v1(update) else {
        return format!("{} bytes that cannot be read", update.len());
    };
    let insertions = decoded.insertions(true);
    let clients = insertions.iter().flat_map(|(client, ranges)| {
        let ranges = ranges.iter();
        ranges.map(move |range| format!("{client}:{}..{}", range.start, range.end))
    });
    let clients: Vec<_> = clients.collect();
    let deleted = if decoded.delete_set().is_empty() {
        ""
    } else {
        ", and deletions"
    };
    format!("[{}]{deleted}", clients.join(" "))
}
