//! One replica by itself, rule by rule. How several work together is simulated (`sim::cluster`).

use std::collections::BTreeSet;

use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::message::{Part, WHOLE};
use super::*;
use crate::channel::tests::{name, start};
use crate::channel::{self, Proposal, Refusal, Ticket};
use crate::id::{Epoch, Generation, Index, NodeName, Seq};
use crate::slot::{Entry, Origin, Place};
use crate::table::{self, Answer, Change};
use crate::time::WallTime;

const SLOT: SlotId = SlotId(7);

fn node(name: &str) -> NodeId {
    restarted(name, 1)
}

fn restarted(name: &str, generation: u64) -> NodeId {
    NodeId {
        name: NodeName::parse(name).unwrap(),
        generation: Generation(generation),
    }
}

fn set(names: &[&str]) -> BTreeSet<NodeId> {
    names.iter().map(|name| node(name)).collect()
}

/// The replica of node `a`, with a clock.
struct One {
    replica: Replica,
    now: Instant,
    round: u64,
    number: u64,
    wake: Option<Instant>,
}

impl One {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let settings = Arc::new(channel::Config::default());
        let mut random = StdRng::seed_from_u64(1);
        Self {
            replica: Replica::new(node("a"), SLOT, config, settings, &mut random),
            now: start(),
            round: 0,
            number: 0,
            wake: None,
        }
    }

    /// `a` owns the slot, with the rest of `isr` as members that hold what it holds.
    fn owner_with(isr: &[&str]) -> Self {
        let mut one = Self::new();
        one.record(1, 1, "a", isr);
        for member in isr.iter().filter(|member| **member != "a") {
            one.appended(member, 0);
        }
        one
    }

    fn turn(&mut self, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        self.replica.handle(input, self.now, &mut out);
        for effect in &out {
            if let Effect::Wake { at } = effect {
                assert!(*at > self.now, "a wake of the past would go round in circles");
                self.wake = Some(*at);
            }
        }
        out.retain(|effect| !matches!(effect, Effect::Wake { .. }));
        out
    }

    fn record(&mut self, version: u64, term: u64, owner: &str, isr: &[&str]) -> Vec<Effect> {
        self.turn(Input::Table(Record {
            owner: Some(node(owner)),
            term: Term(term),
            isr: set(isr),
            heirs: BTreeSet::new(),
            version,
            resets: 0,
        }))
    }

    fn pass(&mut self, millis: u64) -> Vec<Effect> {
        self.now += Duration::from_millis(millis);
        self.turn(Input::Wake)
    }

    /// Time passes, and nothing wakes the replica but what it asked for.
    fn pass_to_wake(&mut self, time: Duration) -> Vec<Effect> {
        let end = self.now + time;
        let mut effects = Vec::new();
        while let Some(at) = self.wake.take_if(|at| *at <= end) {
            self.now = self.now.max(at);
            effects.extend(self.turn(Input::Wake));
        }
        self.now = end;
        effects
    }

    fn receive(&mut self, from: &NodeId, message: Message) -> Vec<Effect> {
        let from = from.clone();
        self.turn(Input::Received { from, message })
    }

    fn appended(&mut self, from: &str, through: u64) -> Vec<Effect> {
        self.appended_from(&node(from), through)
    }

    fn appended_from(&mut self, from: &NodeId, through: u64) -> Vec<Effect> {
        let term = self.replica.owned_under().unwrap();
        let through = Index(through);
        self.receive(from, Message::Appended { term, through })
    }

    fn want(&mut self, copies: &[&str], owner: &str) -> Vec<Effect> {
        self.turn(Input::Wanted(Wanted {
            copies: copies.iter().map(|name| node(name)).collect(),
            owner: Some(node(owner)),
            lost: false,
        }))
    }

    /// A channel proposes one more change.
    fn propose(&mut self) -> Vec<Effect> {
        if self.round == 0 {
            let open = slot::Input::Open { channel: name("t:a") };
            let effects = self.turn(Input::Slot(open));
            self.round = effects
                .iter()
                .find_map(|effect| match effect {
                    Effect::Slot(slot::Effect::Opened { opening, .. }) => Some(opening.round),
                    _ => None,
                })
                .expect("it is opened");
        }
        let term = self.replica.owned_under().unwrap();
        let proposal = Proposal {
            ticket: Ticket {
                round: self.round,
                number: self.number,
            },
            change: change(self.number, term),
        };
        self.number += 1;
        let channel = name("t:a");
        let proposals = vec![proposal];
        self.turn(Input::Slot(slot::Input::Propose { channel, proposals }))
    }

    fn committed(&self) -> u64 {
        self.replica.slot().committed().0
    }
}

fn change(number: u64, term: Term) -> slot::Change {
    match number {
        0 => slot::Change::Create {
            epoch: Epoch::parse("0-1").unwrap(),
            keyed: false,
        },
        seq => slot::Change::Publish {
            message: Arc::new(channel::Message {
                seq: Seq(seq),
                term,
                time: WallTime(0),
                key: None,
                deleted: false,
                payload: Bytes::from_static(b"hello"),
            }),
            origin: Origin::Anonymous,
            floor: Seq(1),
        },
    }
}

fn entry(index: u64, term: u64) -> Arc<Entry> {
    Arc::new(Entry {
        term: Term(term),
        index: Index(index),
        channel: name("t:a"),
        change: change(index - 1, Term(term)),
    })
}

fn append(term: u64, previous: (u64, u64), entries: Vec<Arc<Entry>>, committed: u64) -> Message {
    Message::Append {
        term: Term(term),
        lineage: LINEAGE,
        previous: Place {
            index: Index(previous.0),
            term: Term(previous.1),
        },
        entries,
        committed: Index(committed),
    }
}

const LINEAGE: Lineage = Lineage {
    resets: 0,
    incarnation: 5,
};

/// The doubt of this number.
const fn doubted(number: u64) -> Ticket {
    Ticket { round: 1, number }
}

/// What is asked of the table.
fn asked(effects: &[Effect]) -> Vec<&Change> {
    let changes = effects.iter().filter_map(|effect| match effect {
        Effect::Ask { change, .. } => Some(change),
        _ => None,
    });
    changes.collect()
}

/// What is sent to a node.
fn sent<'a>(effects: &'a [Effect], to: &str) -> Vec<&'a Message> {
    let messages = effects.iter().filter_map(|effect| match effect {
        Effect::Send { to: whom, message } if *whom == node(to) => Some(message),
        _ => None,
    });
    messages.collect()
}

#[test]
fn an_entry_is_committed_when_every_member_holds_it() {
    let mut one = One::owner_with(&["a", "b", "c"]);
    let effects = one.propose();
    for copy in ["b", "c"] {
        assert!(matches!(sent(&effects, copy)[..], [Message::Append { entries, .. }] if entries.len() == 1));
    }
    one.appended("b", 1);
    assert_eq!(one.committed(), 0, "c lacks it (R1)");
    let effects = one.appended("c", 1);
    assert_eq!(one.committed(), 1);
    let told = effects.iter().find_map(|effect| match effect {
        Effect::Slot(slot::Effect::Committed { copies, .. }) => Some(*copies),
        _ => None,
    });
    assert_eq!(told, Some(3));
}

#[test]
fn what_a_restarted_node_or_a_stranger_says_counts_for_nobody() {
    let mut one = One::owner_with(&["a", "b"]);
    one.propose();
    one.appended_from(&restarted("b", 2), 1);
    one.appended_from(&node("d"), 1);
    assert_eq!(one.committed(), 0, "R3");
    one.appended("b", 9);
    assert_eq!(one.committed(), 0, "nor what cannot be");
    one.appended("b", 1);
    assert_eq!(one.committed(), 1);
}

#[test]
fn a_silent_member_is_removed_in_the_table_first() {
    let mut one = One::owner_with(&["a", "b", "c"]);
    one.propose();
    one.appended("b", 1);
    assert!(asked(&one.pass(299)).is_empty());
    let effects = one.pass(1);
    let without = set(&["c"]);
    assert_eq!(asked(&effects), [&Change::Shrink { without }]);
    assert_eq!(
        one.committed(),
        0,
        "it is required until it is known to be removed (R6b)"
    );
    one.record(2, 1, "a", &["a", "b"]);
    assert_eq!(one.committed(), 1);
}

#[test]
fn a_copy_that_was_removed_for_its_silence_holds_up_nobody_until_it_speaks() {
    // Its links to the owner work in one direction: it is never down, and never answers.
    let mut one = One::owner_with(&["a", "b", "c"]);
    one.want(&["a", "b", "c"], "a");
    one.propose();
    one.appended("b", 1);
    one.pass(300);
    one.record(2, 1, "a", &["a", "b"]);
    assert_eq!(one.committed(), 1);
    one.propose();
    one.appended("b", 2);
    assert_eq!(one.committed(), 2);
    one.appended("c", 1);
    one.propose();
    one.appended("b", 3);
    assert_eq!(one.committed(), 2, "it is waited for again");
}

#[test]
fn an_owner_left_alone_acknowledges_nothing() {
    let mut one = One::owner_with(&["a", "b"]);
    one.propose();
    let effects = one.record(2, 1, "a", &["a"]);
    let standing = effects.iter().find_map(|effect| match effect {
        Effect::Slot(slot::Effect::Standing { standing, .. }) => Some(standing.clone()),
        _ => None,
    });
    assert_eq!(standing, Some(Err(Refusal::InsufficientReplicas)));
    assert_eq!(one.committed(), 0);
}

#[test]
fn a_copy_is_required_first_and_added_afterwards() {
    let mut one = One::owner_with(&["a", "b"]);
    one.propose();
    one.appended("b", 1);
    one.want(&["a", "b", "c"], "a");
    assert!(
        matches!(one.pass(100)[..], [Effect::Send { .. }, ..]),
        "it is asked where it stands"
    );
    let last = Index(0);
    let effects = one.receive(&node("c"), Message::Behind { term: Term(1), last });
    assert!(matches!(sent(&effects, "c")[..], [Message::Append { entries, .. }] if entries.len() == 1));
    one.propose();
    one.appended("b", 2);
    assert_eq!(one.committed(), 1, "c is waited for by now (R5)");
    let effects = one.appended("c", 2);
    let with = set(&["c"]);
    assert_eq!(asked(&effects), [&Change::Grow { with }]);
    assert_eq!(one.committed(), 2);
    // As long as the table has not answered, it may be a member.
    one.propose();
    one.appended("b", 3);
    one.turn(Input::Down(node("c")));
    assert_eq!(one.committed(), 2);
    one.record(2, 1, "a", &["a", "b", "c"]);
    assert_eq!(one.committed(), 2);
    one.record(3, 1, "a", &["a", "b"]);
    assert_eq!(one.committed(), 3);
}

#[test]
fn a_copy_whose_adding_was_refused_is_asked_about_again() {
    let mut one = One::owner_with(&["a", "b"]);
    one.want(&["a", "b", "c"], "a");
    let with = set(&["c"]);
    assert_eq!(asked(&one.appended("c", 0)), [&Change::Grow { with: with.clone() }]);
    let (number, outcome) = (1, Err(table::Refusal::NotRegistered));
    assert!(
        asked(&one.turn(Input::Answered { number, outcome })).is_empty(),
        "not at once"
    );
    assert_eq!(
        asked(&one.pass_to_wake(Duration::from_secs(1))),
        [&Change::Grow { with }]
    );
}

#[test]
fn a_copy_that_is_not_confirmed_does_not_count() {
    let mut one = One::owner_with(&["a"]);
    one.want(&["a", "b"], "a");
    one.appended("b", 0);
    one.propose();
    one.appended("b", 1);
    assert_eq!(one.committed(), 0, "R6");
    one.record(2, 1, "a", &["a", "b"]);
    assert_eq!(one.committed(), 1);
}

#[test]
fn an_owner_of_the_past_is_not_heard_and_told_so() {
    let mut one = One::new();
    one.record(4, 3, "b", &["a", "b"]);
    let fenced = [Effect::Send {
        to: node("c"),
        message: Message::Fenced { term: Term(3) },
    }];
    assert_eq!(
        one.receive(&node("c"), append(2, (0, 0), vec![entry(1, 2)], 0)),
        fenced,
        "R2"
    );
    assert_eq!(
        one.receive(&node("c"), append(3, (0, 0), vec![entry(1, 3)], 0)),
        fenced,
        "b owns term 3"
    );
    assert!(one.replica.slot().is_empty());
    let effects = one.receive(&node("b"), append(3, (0, 0), vec![entry(1, 3)], 1));
    assert!(matches!(
        sent(&effects, "b")[..],
        [Message::Appended { through: Index(1), .. }]
    ));
    assert_eq!(one.committed(), 1);
}

#[test]
fn an_owner_that_hears_of_a_later_term_steps_down() {
    for message in [Message::Fenced { term: Term(2) }, append(2, (0, 0), Vec::new(), 0)] {
        let mut one = One::owner_with(&["a", "b"]);
        one.propose();
        let effects = one.receive(&node("b"), message);
        assert_eq!(one.replica.owned_under(), None);
        let is_closed = |effect: &Effect| matches!(effect, Effect::Slot(slot::Effect::Closed { .. }));
        assert!(effects.iter().any(is_closed), "{effects:?}");
    }
}

#[test]
fn a_record_that_comes_after_a_later_owner_makes_nobody_the_owner() {
    // It was made the owner under term 2, and hears of that only after c has taken the slot over.
    let mut one = One::new();
    one.record(1, 1, "b", &["a", "b", "c"]);
    one.receive(&node("c"), append(3, (0, 0), vec![entry(1, 3)], 0));
    one.record(2, 2, "a", &["a", "b", "c"]);
    assert_eq!(one.replica.owned_under(), None);
    let effects = one.receive(&node("c"), append(3, (1, 3), vec![entry(2, 3)], 0));
    assert!(matches!(
        sent(&effects, "c")[..],
        [Message::Appended { through: Index(2), .. }]
    ));
    // It owned the slot, was told of a later owner, and hears late of its own last change.
    let mut one = One::owner_with(&["a", "b"]);
    one.propose();
    one.receive(&node("b"), Message::Fenced { term: Term(2) });
    one.record(2, 1, "a", &["a", "b", "c"]);
    assert_eq!(
        one.replica.owned_under(),
        None,
        "an index would stand for two entries of term 1"
    );
}

#[test]
fn a_member_claims_in_its_turn_when_the_owner_is_down() {
    let mut one = One::new();
    one.record(4, 3, "c", &["a", "b", "c"]);
    one.receive(&node("c"), append(3, (0, 0), vec![entry(1, 3)], 0));
    assert_eq!(
        asked(&one.turn(Input::Down(node("c")))),
        [&Change::Claim],
        "it is the first of two"
    );
    let effects = one.record(5, 4, "a", &["a", "b"]);
    assert_eq!(one.replica.owned_under(), Some(Term(4)));
    assert!(matches!(sent(&effects, "b")[..], [Message::Append { previous, .. }] if previous.index == Index(1)));
    let open = slot::Input::Open { channel: name("t:a") };
    let opened = |effects: &[Effect]| {
        let is_opened = |effect: &Effect| matches!(effect, Effect::Slot(slot::Effect::Opened { .. }));
        effects.iter().any(is_opened)
    };
    assert!(
        !opened(&one.turn(Input::Slot(open))),
        "what it inherited is not safe (R8)"
    );
    assert!(opened(&one.appended("b", 1)));
}

#[test]
fn who_holds_nothing_that_counts_does_not_claim() {
    let mut one = One::new();
    one.record(4, 3, "c", &["b", "c"]);
    one.want(&["a", "b", "c"], "c");
    assert!(asked(&one.turn(Input::Down(node("c")))).is_empty(), "R4");
    assert!(asked(&one.pass(60_000)).is_empty());
    let lost = Wanted {
        copies: vec![node("a")],
        owner: Some(node("a")),
        lost: true,
    };
    assert_eq!(asked(&one.turn(Input::Wanted(lost))), [&Change::Reset], "R13");
}

#[test]
fn an_heir_serves_what_it_knew_to_be_committed() {
    let mut one = One::new();
    one.record(4, 3, "b", &["a", "b"]);
    one.receive(&node("b"), append(3, (0, 0), vec![entry(1, 3), entry(2, 3)], 1));
    let record = Record {
        owner: Some(node("a")),
        term: Term(4),
        isr: set(&["a"]),
        heirs: set(&["a", "b"]),
        version: 5,
        resets: 0,
    };
    one.turn(Input::Table(record));
    let effects = one.turn(Input::Slot(slot::Input::Open { channel: name("t:a") }));
    let [Effect::Slot(slot::Effect::Opened { opening, .. })] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(
        opening.state.as_ref().unwrap().view().head(),
        Seq(0),
        "not what it alone may hold"
    );
    assert_eq!(opening.tail.len(), 1);
    assert_eq!(opening.standing, Err(Refusal::InsufficientReplicas));
    let doubt = slot::Input::Doubt {
        channel: name("t:a"),
        through: doubted(1),
    };
    assert!(
        asked(&one.turn(Input::Slot(doubt))).is_empty(),
        "the position may be in the rest"
    );
}

#[test]
fn a_slot_is_handed_over_when_the_other_holds_it_all() {
    let mut one = One::owner_with(&["a", "b"]);
    one.propose();
    assert!(asked(&one.want(&["a", "b"], "b")).is_empty(), "b lacks an entry");
    let refused = one.propose();
    let is_refused = |effect: &Effect| matches!(effect, Effect::Slot(slot::Effect::Refused { .. }));
    assert!(refused.iter().any(is_refused), "nothing new is taken: {refused:?}");
    let effects = one.appended("b", 1);
    assert_eq!(asked(&effects), [&Change::HandOver { to: node("b") }]);
    let effects = one.record(2, 2, "b", &["a", "b"]);
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Slot(slot::Effect::Closed { .. })))
    );
}

#[test]
fn a_hand_over_that_takes_too_long_is_given_up() {
    let mut one = One::owner_with(&["a", "b"]);
    one.propose();
    one.want(&["a", "b"], "b");
    one.pass(200);
    one.round = 0;
    let effects = one.propose();
    assert!(
        !sent(&effects, "b").is_empty(),
        "publishes are taken again: {effects:?}"
    );
}

#[test]
fn a_hand_over_ends_and_is_tried_again_though_nothing_happens_meanwhile() {
    let mut one = One::owner_with(&["a", "b"]);
    one.propose();
    one.want(&["a", "b"], "b");
    let effects = one.appended("b", 1);
    assert_eq!(asked(&effects), [&Change::HandOver { to: node("b") }]);
    one.pass_to_wake(Duration::from_millis(200));
    assert!(!sent(&one.propose(), "b").is_empty(), "publishes are taken again");
    one.appended("b", 2);
    let number = 1;
    let outcome = Err(table::Refusal::NotRegistered);
    one.turn(Input::Answered { number, outcome });
    let effects = one.pass_to_wake(Duration::from_millis(5_000));
    assert_eq!(asked(&effects), [&Change::HandOver { to: node("b") }]);
}

#[test]
fn what_the_table_does_not_answer_is_asked_again_under_the_same_number() {
    let mut one = One::new();
    let numbers = |effects: &[Effect]| {
        let numbers = effects.iter().filter_map(|effect| match effect {
            Effect::Ask { number, .. } => Some(*number),
            _ => None,
        });
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(numbers(&one.want(&["a", "b"], "a")), [1], "nobody owns it");
    assert_eq!(numbers(&one.pass(999)), []);
    assert_eq!(numbers(&one.pass(1)), [1]);
    let outcome = Err(table::Refusal::NotRegistered);
    assert_eq!(
        numbers(&one.turn(Input::Answered { number: 1, outcome })),
        [],
        "not at once"
    );
    assert_eq!(numbers(&one.pass(1_000)), [2]);
    let outcome = Ok(Answer::Changed { version: 1 });
    assert_eq!(
        numbers(&one.turn(Input::Answered { number: 1, outcome })),
        [],
        "a late answer"
    );
}

#[test]
fn a_doubt_is_settled_by_every_copy_or_by_the_table() {
    let mut one = One::owner_with(&["a", "b", "c"]);
    let doubt = |through| {
        Input::Slot(slot::Input::Doubt {
            channel: name("t:a"),
            through: doubted(through),
        })
    };
    let confirmed = |effects: &[Effect]| {
        let confirmed = effects.iter().filter_map(|effect| match effect {
            Effect::Slot(slot::Effect::Confirmed { through, .. }) => Some(through.number),
            _ => None,
        });
        confirmed.collect::<Vec<_>>()
    };
    let term = Term(1);
    let effects = one.turn(doubt(1));
    assert!(matches!(sent(&effects, "b")[..], [Message::Probe { number: 1, .. }]));
    assert!(one.turn(doubt(2)).is_empty(), "it waits: the answers may be of before");
    assert_eq!(
        confirmed(&one.receive(&node("b"), Message::Probed { term, number: 1 })),
        []
    );
    let effects = one.receive(&node("c"), Message::Probed { term, number: 1 });
    assert_eq!(confirmed(&effects), [1]);
    assert!(matches!(sent(&effects, "c")[..], [Message::Probe { number: 2, .. }]));
    one.receive(&node("b"), Message::Probed { term, number: 1 });
    one.receive(&node("c"), Message::Probed { term, number: 2 });
    assert_eq!(
        asked(&one.record(2, 1, "a", &["a"])),
        [&Change::Confirm],
        "nobody else can say"
    );
    let outcome = Ok(Answer::Changed { version: 2 });
    assert_eq!(confirmed(&one.turn(Input::Answered { number: 1, outcome })), [2]);
}

#[test]
fn a_copy_that_lacks_too_much_gets_a_snapshot_in_parts() {
    let mut config = Config::default();
    config.slot.tail = slot::TailBounds::default();
    config.part_bytes = 1;
    let mut one = One::with(config);
    one.record(1, 1, "a", &["a", "b"]);
    one.appended("b", 0);
    for index in 1..=3 {
        one.propose();
        one.appended("b", index);
    }
    assert_eq!(one.committed(), 3);
    one.want(&["a", "b", "c"], "a");
    let last = Index(0);
    let term = Term(1);
    let effects = one.receive(&node("c"), Message::Behind { term, last });
    let messages = sent(&effects, "c");
    let part = messages.iter().find_map(|message| match message {
        Message::Snapshot(part) => Some((*part).clone()),
        _ => None,
    });
    let part = part.unwrap_or_else(|| panic!("{effects:?}"));
    assert_eq!((part.at.index, part.number, part.is_last), (Index(3), 0, true));

    let mut copy = One::new();
    copy.record(1, 1, "b", &["b"]);
    let early = Part {
        number: 1,
        ..part.clone()
    };
    let taken = |effects: &[Effect]| match effects {
        [
            Effect::Send {
                message: Message::Taken { next, .. },
                ..
            },
        ] => *next,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        taken(&copy.receive(&node("b"), Message::Snapshot(early))),
        0,
        "the first is missing"
    );
    assert_eq!(taken(&copy.receive(&node("b"), Message::Snapshot(part.clone()))), WHOLE);
    assert_eq!(copy.committed(), 3);
    assert_eq!(
        taken(&copy.receive(&node("b"), Message::Snapshot(part.clone()))),
        WHOLE,
        "sent again"
    );

    let at = part.at;
    let effects = one.receive(&node("c"), Message::Taken { term, at, next: WHOLE });
    let with = set(&["c"]);
    assert_eq!(asked(&effects), [&Change::Grow { with }]);
}

#[test]
fn a_copy_of_a_slot_that_was_given_up_begins_anew() {
    let mut one = One::new();
    one.record(4, 3, "b", &["a", "b"]);
    one.receive(&node("b"), append(3, (0, 0), vec![entry(1, 3), entry(2, 3)], 2));
    assert_eq!(one.committed(), 2);
    let lineage = Lineage {
        resets: 1,
        incarnation: 9,
    };
    let message = Message::Append {
        term: Term(4),
        lineage,
        previous: Place::default(),
        entries: vec![entry(1, 4)],
        committed: Index(0),
    };
    one.receive(&node("c"), message);
    assert_eq!((one.committed(), one.replica.slot().appended()), (0, Index(1)));
    assert_eq!(one.replica.slot().lineage(), lineage);
}
