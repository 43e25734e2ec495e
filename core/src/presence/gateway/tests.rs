//! A gateway, by itself.

use std::time::Duration;

use super::*;
use crate::id::Generation;
use crate::presence::digest::{Place, Set};
use crate::presence::message::ToGateway;
use crate::presence::settings::Settings;
use crate::presence::tests::{channel, client, key, node, start};
use crate::presence::{COMPARE_EVERY, PAGE_ENTRIES_MAX};

const SLOT: SlotId = SlotId(3);
const GRACE: Duration = Duration::from_secs(5);

/// In one of which nobody may return.
fn namespaces() -> Namespaces {
    let settings = Settings {
        grace: Duration::ZERO,
        ..Settings::default()
    };
    Namespaces::from_iter([(Arc::from("now"), settings)])
}

struct Node {
    gateway: Gateway,
    now: Instant,
    wake: Option<Instant>,
}

impl Node {
    fn new(limits: Limits) -> Self {
        Self {
            gateway: Gateway::new(Arc::new(namespaces()), limits, Faults::default()),
            now: start(),
            wake: None,
        }
    }

    /// One whose slot has an owner, which it has compared with.
    fn routed() -> Self {
        let mut node = Self::new(Limits::default());
        node.route(1);
        node.pass(COMPARE_SOON);
        node
    }

    fn turn(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.gateway.handle(input, self.now, &mut effects);
        let wakes = effects.iter().filter_map(|effect| match effect {
            Effect::Wake { at } => Some(*at),
            _ => None,
        });
        self.wake = wakes.last().or(self.wake);
        effects.retain(|effect| !matches!(effect, Effect::Wake { .. }));
        effects
    }

    /// What is said while so much time passes.
    fn pass(&mut self, time: Duration) -> Vec<ToOwner> {
        let end = self.now + time;
        let mut said = Vec::new();
        while let Some(at) = self.wake.take_if(|at| *at <= end) {
            self.now = at;
            said.extend(said_in(self.turn(Input::Wake)));
        }
        self.now = end;
        said
    }

    fn route(&mut self, term: u64) -> Vec<Effect> {
        self.turn(Input::Route {
            slot: SLOT,
            owner: Some((owner(), Term(term))),
        })
    }

    fn enter(&mut self, name: &str, connection: u64, state: &str) -> Vec<Effect> {
        self.turn(Input::Enter {
            connection: ConnectionId(connection),
            client: client("anna"),
            channel: channel(name),
            slot: SLOT,
            state: Bytes::copy_from_slice(state.as_bytes()),
        })
    }

    fn leave(&mut self, name: &str, connection: u64) -> Vec<Effect> {
        self.turn(Input::Leave {
            connection: ConnectionId(connection),
            channel: channel(name),
        })
    }

    fn ended(&mut self, connection: u64, how: End) -> Vec<Effect> {
        self.ended_late(connection, how, Duration::ZERO)
    }

    fn ended_late(&mut self, connection: u64, how: End, late: Duration) -> Vec<Effect> {
        let connection = ConnectionId(connection);
        self.turn(Input::Ended { connection, how, late })
    }

    fn told(&mut self, told: ToGateway) -> Vec<ToOwner> {
        said_in(self.turn(Input::Told { from: owner(), told }))
    }
}

fn owner() -> NodeId {
    node("b", 1)
}

fn said_in(effects: Vec<Effect>) -> Vec<ToOwner> {
    let said = effects.into_iter().filter_map(|effect| match effect {
        Effect::Send {
            to,
            message: Message::Owner(said),
        } => Some((to, said)),
        _ => None,
    });
    said.map(|(to, said)| {
        assert_eq!(to, owner());
        said
    })
    .collect()
}

fn changes(effects: Vec<Effect>) -> Vec<Change> {
    let said = said_in(effects).into_iter();
    said.flat_map(|said| match said {
        ToOwner::Changes { changes, .. } => changes,
        said => panic!("{said:?}"),
    })
    .collect()
}

fn answer(effects: &[Effect]) -> Result<(), Refusal> {
    match effects.first() {
        Some(Effect::Answer(answer)) => *answer,
        other => panic!("{other:?}"),
    }
}

fn put(connection: u64, counter: u64, is_lost: bool, state: &'static str) -> Change {
    Change::Put(Entry {
        key: key("chat:a", "anna", connection),
        counter,
        is_lost,
        state: Bytes::from_static(state.as_bytes()),
    })
}

fn gone(connection: u64, counter: u64, is_left: bool) -> Change {
    let key = key("chat:a", "anna", connection);
    Change::Drop { key, counter, is_left }
}

#[test]
fn each_change_has_the_next_counter_and_is_told_at_once() {
    let mut node = Node::routed();
    assert_eq!(changes(node.enter("chat:a", 1, "x")), [put(1, 1, false, "x")]);
    assert_eq!(changes(node.enter("chat:a", 1, "y")), [put(1, 2, false, "y")]);
    assert_eq!(node.gateway.entries(), 1);
    assert_eq!(changes(node.leave("chat:a", 1)), [gone(1, 3, true)]);
    assert_eq!(node.gateway.entries(), 0);
    assert_eq!(answer(&node.leave("chat:a", 1)), Err(Refusal::NotEntered));
}

#[test]
fn a_goodbye_is_told_at_once_and_a_loss_after_the_grace() {
    let mut node = Node::routed();
    node.enter("chat:a", 1, "x");
    node.enter("chat:a", 2, "x");
    assert_eq!(changes(node.ended(1, End::Left)), [gone(1, 3, true)]);
    assert_eq!(changes(node.ended(2, End::Lost)), [put(2, 4, true, "x")]);
    let early = node.pass(GRACE - Duration::from_millis(1));
    assert!(
        !early.iter().any(|said| matches!(said, ToOwner::Changes { .. })),
        "{early:?}"
    );
    let late = node.pass(Duration::from_millis(1));
    let changes = vec![gone(2, 5, false)];
    assert!(late.contains(&ToOwner::Changes { slot: SLOT, changes }), "{late:?}");
    assert_eq!(node.gateway.entries(), 0);
}

#[test]
fn a_grace_counts_from_when_the_client_was_to_be_missed() {
    let mut node = Node::routed();
    node.enter("chat:a", 1, "x");
    node.enter("chat:a", 2, "x");
    let late = GRACE - Duration::from_millis(100);
    assert_eq!(changes(node.ended_late(1, End::Lost, late)), [put(1, 3, true, "x")]);
    let said = node.pass(Duration::from_millis(100));
    let left = vec![gone(1, 4, false)];
    assert!(
        said.contains(&ToOwner::Changes {
            slot: SLOT,
            changes: left
        }),
        "{said:?}"
    );
    // A node that stood still for longer: the owner has told that they left, and is not told that they may return.
    assert_eq!(changes(node.ended_late(2, End::Lost, GRACE)), [gone(2, 5, false)]);
    assert_eq!(node.gateway.entries(), 0);
}

#[test]
fn what_its_client_closed_has_the_grace_of_a_reload_and_never_more_than_that_of_a_loss() {
    let mut node = Node::routed();
    node.enter("chat:a", 1, "x");
    assert_eq!(changes(node.ended(1, End::Closed)), [put(1, 2, true, "x")]);
    let reload = Settings::default().reload_grace;
    assert!(node.pass(reload - Duration::from_millis(1)).is_empty());
    let late = node.pass(Duration::from_millis(1));
    let left = vec![gone(1, 3, false)];
    assert_eq!(
        late,
        [ToOwner::Changes {
            slot: SLOT,
            changes: left
        }]
    );
    node.enter("now:a", 2, "x");
    let ended = changes(node.ended(2, End::Closed));
    assert!(matches!(&ended[..], [Change::Drop { is_left: false, .. }]), "{ended:?}");
}

#[test]
fn every_limit_is_met_with_its_refusal() {
    let mut node = Node::new(Limits {
        entries_per_connection_max: 2,
        entries_max: 3,
        ephemeral_bytes_max: 4,
    });
    node.route(1);
    let long = "x".repeat(Settings::default().state_bytes_max + 1);
    assert_eq!(answer(&node.enter("chat:a", 1, &long)), Err(Refusal::StateTooLarge));
    assert_eq!(answer(&node.enter("chat:a", 1, &long[1..])), Ok(()));
    assert_eq!(answer(&node.enter("chat:b", 1, "")), Ok(()));
    assert_eq!(answer(&node.enter("chat:c", 1, "")), Err(Refusal::TooManyEntries));
    assert_eq!(answer(&node.enter("chat:a", 2, "")), Ok(()));
    assert_eq!(answer(&node.enter("chat:a", 3, "")), Err(Refusal::Overloaded));
    // One that was lost may return, and has its place until then.
    node.ended(2, End::Lost);
    assert_eq!(answer(&node.enter("chat:a", 3, "")), Err(Refusal::Overloaded));
    node.pass(GRACE);
    assert_eq!(answer(&node.enter("chat:a", 3, "")), Ok(()));
    let mut ephemeral = |name: &str, state: &'static str| {
        node.turn(Input::Ephemeral {
            connection: ConnectionId(1),
            channel: channel(name),
            ephemeral: Ephemeral {
                number: 1,
                state: Bytes::from_static(state.as_bytes()),
            },
        })
    };
    assert_eq!(said_in(ephemeral("chat:a", "1234")).len(), 1);
    assert_eq!(ephemeral("chat:a", "12345"), []);
    assert_eq!(ephemeral("chat:c", "1"), []);
}

#[test]
fn a_digest_goes_to_a_new_owner_and_every_five_seconds() {
    let mut node = Node::new(Limits::default());
    assert_eq!(changes(node.enter("chat:a", 1, "x")), [], "nobody owns the slot");
    node.route(1);
    let is_digest = |said: &ToOwner| matches!(said, ToOwner::Digest { tally, .. } if tally.count == 1);
    let said = node.pass(COMPARE_SOON);
    assert!(said.len() == 1 && is_digest(&said[0]), "{said:?}");
    assert_eq!(node.pass(COMPARE_EVERY).len(), 1);
    assert_eq!(node.pass(COMPARE_EVERY * 3).len(), 3);
    // The same node under another term has lost sight of it meanwhile.
    node.route(2);
    assert_eq!(node.pass(COMPARE_SOON).len(), 1);
    node.turn(Input::Reset(owner()));
    assert_eq!(node.pass(COMPARE_SOON).len(), 1);
    node.turn(Input::Unsent(owner()));
    assert_eq!(node.pass(RETRY_AFTER).len(), 1);
    node.turn(Input::Reset(NodeId {
        generation: Generation(9),
        ..owner()
    }));
    assert_eq!(node.pass(COMPARE_SOON).len(), 0, "it owns nothing");
}

#[test]
fn a_listing_is_paged_and_followed_by_a_comparison() {
    let mut node = Node::routed();
    let entries = 2 * PAGE_ENTRIES_MAX + 500;
    for connection in 0..entries {
        node.enter("chat:a", connection as u64, "x");
    }
    let said = node.told(ToGateway::Differ(Set(0b11)));
    assert!(matches!(&said[..], [ToOwner::Cells { groups, .. }] if groups.len() == 2));
    let mut listed = 0;
    let mut next = Place(0);
    for said in node.told(ToGateway::List(vec![Place(0)..=Place(u64::MAX)])) {
        let ToOwner::Listing { range, entries, .. } = said else {
            panic!("{said:?}");
        };
        assert_eq!(*range.start(), next);
        assert!(entries.len() <= PAGE_ENTRIES_MAX);
        assert!(entries.iter().all(|(_, entry)| range.contains(&entry.key.place())));
        listed += entries.len();
        // A page goes up to its last entry; what comes next begins where the next entry lies.
        next = entries_after(&node, *range.end());
    }
    assert_eq!(listed, entries);
    assert_eq!(node.pass(COMPARE_SOON).len(), 1);
}

/// Where the first entry after a place lies.
fn entries_after(node: &Node, place: Place) -> Place {
    let rest = Place(place.0.saturating_add(1))..=Place(u64::MAX);
    let first = node.gateway.slots[&SLOT].entries.range(&rest).next();
    first.map_or(Place(u64::MAX), |(place, ..)| place)
}
