//! Everybody who edits, and what there is of each document in the end.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use yrs::sync::{Message, SyncMessage};
use yrs::{Doc, StateVector};

use crate::error::Error;
use crate::setup::{NodeSetup, Setup};

use super::draft::{self, Draft, Standing, UNTIMED};
use super::editor::Editor;
use super::line::{Dialer, Heard};
use super::trace::Trace;
use super::verdict::Copies;
use super::{DOCUMENTS, EDITORS};

/// How long those who return may set out: longer than the pauses of somebody who types.
const RETURN: Duration = Duration::from_secs(1);

/// How long it may take after a fault until everybody is attached and nothing waits.
const HEALED_WITHIN: Duration = Duration::from_secs(30);

/// An edit that is younger waits for nothing.
const FRESH: Duration = Duration::from_millis(500);

/// How long it may take in the end until all copies are the same.
const QUIET_WITHIN: Duration = Duration::from_secs(40);

/// How long a node may take in the end to tell a document.
const READ_WITHIN: Duration = Duration::from_secs(15);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// What all editors share.
pub(super) struct Shared {
    pub(super) nodes: Vec<NodeSetup>,
    pub(super) dialer: Dialer,
    pub(super) trace: Trace,
    /// Whether they type.
    pub(super) types: AtomicBool,
    /// A number above 0 while saves are timed, for each such time another.
    pub(super) phase: AtomicU64,
    /// Whether those who had to leave their own node may return to it. Otherwise nobody would be there for the next fault.
    pub(super) go_home: AtomicBool,
    /// Connections that were lost, or left to return.
    pub(super) returns: AtomicU64,
}

impl Shared {
    pub(super) fn phase(&self) -> u64 {
        self.phase.load(Ordering::Relaxed)
    }
}

/// Everybody who edits.
pub(super) struct Editors {
    pub(super) shared: Arc<Shared>,
    /// By number, with the document.
    drafts: Vec<(usize, Arc<Mutex<Draft>>)>,
    pub(super) tasks: JoinSet<()>,
}

impl Editors {
    pub(super) fn start(setup: &Setup, rng: &mut Rng) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            nodes: setup.nodes.clone(),
            dialer: Dialer::new(setup.authority.clone())?,
            trace: Trace::create(&setup.directory.join("editors.log"))?,
            types: AtomicBool::new(true),
            phase: AtomicU64::new(UNTIMED),
            go_home: AtomicBool::new(false),
            returns: AtomicU64::new(0),
        });
        let (mut drafts, mut tasks) = (Vec::new(), JoinSet::new());
        for number in 0..EDITORS {
            let document = number % DOCUMENTS;
            let draft = Arc::new(Mutex::new(Draft::new(rng.u64(..))));
            drafts.push((document, Arc::clone(&draft)));
            let editor = Editor {
                name: format!("editor-{number}"),
                document: name_of(document),
                // The editors of a document are DOCUMENTS apart: each is one node further than the one before.
                home: (number % DOCUMENTS + number / DOCUMENTS) % shared.nodes.len(),
                token: token(setup, number),
                rng: rng.fork(),
                draft,
                shared: Arc::clone(&shared),
                next_edit: Instant::now() + Duration::from_millis(rng.u64(..1_000)),
                clock: 0,
            };
            tasks.spawn(editor.live());
        }
        Ok(Self { shared, drafts, tasks })
    }

    /// Waits until everybody is attached for the first time.
    pub(super) async fn attached(&self, logs: &Path) -> Result<(), Error> {
        if self.healed().await {
            return Ok(());
        }
        Err(Error::Late {
            what: "attaching all editors".to_owned(),
            seconds: HEALED_WITHIN.as_secs(),
            logs: logs.to_owned(),
        })
    }

    /// Waits until everybody is attached and nothing waits that was made before: whether that came to be. Says what waits if it
    /// takes too long.
    pub(super) async fn healed(&self) -> bool {
        self.eventually(HEALED_WITHIN, "to heal", |drafts| {
            drafts.iter().all(|draft| {
                let is_fresh = |(_, since): (u64, Instant)| since.elapsed() < FRESH;
                draft.standing() == Standing::Synced && draft.waits().is_none_or(is_fresh)
            })
        })
        .await
    }

    /// Has everybody go back to the node where they were first, and waits until they have healed from that.
    pub(super) async fn return_home(&self) {
        self.shared.go_home.store(true, Ordering::Relaxed);
        // Everybody has heard or typed something by then.
        sleep(RETURN).await;
        self.shared.go_home.store(false, Ordering::Relaxed);
        self.healed().await;
    }

    /// Waits until everybody is attached, nothing waits and all copies are the same.
    pub(super) async fn quiet(&self) {
        self.eventually(QUIET_WITHIN, "to be quiet", |drafts| {
            let waits = |draft: &MutexGuard<'_, Draft>| draft.standing() != Standing::Synced || draft.unsaved() > 0;
            !drafts.iter().any(waits) && self.is_same(drafts)
        })
        .await;
    }

    /// Whether all editors of each document have the same.
    fn is_same(&self, drafts: &[MutexGuard<'_, Draft>]) -> bool {
        (0..DOCUMENTS).all(|document| {
            let of_document = self.drafts.iter().zip(drafts).filter(|((of, _), _)| *of == document);
            let mut contents = of_document.map(|(_, draft)| draft.content());
            let first = contents.next();
            contents.all(|content| Some(content) == first)
        })
    }

    async fn eventually(&self, within: Duration, what: &str, is_so: impl Fn(&[MutexGuard<'_, Draft>]) -> bool) -> bool {
        let began = Instant::now();
        while began.elapsed() < within {
            if is_so(&self.drafts()) {
                return true;
            }
            sleep(LOOK).await;
        }
        eprintln!("chaos: it takes longer than {within:?} {what}");
        for (number, draft) in self.drafts().iter().enumerate() {
            let waits = draft.waits().filter(|(_, since)| since.elapsed() > FRESH);
            if draft.standing() != Standing::Synced || waits.is_some() {
                let waits = waits.map(|(edit, since)| (edit, since.elapsed()));
                eprintln!(
                    "chaos: editor-{number} is {:?}, and waits for {waits:?}",
                    draft.standing()
                );
            }
        }
        false
    }

    pub(super) fn drafts(&self) -> Vec<MutexGuard<'_, Draft>> {
        let drafts = self.drafts.iter();
        drafts
            .map(|(_, draft)| draft.lock().unwrap_or_else(PoisonError::into_inner))
            .collect()
    }

    /// What each node tells somebody new of each document, beside what the editors have.
    pub(super) async fn copies(&self, setup: &Setup) -> Vec<Copies> {
        let mut all = Vec::new();
        let token = token(setup, EDITORS);
        for document in 0..DOCUMENTS {
            let mut of_nodes = Vec::new();
            for node in &self.shared.nodes {
                let reading = read(&self.shared.dialer, node, document, &token);
                let late = |_| format!("not told within {READ_WITHIN:?}");
                let told = timeout(READ_WITHIN, reading).await.map_err(late).and_then(|told| told);
                of_nodes.push((node.name.clone(), told));
            }
            let editors = self.drafts.iter().enumerate();
            let editors = editors.filter(|(_, (of, _))| *of == document).map(|(number, _)| number);
            all.push(Copies {
                document: name_of(document),
                nodes: of_nodes,
                editors: editors.collect(),
            });
        }
        all
    }
}

/// Opens a document at a node as somebody who has nothing of it.
async fn read(dialer: &Dialer, node: &NodeSetup, document: usize, token: &str) -> Result<Doc, String> {
    let doc = Doc::new();
    let mut line = dialer.open(node, &name_of(document), token).await?;
    let question = SyncMessage::SyncStep1(StateVector::default());
    line.say(&Message::Sync(question)).await?;
    loop {
        match line.hear().await {
            Heard::Closed { reason, .. } => return Err(reason),
            Heard::Messages(messages) => {
                for message in messages {
                    if let Message::Sync(SyncMessage::SyncStep2(update)) = message {
                        return draft::apply(&doc, &update).map(|()| doc);
                    }
                }
            }
        }
    }
}

fn name_of(document: usize) -> String {
    format!("plan-{document}")
}

/// Says who it is, and that it may do what editors do.
fn token(setup: &Setup, number: usize) -> String {
    let header = Header {
        kid: Some("chaos".to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let operations = ["doc-read", "doc-write", "awareness"];
    let claims = serde_json::json!({
        "sub": format!("editor-{number}"),
        "exp": jsonwebtoken::get_current_timestamp() + 12 * 3_600,
        "starling": { "capabilities": [{ "channels": "doc:*", "operations": operations }] },
    });
    let key = EncodingKey::from_secret(&setup.secret);
    jsonwebtoken::encode(&header, &claims, &key).expect("a secret signs any claims")
}
