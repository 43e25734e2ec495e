//! One watch under a hand-driven node and application.

use std::time::Instant;

use fastrand::Rng;

use super::*;
use crate::session::Common;

const ID: SubscriptionId = SubscriptionId(7);

/// A watch, and what the application has taken from its queue.
struct Watcher {
    roster: Roster,
    common: Common,
    /// Events in the queue, with the bytes that they take.
    queued: Vec<(Told, usize)>,
    seen: BTreeMap<ClientId, Arc<Present>>,
}

impl Watcher {
    fn new(queue_events: usize) -> Self {
        let options = WatchOptions {
            queue_events,
            ..WatchOptions::default()
        };
        Self {
            roster: Roster::new(ID, &options),
            common: Common::new(0),
            queued: Vec::new(),
            seen: BTreeMap::new(),
        }
    }

    fn turn<T>(&mut self, act: impl FnOnce(&mut Roster, &mut Turn<'_>) -> T) -> T {
        let mut effects = Vec::new();
        let mut turn = Turn {
            now: Instant::now(),
            effects: &mut effects,
            common: &mut self.common,
        };
        let outcome = act(&mut self.roster, &mut turn);
        for effect in effects {
            match effect {
                Effect::Tell { to: ID, item } => self.queued.push((item.event, item.cost.bytes)),
                other => panic!("{other:?}"),
            }
        }
        outcome
    }

    fn roster(&mut self, clients: &[(u8, &'static str)]) {
        let last = self.turn(|roster, turn| roster.part(part(true, true, clients), turn));
        last.expect("a roster");
    }

    fn changes(&mut self, joined: &[(u8, &'static str)], left: &[u8]) {
        let frame = v1::PresenceChanges {
            channel_id: 9,
            joined: joined.iter().map(|(client, state)| present(*client, state)).collect(),
            updated: Vec::new(),
            left: left.iter().map(|client| v1::Absent { client: id(*client) }).collect(),
        };
        let changed = self.turn(|roster, turn| roster.changes(frame, turn));
        changed.expect("changes of a roster");
    }

    fn occupancy(&mut self, clients: u64) {
        let frame = v1::Occupancy {
            channel_id: 9,
            members: clients,
            clients,
        };
        self.turn(|roster, turn| roster.occupancy(&frame, turn));
    }

    fn certainty(&mut self, stale: bool) {
        let frame = v1::Certainty {
            channel_id: 9,
            stale,
            uncertain: Vec::new(),
        };
        self.turn(|roster, turn| roster.certainty(frame, turn));
    }

    fn ephemeral(&mut self, client: u8, number: u64, state: &'static str) {
        let said = v1::EphemeralState {
            client: id(client),
            number,
            state: state.into(),
        };
        let frame = v1::Ephemerals {
            channel_id: 9,
            states: vec![said],
        };
        let passed = self.turn(|roster, turn| roster.ephemerals(frame, turn));
        passed.expect("ephemeral states");
    }

    /// The application takes so many events: what they are, in short.
    fn take(&mut self, events: usize) -> Vec<String> {
        let events = events.min(self.queued.len());
        let mut taken = Taken::default();
        let mut names = Vec::new();
        for (told, bytes) in self.queued.drain(..events).collect::<Vec<_>>() {
            taken.add(Cost {
                bytes,
                ..Cost::default()
            });
            names.push(name(&told));
            self.see(told);
        }
        self.turn(|roster, turn| roster.taken(taken, turn));
        names
    }

    fn take_all(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        while !self.queued.is_empty() {
            names.extend(self.take(usize::MAX));
        }
        names
    }

    /// An application that believes each event to the letter.
    fn see(&mut self, told: Told) {
        match told {
            Told::Roster(everybody) => {
                self.seen = everybody.into_iter().map(|present| (present.client, present)).collect();
            }
            Told::Joined(present) => assert!(self.seen.insert(present.client, present).is_none(), "joined twice"),
            Told::Updated(present) => {
                let before = self.seen.insert(present.client, Arc::clone(&present));
                assert!(
                    before.is_some_and(|before| before != present),
                    "updated, and nothing changed"
                );
            }
            Told::Left(present) => assert_eq!(self.seen.remove(&present.client), Some(present), "as it was told last"),
            Told::Occupancy(_) => self.seen.clear(),
            Told::Ephemeral(present, _) => assert_eq!(self.seen.get(&present.client), Some(&present)),
            Told::Certainty(_) | Told::Failed(_) => {}
        }
    }
}

fn id(client: u8) -> Bytes {
    Bytes::copy_from_slice(&[client; 16])
}

fn present(client: u8, state: &'static str) -> v1::Present {
    v1::Present {
        client: id(client),
        member: format!("m{client}"),
        node: "a".into(),
        state: Bytes::from_static(state.as_bytes()),
    }
}

fn part(first: bool, last: bool, clients: &[(u8, &'static str)]) -> v1::Roster {
    v1::Roster {
        channel_id: 9,
        first,
        last,
        clients: clients.iter().map(|(client, state)| present(*client, state)).collect(),
    }
}

fn name(told: &Told) -> String {
    let state = |present: &Present| {
        let state = String::from_utf8_lossy(&present.state).into_owned();
        format!("{}{state}", present.client.as_bytes()[0])
    };
    match told {
        Told::Roster(everybody) => {
            let clients: Vec<_> = everybody.iter().map(|present| state(present)).collect();
            format!("[{}]", clients.join(" "))
        }
        Told::Joined(present) => format!("+{}", state(present)),
        Told::Updated(present) => format!("~{}", state(present)),
        Told::Left(present) => format!("-{}", state(present)),
        Told::Occupancy(occupancy) => format!("#{}", occupancy.clients),
        Told::Certainty(certainty) => format!("stale={}", certainty.stale),
        Told::Ephemeral(present, said) => format!("{}:{}", state(present), String::from_utf8_lossy(said)),
        Told::Failed(error) => error.to_string(),
    }
}

#[test]
fn a_roster_comes_in_parts_and_then_what_changes() {
    let mut watcher = Watcher::new(100);
    for frame in [part(true, false, &[(1, "")]), part(false, false, &[(2, "")])] {
        watcher.turn(|roster, turn| roster.part(frame, turn)).expect("a part");
    }
    assert!(watcher.take_all().is_empty(), "not before the last");
    // Who could not keep up is sent it from the beginning.
    watcher
        .turn(|roster, turn| roster.part(part(true, false, &[(3, "")]), turn))
        .expect("parts before the first are void");
    watcher
        .turn(|roster, turn| roster.part(part(false, true, &[(4, "")]), turn))
        .expect("the last part");
    watcher.changes(&[(5, "")], &[3]);
    watcher.changes(&[(4, "x")], &[]);
    watcher.changes(&[(4, "x")], &[9]);
    assert_eq!(watcher.take_all(), ["[3 4]", "+5", "-3", "~4x"]);
}

#[test]
fn another_roster_is_told_as_what_it_differs_by() {
    let mut watcher = Watcher::new(100);
    watcher.roster(&[(1, ""), (2, ""), (3, "")]);
    watcher.take_all();
    watcher.turn(Roster::unheard);
    watcher.roster(&[(1, ""), (3, "x"), (4, "")]);
    watcher.certainty(false);
    assert_eq!(watcher.take_all(), ["stale=true", "~3x", "+4", "-2", "stale=false"]);
    watcher.roster(&[(1, ""), (3, "x"), (4, "")]);
    watcher.certainty(false);
    assert!(watcher.take_all().is_empty(), "nothing has happened");
}

#[test]
fn of_what_a_slow_application_missed_it_is_told_the_difference() {
    let mut watcher = Watcher::new(2);
    watcher.roster(&[(1, ""), (2, ""), (3, "")]);
    watcher.changes(&[(4, "")], &[]);
    assert_eq!(watcher.common.stats.merged, 0);
    // The queue is full. 5 comes and goes, 1 changes and changes back, 2 goes and 4 says several things.
    watcher.changes(&[(5, "")], &[2]);
    watcher.changes(&[(1, "x"), (4, "a")], &[5]);
    watcher.changes(&[(1, ""), (4, "b")], &[]);
    watcher.certainty(true);
    watcher.ephemeral(4, 1, "old");
    watcher.ephemeral(4, 2, "new");
    watcher.ephemeral(3, 1, "gone soon");
    watcher.changes(&[], &[3]);
    assert_eq!((watcher.queued.len(), watcher.common.stats.merged), (2, 1));
    assert_eq!(
        watcher.take_all(),
        ["[1 2 3]", "+4", "-2", "-3", "~4b", "4b:new", "stale=true"]
    );
    watcher.changes(&[(6, "")], &[]);
    assert_eq!(watcher.take_all(), ["+6"]);
}

#[test]
fn what_is_due_holds_nobody_who_came_and_went() {
    let mut watcher = Watcher::new(1);
    watcher.roster(&[]);
    for client in 1..=250 {
        watcher.changes(&[(client, "")], &[]);
        watcher.changes(&[], &[client]);
    }
    assert!(watcher.roster.due.is_empty());
    assert_eq!(watcher.take_all(), ["[]"]);
}

#[test]
fn numbers_come_in_place_of_names_and_the_other_way_round() {
    let mut watcher = Watcher::new(100);
    watcher.roster(&[(1, "")]);
    watcher.occupancy(70);
    watcher.occupancy(71);
    watcher.roster(&[(1, ""), (2, "")]);
    assert_eq!(watcher.take_all(), ["[1]", "#70", "#71", "[1 2]"]);

    let mut slow = Watcher::new(1);
    slow.occupancy(70);
    slow.occupancy(71);
    slow.occupancy(72);
    assert_eq!(slow.take_all(), ["#70", "#72"]);
    slow.certainty(true);
    slow.roster(&[(1, "")]);
    slow.occupancy(73);
    slow.roster(&[(2, "")]);
    assert_eq!(slow.take_all(), ["stale=true", "[2]"], "the newest of each kind");
}

#[test]
fn ephemeral_states_that_are_old_or_nobodys_are_dropped() {
    let mut watcher = Watcher::new(100);
    watcher.ephemeral(1, 1, "nobody is known");
    watcher.roster(&[(1, "")]);
    watcher.ephemeral(1, 5, "a");
    watcher.ephemeral(1, 4, "late");
    watcher.ephemeral(1, 5, "twice");
    watcher.ephemeral(2, 9, "not here");
    assert_eq!(watcher.take_all(), ["[1]", "1:a"]);
    watcher.changes(&[], &[1]);
    watcher.changes(&[(1, "")], &[]);
    watcher.ephemeral(1, 1, "anew");
    assert_eq!(watcher.take_all(), ["-1", "+1", "1:anew"], "who returns counts anew");
}

#[test]
fn frames_out_of_place_break_the_rules() {
    let mut watcher = Watcher::new(100);
    let not_begun = part(false, true, &[]);
    assert!(watcher.turn(|roster, turn| roster.part(not_begun, turn)).is_err());
    let changes = || v1::PresenceChanges {
        channel_id: 9,
        ..v1::PresenceChanges::default()
    };
    assert!(
        watcher.turn(|roster, turn| roster.changes(changes(), turn)).is_err(),
        "of nothing"
    );
    watcher.roster(&[(1, "")]);
    watcher
        .turn(|roster, turn| roster.part(part(true, false, &[]), turn))
        .expect("a part");
    assert!(
        watcher.turn(|roster, turn| roster.changes(changes(), turn)).is_err(),
        "in parts"
    );
}

#[test]
fn whatever_happens_the_application_ends_up_with_what_is_known() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    let mut merged = 0;
    for seed in (0..300).map(|run| seed.wrapping_add(run)) {
        println!("SEED={seed}");
        merged += run(&mut Rng::with_seed(seed));
    }
    assert!(merged > 300, "a queue that is never full proves little: {merged}");
}

fn run(rng: &mut Rng) -> u64 {
    let mut watcher = Watcher::new(rng.usize(1..6));
    watcher.roster(&[]);
    let states = ["", "x", "y"];
    let mut number = 0;
    for _ in 0..200 {
        let one = |rng: &mut Rng| (rng.u8(1..12), states[rng.usize(..3)]);
        let is_named = watcher.roster.known.is_some();
        match rng.u8(..12) {
            0 => {
                let clients: Vec<_> = (0..rng.u8(..8)).map(|_| one(rng)).collect();
                watcher.roster(&clients);
            }
            1 if rng.u8(..4) == 0 => watcher.occupancy(rng.u64(..100)),
            2 => watcher.certainty(rng.bool()),
            3 => {
                number += 1;
                watcher.ephemeral(rng.u8(1..12), number, "e");
            }
            4..8 if is_named => watcher.changes(&[one(rng), one(rng)], &[rng.u8(1..12)]),
            8 => watcher.turn(Roster::unheard),
            _ => drop(watcher.take(rng.usize(..4))),
        }
    }
    watcher.take_all();
    let known = watcher.roster.known.clone().unwrap_or_default();
    assert_eq!(watcher.seen, known);
    assert!(watcher.roster.due.is_empty());
    watcher.common.stats.merged
}
