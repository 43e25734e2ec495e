//! Replicas and watchers: the whole, then the chain.

use super::*;
use crate::presence::PAGE_ENTRIES_MAX;
use crate::presence::message::{Kind, Stamp};

/// An owner and its replica, with an ordered way between them.
struct Pair {
    owner: Node,
    replica: Node,
    /// Whether anything gets through.
    is_cut: bool,
}

impl Pair {
    fn new() -> Self {
        let mut pair = Self {
            owner: Node::owner(),
            replica: Node::new("r"),
            is_cut: false,
        };
        let owner = Some((pair.owner.id.clone(), Term(1)));
        let role = Role::Replica { owner };
        let sent = pair.replica.turn(Input::Role { slot: SLOT, role });
        pair.carry(sent);
        pair
    }

    /// Carries what was sent, and what is said to that.
    fn carry(&mut self, sent: Vec<(NodeId, Message)>) {
        let mut sent: VecDeque<_> = sent.into();
        while let Some((to, message)) = sent.pop_front() {
            if self.is_cut {
                continue;
            }
            match message {
                Message::Replica(told) if to == self.replica.id => {
                    let from = self.owner.id.clone();
                    sent.extend(self.replica.turn(Input::Told { from, told }));
                }
                Message::Owner(asked) if to == self.owner.id => {
                    let from = self.replica.id.clone();
                    sent.extend(self.owner.turn(Input::Asked { from, asked }));
                }
                _ => {}
            }
        }
    }

    fn change(&mut self, change: Change) {
        let sent = self.owner.change("a", change);
        self.carry(sent);
    }

    fn pass(&mut self, time: Duration) {
        let step = Duration::from_millis(100);
        for _ in 0..time.as_millis() / step.as_millis() {
            let sent = self.owner.pass(step);
            self.carry(sent);
            let sent = self.replica.pass(step);
            self.carry(sent);
        }
    }
}

#[test]
fn a_replica_has_the_whole_and_then_every_step() {
    let mut pair = Pair::new();
    pair.change(put("anna", 1, 1));
    pair.change(put("bert", 2, 2));
    pair.change(gone("anna", 1, 3));
    assert_eq!(pair.replica.held(), [("a@1".into(), 2)]);
    // What was removed stays so at the replica, should it become the owner.
    pair.replica.own(2);
    pair.replica.change("a", put("anna", 1, 1));
    assert_eq!(pair.replica.held(), [("a@1".into(), 2)]);
}

#[test]
fn what_a_replica_saw_happen_is_no_news_when_it_is_the_owner() {
    let mut pair = Pair::new();
    pair.change(put("anna", 1, 1));
    pair.replica.own(2);
    // Those who turn to it are sent anna with the whole, and may have been shown since that she left.
    pair.replica.follow("w", Mode::Roster);
    let mut sent = pair.replica.change("b", put("bert", 2, 1));
    sent.extend(pair.replica.pass(QUIET));
    assert_eq!(told(&sent), [at("bert", "b")]);
}

#[test]
fn a_replica_lets_those_return_whom_its_owner_does_though_another_node_is_dead_to_one_of_them() {
    let mut pair = Pair::new();
    for name in ["a", "b"] {
        pair.replica.stands(name, 1, Standing::Up);
    }
    pair.change(put("anna", 1, 1));
    let sent = pair.owner.change("b", put("anna", 2, 1));
    pair.carry(sent);
    // The owner hears nothing of a, which has lost her before b did; the replica does.
    pair.owner.stands("a", 1, Standing::Down);
    let sent = pair.owner.change("b", lost("anna", 2, 2));
    pair.carry(sent);
    pair.owner.stands("a", 1, Standing::Up);
    pair.change(lost("anna", 1, 2));
    pair.replica.own(2);
    pair.replica.digest("a", &[entry("anna", 1, 2)]);
    pair.replica.follow("w", Mode::Roster);
    pair.replica.pass(QUIET);
    let mut sent = pair.replica.change("a", missed("anna", 1, 3));
    sent.extend(pair.replica.pass(QUIET));
    assert_eq!(told(&sent), [], "she may return");
    assert_eq!(told(&pair.replica.change("b", missed("anna", 2, 3))), [left("anna")]);
}

#[test]
fn who_has_left_by_the_last_connection_is_with_no_earlier_one_at_the_replica_either() {
    let mut pair = Pair::new();
    pair.change(put("anna", 1, 1));
    pair.change(lost("anna", 1, 2));
    pair.change(put("anna", 2, 3));
    pair.change(gone("anna", 2, 4));
    pair.replica.own(2);
    let sent = pair.replica.follow("w", Mode::Roster);
    let rows = sent.iter().find_map(|(_, message)| match message {
        Message::Watch(ToWatch::Roster { rows, .. }) => Some(rows.len()),
        _ => None,
    });
    assert_eq!((rows, pair.replica.held().len()), (Some(0), 1));
}

#[test]
fn a_replica_that_missed_a_step_asks_for_the_whole() {
    let mut pair = Pair::new();
    pair.is_cut = true;
    pair.change(put("anna", 1, 1));
    pair.is_cut = false;
    assert_eq!(pair.replica.held(), []);
    pair.change(put("bert", 2, 2));
    assert_eq!(pair.replica.held().len(), 2);
}

#[test]
fn that_the_last_step_was_missed_is_found_by_comparing_heads() {
    let mut pair = Pair::new();
    pair.is_cut = true;
    pair.change(put("anna", 1, 1));
    pair.is_cut = false;
    pair.pass(COMPARE_EVERY);
    assert_eq!(pair.replica.held().len(), 1);
}

#[test]
fn a_replica_asks_a_silent_owner_again() {
    let mut pair = Pair::new();
    pair.is_cut = true;
    pair.owner.unfollow_r();
    pair.change(put("anna", 1, 1));
    pair.is_cut = false;
    pair.pass(SILENCE_MAX + Duration::from_secs(1));
    assert_eq!(pair.replica.held().len(), 1);
}

impl Node {
    /// The owner forgets its replica.
    fn unfollow_r(&mut self) {
        self.asked("r", ToOwner::Unfollow(Scope::Slot(SLOT)));
    }
}

#[test]
fn the_dead_are_purged_at_the_replica_with_the_owner() {
    let mut pair = Pair::new();
    pair.change(put("anna", 1, 1));
    pair.replica.stands("a", 1, Standing::Down);
    pair.replica.pass(GRACE * 2);
    assert_eq!(pair.replica.held().len(), 1, "a replica decides nothing");
    let sent = pair.owner.stands("a", 1, Standing::Down);
    pair.carry(sent);
    pair.pass(GRACE);
    assert_eq!(pair.replica.held(), []);
}

#[test]
fn a_copy_and_a_delta_of_many_come_in_parts() {
    let many = 2 * PAGE_ENTRIES_MAX as u64 + 1;
    let mut pair = Pair::new();
    pair.owner.change("a", put("first", 0, 1));
    let changes = (1..many).map(|n| put(&format!("c{n}"), n, n + 1)).collect();
    pair.owner.asked("a", ToOwner::Changes { slot: SLOT, changes });
    let sent = pair.owner.pass(QUIET);
    let deltas: Vec<_> = sent
        .iter()
        .filter_map(|(_, message)| match message {
            Message::Watch(ToWatch::Delta(delta)) => Some((delta.after, delta.stamp.version, delta.changes.len())),
            _ => None,
        })
        .collect();
    assert_eq!(deltas.len(), 2);
    assert!(deltas.iter().all(|(_, _, changes)| *changes <= PAGE_ENTRIES_MAX));
    assert_eq!(deltas[0].1, deltas[1].0, "they are a chain");
    let sent = pair.owner.follow("v", Mode::Roster);
    let parts = sent.iter().filter(|(to, _)| to.name.as_str() == "v").count();
    assert_eq!(parts, 3);
    let sent = pair.replica.turn(Input::Reset(pair.owner.id.clone()));
    pair.carry(sent);
    assert_eq!(pair.replica.held().len() as u64, many);
}

#[test]
fn a_channel_that_is_too_large_is_counted_until_a_tenth_is_gone() {
    let mut owner = Node::owner();
    let scope = Scope::Channel(SLOT, channel("hall:x"));
    let mode = Mode::Roster;
    owner.asked("w", ToOwner::Follow { scope, mode });
    let hall = |n: u64, counter| {
        Change::Put(Entry {
            key: key("hall:x", &format!("c{n}"), n),
            ..entry("", n, counter)
        })
    };
    for n in 0..21 {
        owner.change("a", hall(n, n + 1));
    }
    let counted = |sent: &[(NodeId, Message)]| {
        sent.iter().rev().find_map(|(_, message)| match message {
            Message::Watch(ToWatch::Count { count, .. }) => Some(count.clients),
            _ => None,
        })
    };
    assert_eq!(counted(&owner.pass(QUIET)), Some(21));
    let leave = |n: u64, counter| Change::Drop {
        is_left: true,
        key: key("hall:x", &format!("c{n}"), n),
        counter,
    };
    owner.change("a", leave(0, 30));
    owner.change("a", leave(1, 31));
    assert_eq!(
        counted(&owner.pass(QUIET)),
        Some(19),
        "not yet a tenth less than are too many"
    );
    let sent = owner.change("a", leave(2, 32));
    let whole = sent.iter().find_map(|(_, message)| match message {
        Message::Watch(ToWatch::Roster { rows, is_last, .. }) => Some((rows.len(), *is_last)),
        _ => None,
    });
    assert_eq!(whole, Some((18, true)), "{sent:?}");
}

#[test]
fn ephemeral_state_goes_to_watchers_and_stays_nowhere() {
    let mut owner = Node::owner();
    owner.follow("v", Mode::Count);
    owner.change("a", put("anna", 1, 1));
    let ephemeral = |connection| ToOwner::Ephemeral {
        slot: SLOT,
        key: key("chat:a", "anna", connection),
        ephemeral: crate::presence::message::Ephemeral {
            number: 1,
            state: Bytes::new(),
        },
    };
    let sent = owner.asked("a", ephemeral(1));
    let to: Vec<_> = sent.iter().map(|(to, _)| to.name.as_str()).collect();
    assert_eq!(to, ["w"]);
    assert_eq!(owner.asked("a", ephemeral(2)), [], "nobody is there by that connection");
}

#[test]
fn a_list_of_heads_names_what_a_node_follows() {
    let mut owner = Node::owner();
    let all = crate::presence::digest::Set(u64::MAX);
    let of = Kind::Channels;
    let sent = owner.asked("w", ToOwner::AskHeads { of, groups: all });
    let heads: Vec<_> = sent
        .into_iter()
        .filter_map(|(_, message)| match message {
            Message::Watch(ToWatch::HeadList(list)) => Some(list.heads),
            _ => None,
        })
        .flatten()
        .collect();
    let stamp = Stamp {
        term: Term(1),
        version: heads[0].1.version,
    };
    assert_eq!(heads, [(Scope::Channel(SLOT, channel("chat:a")), stamp)]);
}

#[test]
fn present_says_whether_anybody_may_be_behind_it() {
    let mut owner = Node::owner();
    owner.change("a", put("anna", 1, 1));
    owner.change("a", lost("anna", 1, 2));
    let sent = owner.follow("v", Mode::Roster);
    let rows = sent.into_iter().find_map(|(to, message)| match message {
        Message::Watch(ToWatch::Roster { rows, .. }) if to.name.as_str() == "v" => Some(rows),
        _ => None,
    });
    assert!(matches!(&rows.unwrap()[..], [Present { is_away: true, .. }]));
    // Replicas are no watchers, and watchers no replicas.
    assert!(owner.roster.slots[&SLOT].owning().unwrap().replicas.is_empty());
    assert!(!matches!(
        owner.pass(COMPARE_EVERY)[..],
        [(_, Message::Replica(ToReplica::Heads(_)))]
    ));
}
