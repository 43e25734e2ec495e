//! Watchers of a gateway, told what owners say.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::presence::RETRY_AFTER;
use crate::presence::entry::{Client, ClientId, ConnectionId, Row};
use crate::presence::message::{Delta, Ephemeral, Heads, Present, ToWatch};
use crate::presence::roster::SILENCE_MAX;
use crate::presence::tests::{channel, client, node, start};

const SLOT: SlotId = SlotId(3);

struct Node {
    watch: Watch<u64>,
    now: Instant,
    wake: Option<Instant>,
}

impl Node {
    fn new() -> Self {
        Self {
            watch: Watch::new(Faults::default()),
            now: start(),
            wake: None,
        }
    }

    /// One with a watcher of a channel that anna is in, by `a`.
    fn watching() -> Self {
        let mut node = Self::new();
        node.route("o", 1);
        node.watch(1, Mode::Roster);
        node.roster("o", (1, 10), vec![at("anna", "a")], Doubts::default());
        node
    }

    fn turn(&mut self, input: Input<u64>) -> Vec<Effect<u64>> {
        let mut effects = Vec::new();
        self.watch.handle(input, self.now, &mut effects);
        let wakes = effects.iter().filter_map(|effect| match effect {
            Effect::Wake { at } => Some(*at),
            _ => None,
        });
        self.wake = wakes.last().or(self.wake);
        effects.retain(|effect| !matches!(effect, Effect::Wake { .. }));
        effects
    }

    fn pass(&mut self, time: Duration) -> Vec<Effect<u64>> {
        let end = self.now + time;
        let mut effects = Vec::new();
        while let Some(at) = self.wake.take_if(|at| *at <= end) {
            self.now = at;
            effects.extend(self.turn(Input::Wake));
        }
        self.now = end;
        effects
    }

    fn route(&mut self, owner: &str, term: u64) -> Vec<Effect<u64>> {
        let owner = Some((node(owner, 1), Term(term)));
        self.turn(Input::Route { slot: SLOT, owner })
    }

    fn watch(&mut self, watcher: u64, mode: Mode) -> Vec<Effect<u64>> {
        let (channel, slot) = (channel("chat:a"), SLOT);
        self.turn(Input::Watch {
            watcher,
            channel,
            slot,
            mode,
        })
    }

    fn told(&mut self, from: &str, told: ToWatch) -> Vec<Effect<u64>> {
        let from = node(from, 1);
        self.turn(Input::Told { from, told })
    }

    fn roster(
        &mut self,
        from: &str,
        (term, version): (u64, u64),
        rows: Vec<Present>,
        doubts: Doubts,
    ) -> Vec<Effect<u64>> {
        let roster = ToWatch::Roster {
            channel: channel("chat:a"),
            stamp: stamp(term, version),
            part: 0,
            is_last: true,
            rows,
            doubts,
        };
        self.told(from, roster)
    }

    fn delta(
        &mut self,
        from: &str,
        (term, after, version): (u64, u64, u64),
        changes: Vec<(Client, Option<Present>)>,
        doubts: Doubts,
    ) -> Vec<Effect<u64>> {
        let delta = Delta {
            channel: channel("chat:a"),
            stamp: stamp(term, version),
            after,
            changes,
            doubts,
        };
        self.told(from, ToWatch::Delta(Arc::new(delta)))
    }

    fn count(&mut self, version: u64, clients: u64, is_settled: bool) -> Vec<Effect<u64>> {
        let count = ToWatch::Count {
            channel: channel("chat:a"),
            stamp: stamp(1, version),
            count: Count {
                members: clients,
                clients,
            },
            is_settled,
        };
        self.told("o", count)
    }
}

fn stamp(term: u64, version: u64) -> Stamp {
    let term = Term(term);
    Stamp { term, version }
}

fn at(subject: &str, gateway: &str) -> Present {
    Present {
        row: Row {
            client: client(subject),
            gateway: node(gateway, 1),
            connection: ConnectionId(1),
            state: Bytes::new(),
        },
        is_away: false,
    }
}

fn unsettled(names: &[&str]) -> Doubts {
    Doubts {
        unsettled: names.iter().map(|name| node(name, 1)).collect(),
        is_holding: !names.is_empty(),
        uncertain: BTreeSet::new(),
    }
}

/// What watchers are told of clients: `+` joined, `~` updated, `-` left; a star where the member did, too.
fn told(effects: &[Effect<u64>]) -> Vec<String> {
    let events = effects.iter().flat_map(|effect| match effect {
        Effect::Changed { events, .. } => events.to_vec(),
        _ => Vec::new(),
    });
    let word = |event| match event {
        Event::Joined { row, is_first } => format!("+{}{}", row.client.subject, if is_first { "*" } else { "" }),
        Event::Updated(row) => format!("~{}", row.client.subject),
        Event::Left { client, is_last } => format!("-{}{}", client.subject, if is_last { "*" } else { "" }),
    };
    events.map(word).collect()
}

fn follows(effects: &[Effect<u64>]) -> usize {
    let is_follow = |effect: &&Effect<u64>| {
        matches!(
            effect,
            Effect::Send {
                message: Message::Owner(ToOwner::Follow { .. }),
                ..
            }
        )
    };
    effects.iter().filter(is_follow).count()
}

fn begun(effects: &[Effect<u64>]) -> Vec<(u64, usize)> {
    let begun = effects.iter().filter_map(|effect| match effect {
        Effect::Begin { watcher, view, .. } => Some((
            *watcher,
            match view {
                View::Roster(rows) => rows.len(),
                View::Counted(count) => 1_000 + usize::try_from(count.clients).unwrap(),
            },
        )),
        _ => None,
    });
    begun.collect()
}

#[test]
fn a_channel_is_followed_once_however_many_watch_it() {
    let mut node = Node::new();
    node.route("o", 1);
    assert_eq!(follows(&node.watch(1, Mode::Roster)), 1);
    assert_eq!(follows(&node.watch(2, Mode::Roster)), 0);
    let effects = node.roster("o", (1, 10), vec![at("anna", "a")], Doubts::default());
    assert_eq!(begun(&effects), [(1, 1), (2, 1)]);
    assert_eq!(begun(&node.watch(3, Mode::Roster)), [(3, 1)], "it is known");
    assert_eq!(begun(&node.watch(4, Mode::Count)), [(4, 1_001)]);
    let effects = node.delta(
        "o",
        (1, 10, 11),
        vec![(client("bert"), Some(at("bert", "a")))],
        Doubts::default(),
    );
    assert_eq!(told(&effects), ["+bert*"]);
    let channel = channel("chat:a");
    for watcher in 1..=4 {
        let channel = channel.clone();
        let effects = node.turn(Input::Unwatch { watcher, channel });
        assert_eq!(effects.is_empty(), watcher < 3, "{watcher}: {effects:?}");
    }
    assert_eq!(node.watch.channels(), 0);
}

#[test]
fn a_member_joins_with_its_first_tab_and_leaves_with_its_last() {
    let mut node = Node::watching();
    let mut other = at("anna", "b");
    other.row.client.id = ClientId([9; 16]);
    let tab = other.row.client.clone();
    let effects = node.delta("o", (1, 10, 11), vec![(tab.clone(), Some(other))], Doubts::default());
    assert_eq!(told(&effects), ["+anna"]);
    let effects = node.delta("o", (1, 11, 12), vec![(client("anna"), None)], Doubts::default());
    assert_eq!(told(&effects), ["-anna"]);
    let effects = node.delta("o", (1, 12, 13), vec![(tab, None)], Doubts::default());
    assert_eq!(told(&effects), ["-anna*"]);
}

#[test]
fn a_gap_is_a_reason_to_ask_for_the_whole_and_old_news_are_none() {
    let mut node = Node::watching();
    let bert = || vec![(client("bert"), Some(at("bert", "a")))];
    assert_eq!(node.delta("o", (1, 8, 9), bert(), Doubts::default()), []);
    assert_eq!(follows(&node.delta("o", (1, 11, 12), bert(), Doubts::default())), 1);
    assert_eq!(
        node.delta("o", (1, 12, 13), bert(), Doubts::default()),
        [],
        "the whole is on its way"
    );
    let effects = node.roster("o", (1, 13), vec![at("anna", "a"), at("bert", "a")], Doubts::default());
    assert_eq!(told(&effects), ["+bert*"], "only what has changed");
    // The whole did not come.
    node.delta("o", (1, 14, 15), bert(), Doubts::default());
    let effects = node.pass(RETRY_AFTER);
    assert_eq!(follows(&effects), 1);
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Doubted { is_stale: true, .. }))
    );
}

#[test]
fn another_owner_changes_nothing_that_it_is_not_sure_of() {
    let mut node = Node::watching();
    let effects = node.route("p", 2);
    assert_eq!((follows(&effects), told(&effects).len()), (1, 0));
    // What the owner of before says counts no more.
    assert_eq!(
        node.delta("o", (1, 10, 11), vec![(client("anna"), None)], Doubts::default()),
        []
    );
    // The new one lacks anna, and has carl, who has left.
    let effects = node.roster("p", (2, 1), vec![at("carl", "a"), at("dora", "b")], unsettled(&["a"]));
    assert_eq!(told(&effects), ["+dora*"]);
    assert_eq!(
        told(&node.delta("p", (2, 1, 2), vec![(client("carl"), None)], unsettled(&["a"]))),
        Vec::<String>::new()
    );
    let back = vec![(client("anna"), Some(at("anna", "a")))];
    let effects = node.delta("p", (2, 2, 3), back, unsettled(&[]));
    assert_eq!(told(&effects), Vec::<String>::new(), "nothing has happened");
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Doubted { is_stale: false, .. }))
    );
}

#[test]
fn what_a_new_owner_turns_out_to_lack_has_left_when_all_that_live_are_settled() {
    let mut node = Node::watching();
    node.route("p", 2);
    node.roster("p", (2, 1), vec![at("bert", "b")], unsettled(&["a", "b"]));
    assert_eq!(
        told(&node.delta("p", (2, 1, 2), vec![], unsettled(&["b"]))),
        Vec::<String>::new(),
        "she may be with b"
    );
    assert_eq!(
        told(&node.delta("p", (2, 2, 3), vec![], unsettled(&[]))),
        ["-anna*", "+bert*"]
    );
}

#[test]
fn one_that_is_away_is_not_shown_that_was_not() {
    let mut node = Node::watching();
    let away = |subject| {
        let one = Present {
            is_away: true,
            ..at(subject, "b")
        };
        (client(subject), Some(one))
    };
    let effects = node.delta("o", (1, 10, 11), vec![away("anna"), away("bert")], Doubts::default());
    assert_eq!(told(&effects), ["~anna"]);
}

#[test]
fn a_silent_owner_and_one_without_a_majority_are_not_believed() {
    let mut node = Node::watching();
    let is_stale = |effects: &[Effect<u64>]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Doubted { is_stale, .. } => Some(*is_stale),
            _ => None,
        })
    };
    let heads = |is_sure| {
        let tally =
            crate::presence::heads::tally([(&Scope::Channel(SLOT, channel("chat:a")), stamp(1, 10))].into_iter());
        ToWatch::Heads(Heads { tally, is_sure })
    };
    assert_eq!(is_stale(&node.told("o", heads(false))), Some(true));
    assert_eq!(is_stale(&node.told("o", heads(true))), Some(false));
    let effects = node.pass(SILENCE_MAX);
    assert_eq!((is_stale(&effects), follows(&effects)), (Some(true), 1));
    // Heads that differ are asked for one by one.
    let effects = node.told("o", heads(true));
    let asks = |effect: &Effect<u64>| {
        matches!(
            effect,
            Effect::Send {
                message: Message::Owner(ToOwner::AskHeads { .. }),
                ..
            }
        )
    };
    assert!(effects.iter().any(asks), "{effects:?}");
}

#[test]
fn counts_wait_for_an_owner_that_has_compared() {
    let mut node = Node::new();
    node.route("o", 1);
    node.watch(1, Mode::Count);
    assert_eq!(begun(&node.count(1, 7, true)), [(1, 1_007)]);
    node.count(2, 3, false);
    let counted = node.count(3, 8, true);
    assert!(
        matches!(&counted[..], [Effect::Counted { count, .. }, ..] if count.clients == 8),
        "{counted:?}"
    );
}

#[test]
fn a_roster_that_is_withheld_is_a_count_until_it_is_told_again() {
    let mut node = Node::watching();
    assert_eq!(begun(&node.count(11, 30_000, true)), [(1, 31_000)]);
    assert_eq!(begun(&node.watch(2, Mode::Roster)), [(2, 31_000)]);
    let effects = node.roster("o", (1, 12), vec![at("anna", "a")], Doubts::default());
    assert_eq!(begun(&effects), [(1, 1), (2, 1)]);
}

#[test]
fn of_cursors_the_newest_is_passed_on_each_frame() {
    let mut node = Node::watching();
    let cursor = |subject: &str, gateway: &str, number| ToWatch::Ephemeral {
        channel: channel("chat:a"),
        client: client(subject),
        of: (crate::presence::tests::node(gateway, 1), ConnectionId(1)),
        ephemeral: Ephemeral {
            number,
            state: Bytes::new(),
        },
    };
    let passed = |effects: &[Effect<u64>]| -> Vec<u64> {
        let states = effects.iter().filter_map(|effect| match effect {
            Effect::Passed { states, .. } => Some(states),
            _ => None,
        });
        states.flatten().map(|(_, ephemeral)| ephemeral.number).collect()
    };
    assert_eq!(passed(&node.told("o", cursor("anna", "a", 5))), [5], "it was quiet");
    for number in [4, 6, 8, 7] {
        assert_eq!(passed(&node.told("o", cursor("anna", "a", number))), [0; 0]);
    }
    assert_eq!(passed(&node.pass(Duration::from_millis(33))), [8]);
    node.told("o", cursor("anna", "b", 9));
    node.told("o", cursor("bert", "a", 9));
    assert_eq!(
        passed(&node.pass(Duration::from_secs(1))),
        [0; 0],
        "nobody is shown there"
    );
}

#[test]
fn a_cursor_that_stops_is_told_once_more_and_one_that_moves_is_not() {
    let mut node = Node::watching();
    let rows = ["anna", "bert"].map(|subject| at(subject, "a"));
    node.roster("o", (1, 11), rows.to_vec(), Doubts::default());
    let cursor = |subject: &str, number| ToWatch::Ephemeral {
        channel: channel("chat:a"),
        client: client(subject),
        of: (crate::presence::tests::node("a", 1), ConnectionId(1)),
        ephemeral: Ephemeral {
            number,
            state: Bytes::new(),
        },
    };
    let rested = |effects: &[Effect<u64>]| -> Vec<u64> {
        let states = effects.iter().filter_map(|effect| match effect {
            Effect::Rested { states, .. } => Some(states),
            _ => None,
        });
        states.flatten().map(|(_, ephemeral)| ephemeral.number).collect()
    };
    node.told("o", cursor("anna", 5));
    node.told("o", cursor("bert", 70));
    assert_eq!(rested(&node.pass(Duration::from_millis(33))), [0; 0]);
    node.told("o", cursor("anna", 6));
    assert_eq!(
        rested(&node.pass(Duration::from_millis(66))),
        [0; 0],
        "5 has been followed by 6"
    );
    assert_eq!(rested(&node.pass(Duration::from_millis(34))), [70]);
    assert_eq!(rested(&node.pass(Duration::from_millis(33))), [6]);
    assert_eq!(rested(&node.pass(Duration::from_secs(1))), [0; 0], "once");
    assert!(
        node.told("o", cursor("anna", 6)).is_empty(),
        "what came twice is no news"
    );

    // Of one that is not there any more nothing is told.
    node.told("o", cursor("bert", 71));
    node.roster("o", (1, 12), vec![at("anna", "a")], Doubts::default());
    assert_eq!(rested(&node.pass(Duration::from_secs(1))), [0; 0]);
}

#[test]
fn cursors_of_a_thousand_clients_are_passed_on_and_no_more() {
    let mut node = Node::watching();
    let rows = (0..1_100).map(|n| at(&format!("c{n}"), "a")).collect();
    node.roster("o", (1, 11), rows, Doubts::default());
    node.pass(Duration::from_secs(1));
    let mut passed = 0;
    for n in 0..1_100 {
        let cursor = ToWatch::Ephemeral {
            channel: channel("chat:a"),
            client: client(&format!("c{n}")),
            of: (crate::presence::tests::node("a", 1), ConnectionId(1)),
            ephemeral: Ephemeral {
                number: 1,
                state: Bytes::new(),
            },
        };
        let mut effects = node.told("o", cursor);
        effects.extend(node.pass(Duration::from_millis(1)));
        for effect in effects {
            if let Effect::Passed { states, .. } = effect {
                passed += states.len();
            }
        }
    }
    node.pass(Duration::from_secs(1)).iter().for_each(|effect| {
        if let Effect::Passed { states, .. } = effect {
            passed += states.len();
        }
    });
    assert_eq!(passed, 1_000);
}

#[test]
fn a_gateway_watches_so_many_channels_and_no_more() {
    let mut node = Node::new();
    for n in 0..=CHANNELS_MAX {
        let effects = node.turn(Input::Watch {
            watcher: 1,
            channel: channel(&format!("chat:{n}")),
            slot: SLOT,
            mode: Mode::Count,
        });
        let is_refused = effects.iter().any(|effect| {
            let refusal = Refusal::TooManyWatched;
            matches!(effect, Effect::Refused { refusal: why, .. } if *why == refusal)
        });
        assert_eq!(is_refused, n == CHANNELS_MAX, "{n}");
    }
}
