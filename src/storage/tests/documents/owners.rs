//! Two owners of one document that do not know of each other, as their rules have it, with a database between them.
//!
//! Either may die and load again, be told nothing of what was written, or be told that a write has failed that has not. At
//! the end all that was told to be saved is in the store, and both have it (rules D1, D9).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use starling_core::document::log::{Effect, Input, Log};

use super::*;

/// Every edit is so long, so that one made of many can be taken apart.
const EDIT_BYTES: usize = 16;

/// What happens to each of them in one run.
const STEPS: usize = 250;

/// An owner, with what it has in memory, and the one editor it serves.
struct Owner {
    number: u64,
    documents: Documents,
    name: ChannelName,
    history: Option<History>,
    log: Log<u64>,
    now: Instant,
    applied: BTreeSet<Bytes>,
    /// Edits that were not told to be saved, by their numbers: the editor keeps them.
    unsaved: BTreeMap<u64, Bytes>,
    edits: u64,
    /// What the rules have asked for.
    asked: VecDeque<Effect<u64>>,
    /// A snapshot that waits until all that is in it is saved.
    snapshot: Option<(u64, BTreeSet<Bytes>)>,
    saved: BTreeSet<Bytes>,
    superseded: usize,
    taken: usize,
}

impl Owner {
    async fn load(number: u64, documents: &Documents, document: &ChannelName) -> Self {
        let found = documents.load(document).await.expect("loads");
        let mut applied = BTreeSet::new();
        let (mut through, mut tail, mut history) = (0, Vec::new(), None);
        if let Some(found) = found {
            history = Some(found.history);
            if let Some((last, snapshot)) = found.snapshot {
                through = last;
                applied.extend(apart(&snapshot.update));
            }
            for row in found.rows {
                tail.push((row.n, row.update.len()));
                applied.insert(row.update);
            }
        }
        Self {
            number,
            documents: documents.clone(),
            name: document.clone(),
            history,
            log: Log::open(through, tail).expect("without a gap"),
            now: Instant::now(),
            applied,
            unsaved: BTreeMap::new(),
            edits: 0,
            asked: VecDeque::new(),
            snapshot: None,
            saved: BTreeSet::new(),
            superseded: 0,
            taken: 0,
        }
    }

    /// It dies, and another takes its place: the editor sends again what it was not told of.
    async fn restart(&mut self) {
        let mut next = Self::load(self.number, &self.documents, &self.name).await;
        next.edits = self.edits;
        next.saved = std::mem::take(&mut self.saved);
        (next.superseded, next.taken) = (self.superseded, self.taken);
        let unsaved = std::mem::take(&mut self.unsaved);
        for saved in &next.saved {
            assert!(next.applied.contains(saved), "what was saved is there");
        }
        *self = next;
        for (edit, update) in unsaved {
            self.send(edit, update);
        }
    }

    fn edit(&mut self) {
        self.edits += 1;
        let update = Bytes::from(format!("{:08}{:08}", self.number, self.edits));
        assert_eq!(update.len(), EDIT_BYTES);
        self.send(self.edits, update);
    }

    fn send(&mut self, edit: u64, update: Bytes) {
        self.applied.insert(update.clone());
        self.unsaved.insert(edit, update.clone());
        let from = self.number;
        self.turn(Input::Edit { from, edit, update });
    }

    fn turn(&mut self, input: Input<u64>) {
        let mut out = Vec::new();
        self.log.handle(input, self.now, &mut out);
        self.asked.extend(out);
    }

    /// Does one thing that the rules have asked for.
    async fn step(&mut self, dice: &mut SmallRng) {
        if let Some((through, content)) = self.snapshot.take() {
            // What is in a snapshot and in no row another owner would never see.
            match self.unsaved.values().any(|unsaved| content.contains(unsaved)) {
                true => self.snapshot = Some((through, content)),
                false => self.put_snapshot(through, &content, dice).await,
            }
        }
        let Some(effect) = self.asked.pop_front() else {
            return;
        };
        let (is_lost, is_unanswered) = (dice.random_bool(0.1), dice.random_bool(0.1));
        match effect {
            Effect::Append { .. } if is_lost => self.turn(Input::AppendFailed),
            Effect::Append { rows } => {
                let appended = self
                    .documents
                    .append(&self.name, self.history, rows, WallTime(NOW))
                    .await;
                match appended {
                    Ok(history) => {
                        self.history = Some(history);
                        self.turn(if is_unanswered {
                            Input::AppendFailed
                        } else {
                            Input::Appended
                        });
                    }
                    Err(Failure::Taken) => {
                        self.taken += 1;
                        self.turn(Input::Taken);
                    }
                    Err(failure) => panic!("{failure}"),
                }
            }
            Effect::Read { .. } if is_lost => self.turn(Input::ReadFailed),
            Effect::Read { after } => {
                let found = self
                    .documents
                    .read(&self.name, self.history, after)
                    .await
                    .expect("reads");
                self.history = Some(found.history);
                let snapshot = found
                    .snapshot
                    .map(|(through, snapshot)| (through, vec![snapshot.update.into()]));
                let rows = found.rows;
                self.turn(Input::Read { snapshot, rows });
            }
            Effect::Apply(update) => self.applied.extend(apart(&update)),
            Effect::Saved { up_to, .. } => {
                let later = self.unsaved.split_off(&(up_to + 1));
                self.saved
                    .extend(std::mem::replace(&mut self.unsaved, later).into_values());
            }
            Effect::Snapshot { through, .. } => self.snapshot = Some((through, self.applied.clone())),
            Effect::Wake { at } => {
                self.now = self.now.max(at);
                self.turn(Input::Wake);
            }
            other => panic!("{other:?}"),
        }
    }

    async fn put_snapshot(&mut self, through: u64, content: &BTreeSet<Bytes>, dice: &mut SmallRng) {
        let snapshot = Snapshot {
            update: content.iter().flatten().copied().collect(),
            state_vector: Vec::new(),
            held: Vec::new(),
        };
        let history = self.history.expect("there are rows");
        let put = self
            .documents
            .put_snapshot(&self.name, history, through, &snapshot, WallTime(NOW));
        match put.await {
            Ok(()) if dice.random_bool(0.1) => self.turn(Input::SnapshotFailed), // nobody has heard of it
            Ok(()) => self.turn(Input::Snapshotted),
            Err(Failure::Superseded { .. }) => {
                self.superseded += 1;
                self.turn(Input::Snapshotted); // the other's stands for it
            }
            Err(failure) => panic!("{failure}"),
        }
    }

    /// Everything that is asked for is done.
    async fn settle(&mut self, dice: &mut SmallRng) {
        while !self.asked.is_empty() || self.snapshot.is_some() {
            self.step(dice).await;
        }
        assert!(self.unsaved.is_empty(), "all is saved once edits end");
    }
}

fn apart(update: &[u8]) -> impl Iterator<Item = Bytes> {
    update.chunks(EDIT_BYTES).map(Bytes::copy_from_slice)
}

#[tokio::test]
async fn what_two_owners_saved_is_there_and_both_have_it() {
    let server = Place::server();
    let place = Place::database(&server);
    let (first, second) = (kept(&place).await, kept(&place).await);
    let (mut superseded, mut taken) = (0, 0);
    for seed in 0..12 {
        let told = OnPanic(format!("seed {seed}"));
        let mut dice = SmallRng::seed_from_u64(seed);
        let document = name(&format!("d:{seed}"));
        let mut one = Owner::load(1, &first.documents, &document).await;
        let mut two = Owner::load(2, &second.documents, &document).await;
        for _ in 0..STEPS {
            for owner in [&mut one, &mut two] {
                match dice.random_range(0..100) {
                    0..30 => owner.edit(),
                    30..36 => owner.turn(Input::Left),
                    36 => owner.restart().await,
                    _ => {}
                }
            }
            // Both at once, so that their transactions meet; each has dice of its own, so that a seed does what it did.
            let mut dice_of = [0, 1].map(|_| SmallRng::seed_from_u64(dice.random()));
            let [dice_of_one, dice_of_two] = &mut dice_of;
            tokio::join!(one.step(dice_of_one), two.step(dice_of_two));
        }
        one.settle(&mut dice).await;
        two.settle(&mut dice).await;
        for owner in [&mut one, &mut two] {
            // Who is told that its number is taken looks what is there.
            owner.turn(Input::Opened);
            owner.turn(Input::Taken);
            owner.settle(&mut dice).await;
        }
        let fresh = Owner::load(3, &first.documents, &document).await;
        for saved in one.saved.iter().chain(&two.saved) {
            assert!(fresh.applied.contains(saved), "{saved:?} was saved");
        }
        assert_eq!(one.saved.len() as u64 + two.saved.len() as u64, one.edits + two.edits);
        assert_eq!(one.applied, fresh.applied);
        assert_eq!(two.applied, fresh.applied);
        superseded += one.superseded + two.superseded;
        taken += one.taken + two.taken;
        drop(told);
    }
    assert!(taken > 50, "they have met at rows: {taken}");
    assert!(superseded > 0, "and at snapshots: {superseded}");
    first.store.close().await;
    second.store.close().await;
}
