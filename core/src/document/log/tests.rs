//! Logs against a store that fails, and against each other.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

#[expect(clippy::disallowed_methods, reason = "an instant has no other beginning")]
fn start() -> Instant {
    Instant::now()
}

/// One log, with a clock.
struct One {
    log: Log<u64>,
    now: Instant,
}

impl One {
    fn new() -> Self {
        Self {
            log: Log::open(0, []).unwrap(),
            now: start(),
        }
    }

    fn turn(&mut self, input: Input<u64>) -> Vec<Effect<u64>> {
        let mut out = Vec::new();
        self.log.handle(input, self.now, &mut out);
        out
    }

    fn edit(&mut self, from: u64, edit: u64, update: &str) -> Vec<Effect<u64>> {
        let update = Bytes::copy_from_slice(update.as_bytes());
        self.turn(Input::Edit { from, edit, update })
    }
}

fn row(n: u64, update: &str) -> Row {
    Row {
        n,
        update: Bytes::copy_from_slice(update.as_bytes()),
    }
}

fn append(rows: &[Row]) -> Effect<u64> {
    Effect::Append { rows: rows.to_vec() }
}

#[test]
fn what_comes_during_a_commit_goes_into_the_next_and_is_told_after_it() {
    let mut one = One::new();
    assert_eq!(one.edit(7, 1, "a"), [append(&[row(1, "a")])]);
    assert_eq!(one.edit(8, 1, "b"), []);
    assert_eq!(one.edit(7, 2, "c"), []);
    let saved = |to, up_to, edits| Effect::Saved { to, up_to, edits };
    assert_eq!(
        one.turn(Input::Appended),
        [saved(7, 1, 1), append(&[row(2, "b"), row(3, "c")])]
    );
    assert_eq!(one.edit(7, 3, "d"), []);
    assert_eq!(
        one.turn(Input::Appended),
        [saved(7, 2, 1), saved(8, 1, 1), append(&[row(4, "d")])]
    );
    assert!(!one.log.is_idle());
    assert_eq!(one.turn(Input::Appended), [saved(7, 3, 1)]);
    assert!(one.log.is_idle());
}

#[test]
fn what_was_known_is_saved_with_what_came_before_it() {
    let mut one = One::new();
    let saved = |to, up_to, edits| Effect::Saved { to, up_to, edits };
    let known = |from, edit| Input::Known { from, edit };
    assert_eq!(one.turn(known(7, 1)), [saved(7, 1, 1)], "all is saved");
    one.edit(7, 2, "a");
    assert_eq!(one.turn(known(8, 1)), []);
    assert_eq!(one.turn(known(7, 3)), []);
    assert_eq!(one.turn(Input::Appended), [saved(7, 3, 2), saved(8, 1, 1)]);
    one.edit(7, 4, "b");
    one.turn(known(8, 2));
    let refused = one.turn(Input::Unreadable { row: 1 });
    let refusal = Refusal::Quarantined;
    let refuse = |to, edit| Effect::Refuse { to, edit, refusal };
    assert_eq!(
        refused,
        [refuse(7, 4), refuse(8, 2), Effect::Quarantine { row: 1 }],
        "nobody waits for ever"
    );
    assert_eq!(one.turn(known(8, 3)), [refuse(8, 3)]);
}

#[test]
fn who_finds_its_number_taken_reads_applies_and_appends_after_it() {
    let mut one = One::new();
    one.edit(7, 1, "mine");
    assert_eq!(one.turn(Input::Taken), [Effect::Read { after: 0 }]);
    assert_eq!(one.edit(7, 2, "more"), []);
    let rows = vec![row(1, "theirs"), row(2, "too")];
    let effects = one.turn(Input::Read { snapshot: None, rows });
    let applied = |update: &'static str| Effect::Apply(Bytes::from_static(update.as_bytes()));
    assert_eq!(
        effects,
        [
            applied("theirs"),
            applied("too"),
            append(&[row(3, "mine"), row(4, "more")])
        ]
    );
    // Their snapshot took the place of rows that were not read here.
    one.turn(Input::Taken);
    let snapshot = Some((5, vec![Bytes::from_static(b"whole"), Bytes::from_static(b"held")]));
    let effects = one.turn(Input::Read {
        snapshot,
        rows: vec![row(6, "last")],
    });
    assert_eq!(
        effects,
        [
            applied("whole"),
            applied("held"),
            applied("last"),
            append(&[row(7, "mine"), row(8, "more")])
        ]
    );
}

#[test]
fn a_batch_that_failed_and_was_written_is_recognised() {
    let mut one = One::new();
    one.edit(7, 1, "a");
    let at = one.now + RETRY_AFTER;
    assert_eq!(one.turn(Input::AppendFailed), [Effect::Wake { at }]);
    assert_eq!(one.edit(7, 2, "b"), [], "the store is left alone for a while");
    one.now = at;
    assert_eq!(one.turn(Input::Wake), [append(&[row(1, "a"), row(2, "b")])]);
    assert_eq!(one.turn(Input::Taken), [Effect::Read { after: 0 }]);
    assert_eq!(one.turn(Input::ReadFailed), [Effect::Wake { at: at + RETRY_AFTER }]);
    one.now = at + RETRY_AFTER;
    assert_eq!(one.turn(Input::Wake), [Effect::Read { after: 0 }]);
    let rows = vec![row(1, "a")];
    let saved = Effect::Saved {
        to: 7,
        up_to: 1,
        edits: 1,
    };
    assert_eq!(
        one.turn(Input::Read { snapshot: None, rows }),
        [saved, append(&[row(2, "b")])]
    );
}

#[test]
fn unsaved_edits_have_a_bound() {
    let mut one = One::new();
    let update = "x".repeat(1024 * 1024);
    for edit in 1..=8 {
        assert!(
            one.edit(7, edit, &update)
                .iter()
                .all(|effect| matches!(effect, Effect::Append { .. }))
        );
    }
    let refusal = Refusal::UnsavedFull;
    let refused = Effect::Refuse {
        to: 7,
        edit: 9,
        refusal,
    };
    assert_eq!(one.edit(7, 9, "x"), [refused]);
    assert_eq!(
        (refusal.code(), one.log.unsaved_bytes()),
        ("unsaved_full", UNSAVED_BYTES_MAX)
    );
    // One is saved, and four fit into the next batch.
    match &one.turn(Input::Appended)[..] {
        [Effect::Saved { .. }, Effect::Append { rows }, Effect::Snapshot { .. }] => assert_eq!(rows.len(), 4),
        other => panic!("{other:?}"),
    }
    assert_eq!(one.edit(7, 9, "x"), []);
    let mut many = One::new();
    for edit in 1..=UNSAVED_EDITS_MAX as u64 {
        many.edit(7, edit, "");
    }
    let edit = UNSAVED_EDITS_MAX as u64 + 1;
    assert_eq!(many.edit(7, edit, ""), [Effect::Refuse { to: 7, edit, refusal }]);
    match &many.turn(Input::Appended)[..] {
        [Effect::Saved { .. }, Effect::Append { rows }] => assert_eq!(rows.len(), BATCH_ROWS_MAX),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_snapshot_is_made_of_a_long_tail_and_when_the_last_leaves() {
    let snapshot = |after, through| Effect::Snapshot { after, through };
    let rows = |many: u64, bytes| (1..=many).map(move |n| (n, bytes));
    for (log, due) in [
        (Log::open(0, rows(999, 1)), None),
        (Log::open(0, rows(1_000, 1)), Some(snapshot(0, 1_000))),
        (Log::open(0, rows(1, 102_400)), Some(snapshot(0, 1))),
    ] {
        let mut one = One {
            log: log.unwrap(),
            now: start(),
        };
        assert_eq!(one.turn(Input::Opened).first(), due.as_ref());
    }
    let mut one = One::new();
    assert_eq!(one.turn(Input::Left), [], "there is nothing in it");
    one.turn(Input::Opened);
    one.edit(7, 1, "a");
    assert_eq!(one.turn(Input::Left), [], "not before it is saved");
    assert_eq!(one.turn(Input::Appended)[1..], [snapshot(0, 1)]);
    let at = one.now + SNAPSHOT_RETRY_AFTER;
    assert_eq!(one.turn(Input::SnapshotFailed), [Effect::Wake { at }]);
    one.now = at;
    assert_eq!(one.turn(Input::Wake), [snapshot(0, 1)]);
    one.edit(7, 2, "b");
    one.turn(Input::Appended);
    // Row 2 came after: it is no part of that snapshot.
    assert_eq!(one.turn(Input::Snapshotted), [snapshot(1, 2)]);
    assert_eq!(one.turn(Input::Snapshotted), []);
    assert!(one.log.is_idle());
}

#[test]
fn a_hole_or_an_unreadable_row_sets_the_document_aside() {
    assert_eq!(Log::<u64>::open(5, [(7, 1)]).err(), Some(Hole { missing: 6 }));
    let mut one = One::new();
    one.edit(7, 1, "a");
    one.turn(Input::Taken);
    let refusal = Refusal::Quarantined;
    let refused = |edit| Effect::Refuse { to: 7, edit, refusal };
    let rows = vec![row(2, "theirs")];
    assert_eq!(
        one.turn(Input::Read { snapshot: None, rows }),
        [refused(1), Effect::Quarantine { row: 1 }]
    );
    assert_eq!(one.edit(7, 2, "b"), [refused(2)]);
    let mut other = One::new();
    assert_eq!(
        other.turn(Input::Unreadable { row: 4 }),
        [Effect::Quarantine { row: 4 }]
    );
    assert_eq!(other.turn(Input::Unreadable { row: 5 }), [], "once");
}

/// A store, and two owners that do not know of each other.
struct World {
    dice: SmallRng,
    rows: BTreeMap<u64, Bytes>,
    snapshot: u64,
    /// All updates that are in the snapshot.
    inside: Vec<Bytes>,
}

impl World {
    fn answer(
        &mut self,
        effect: Effect<u64>,
        applied: &mut Vec<Bytes>,
        saved: &mut Vec<(u64, u64)>,
    ) -> Option<Input<u64>> {
        let fails = self.dice.random_bool(0.15);
        match effect {
            Effect::Append { rows } => {
                let last = self.rows.keys().last().copied().unwrap_or(0).max(self.snapshot);
                if rows[0].n <= last {
                    return Some(if fails { Input::AppendFailed } else { Input::Taken });
                }
                assert_eq!(rows[0].n, last + 1, "without a gap");
                if fails && self.dice.random() {
                    return Some(Input::AppendFailed);
                }
                self.rows.extend(rows.into_iter().map(|row| (row.n, row.update)));
                // It may have written them and say that it did not.
                Some(if fails { Input::AppendFailed } else { Input::Appended })
            }
            Effect::Read { .. } if fails => Some(Input::ReadFailed),
            Effect::Read { after } => {
                let inside = self.inside.concat();
                let snapshot = (self.snapshot > after).then(|| (self.snapshot, vec![inside.into()]));
                let rows = self.rows.range(after + 1..).map(|(n, update)| Row {
                    n: *n,
                    update: update.clone(),
                });
                Some(Input::Read {
                    snapshot,
                    rows: rows.collect(),
                })
            }
            Effect::Snapshot { after, through } => {
                if fails || self.snapshot != after {
                    return Some(Input::SnapshotFailed);
                }
                for n in after + 1..=through {
                    let update = self.rows.remove(&n).expect("it was read, so it is there");
                    assert!(applied.contains(&update), "a row that was not read is not deleted");
                    self.inside.push(update);
                }
                self.snapshot = through;
                Some(Input::Snapshotted)
            }
            Effect::Apply(update) => {
                applied.extend(update.chunks(16).map(Bytes::copy_from_slice));
                None
            }
            Effect::Saved { to, up_to, .. } => {
                saved.push((to, up_to));
                None
            }
            Effect::Wake { .. } => Some(Input::Wake),
            other => panic!("{other:?}"),
        }
    }

    fn has(&self, update: &Bytes) -> bool {
        self.rows.values().chain(&self.inside).any(|other| other == update)
    }
}

#[test]
fn what_was_told_to_be_saved_is_there_whatever_fails_and_whoever_else_writes() {
    let (mut once, mut twice) = (0, 0);
    for seed in 0..300 {
        let mut world = World {
            dice: SmallRng::seed_from_u64(seed),
            rows: BTreeMap::new(),
            snapshot: 0,
            inside: Vec::new(),
        };
        let mut owners = [One::new(), One::new()];
        let mut applied: [Vec<Bytes>; 2] = [vec![], vec![]];
        let mut asked: [VecDeque<Effect<u64>>; 2] = [VecDeque::new(), VecDeque::new()];
        let mut edits = [0u64; 2];
        for step in 0..600 {
            let at = world.dice.random_range(0..2);
            let may_edit = step < 300 && world.dice.random_bool(0.4);
            let input = if may_edit {
                edits[at] += 1;
                let update = Bytes::from(format!("{at:08}{:08}", edits[at]));
                applied[at].push(update.clone());
                let (from, edit) = (at as u64, edits[at]);
                Some(Input::Edit { from, edit, update })
            } else if world.dice.random_bool(0.1) {
                Some(Input::Left)
            } else {
                let mut saved = Vec::new();
                let next = asked[at].pop_front();
                let input = next.and_then(|effect| world.answer(effect, &mut applied[at], &mut saved));
                for (to, up_to) in saved {
                    for edit in 1..=up_to {
                        let update = Bytes::from(format!("{to:08}{edit:08}"));
                        assert!(world.has(&update), "seed {seed}: edit {edit} of {to} was saved");
                    }
                }
                input
            };
            if let Some(input) = input {
                if input == Input::Wake {
                    owners[at].now += SNAPSHOT_RETRY_AFTER;
                }
                asked[at].extend(owners[at].turn(input));
            }
        }
        for at in 0..2 {
            assert!(
                owners[at].log.unsaved.is_empty(),
                "seed {seed}: all is saved once edits end"
            );
            once += usize::try_from(edits[at]).unwrap();
            for edit in 1..=edits[at] {
                let update = Bytes::from(format!("{at:08}{edit:08}"));
                let copies = world
                    .rows
                    .values()
                    .chain(&world.inside)
                    .filter(|other| **other == update)
                    .count();
                assert!(copies > 0, "seed {seed}: edit {edit} of {at} is lost");
                twice += usize::from(copies > 1);
            }
        }
    }
    // Written, not known to be, and in the other's snapshot before it was looked for.
    assert!(twice * 10 < once, "{twice} of {once} edits are written twice");
}
