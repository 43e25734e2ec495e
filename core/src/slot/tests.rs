//! The slot by itself; how it works with a channel is tested there.

mod copy;
mod quarantine;
mod snapshot;
mod stored;
mod timers;

use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::StdRng;

use std::time::Duration;

use super::due::LOOKS_MAX;
use super::*;
use crate::channel::tests::{name, start};
use crate::channel::{Message, Ticket};
use crate::id::{Epoch, Seq};
use crate::time::WallTime;

const TERM: Term = Term(3);

fn slot(config: Config) -> Slot {
    let settings = Arc::new(channel::Config::default());
    let mut random = StdRng::seed_from_u64(1);
    Slot::new(config, settings, CommitPoint::Standalone, TERM, 0, &mut random)
}

/// A slot that another node owns.
fn empty_copy() -> Slot {
    let settings = Arc::new(channel::Config::default());
    Slot::copy(tail(100, u64::MAX), settings, &mut StdRng::seed_from_u64(2))
}

fn tail(entries: usize, bytes: u64) -> Config {
    Config {
        tail: TailBounds { entries, bytes },
        ..Config::default()
    }
}

fn turn(slot: &mut Slot, input: Input) -> Vec<Effect> {
    turn_at(slot, input, start())
}

/// All effects but the timers.
fn turn_at(slot: &mut Slot, input: Input, now: Instant) -> Vec<Effect> {
    let mut out = Vec::new();
    slot.handle(input, now, &mut out);
    out.retain(|effect| !matches!(effect, Effect::Wake { .. }));
    out
}

fn open(slot: &mut Slot, channel: &str) -> Opening {
    let channel = name(channel);
    match turn(slot, Input::Open { channel }).pop() {
        Some(Effect::Opened { opening, .. }) => *opening,
        other => panic!("{other:?}"),
    }
}

fn ticket(round: u64, number: u64) -> Ticket {
    Ticket { round, number }
}

fn propose(channel: &str, round: u64, changes: Vec<Change>) -> Input {
    let proposals = changes.into_iter().zip(0..).map(|(change, number)| Proposal {
        ticket: ticket(round, number),
        change,
    });
    Input::Propose {
        channel: name(channel),
        proposals: proposals.collect(),
    }
}

fn create() -> Change {
    Change::Create {
        epoch: Epoch::parse("0-1").unwrap(),
        keyed: false,
    }
}

fn publish(seq: u64) -> Change {
    publish_under(TERM, seq)
}

fn publish_under(term: Term, seq: u64) -> Change {
    let message = Message {
        seq: Seq(seq),
        term,
        time: WallTime(0),
        key: None,
        deleted: false,
        payload: Bytes::from_static(b"hello"),
    };
    Change::Publish {
        message: Arc::new(message),
        origin: Origin::Anonymous,
        floor: Seq(1),
    }
}

/// Opens a channel and publishes `messages` to it.
fn filled(slot: &mut Slot, channel: &str, messages: u64) {
    let round = open(slot, channel).round;
    let changes = std::iter::once(create()).chain((1..=messages).map(publish)).collect();
    let effects = turn(slot, propose(channel, round, changes));
    assert!(matches!(effects.as_slice(), [Effect::Committed { .. }]), "{effects:?}");
}

#[test]
fn a_batch_is_committed_together_and_numbered_without_gaps() {
    let mut slot = slot(tail(100, u64::MAX));
    let a = open(&mut slot, "t:a").round;
    let b = open(&mut slot, "t:b").round;
    let changes = vec![create(), publish(1), publish(2)];
    let effects = turn(&mut slot, propose("t:a", a, changes));
    let committed = Effect::Committed {
        channel: name("t:a"),
        through: ticket(a, 2),
        copies: 1,
    };
    assert_eq!(effects, [committed]);
    turn(&mut slot, propose("t:b", b, vec![create()]));
    assert_eq!(slot.committed(), Index(4));
    let entries: Vec<_> = slot.entries_after(Index(0)).unwrap().collect();
    let indexes: Vec<_> = entries.iter().map(|entry| entry.index.0).collect();
    assert_eq!(indexes, [1, 2, 3, 4]);
    assert!(entries.iter().all(|entry| entry.term == TERM));
    assert_eq!(entries[3].channel, name("t:b"));
    assert_eq!(slot.channel(&name("t:a")).unwrap().view().head(), Seq(2));
    assert_eq!(slot.channels().count(), 2);
}

#[test]
fn a_channel_is_opened_with_what_is_committed() {
    let mut slot = slot(Config::default());
    let first = open(&mut slot, "t:a");
    assert_eq!((&first.state, &first.tail, first.term), (&None, &Vec::new(), TERM));
    turn(&mut slot, propose("t:a", first.round, vec![create(), publish(1)]));
    let second = open(&mut slot, "t:a");
    assert_eq!(second.state.as_ref(), slot.channel(&name("t:a")));
    assert!(second.round > first.round);
    assert_ne!(second.seed, first.seed);
    assert_eq!(second.lineage, first.lineage);
}

#[test]
fn two_logs_have_two_incarnations() {
    let settings = Arc::new(channel::Config::default());
    let mut random = StdRng::seed_from_u64(1);
    let mut lineage = |resets| {
        let settings = Arc::<channel::Config>::clone(&settings);
        let commit = CommitPoint::Standalone;
        let mut slot = Slot::new(Config::default(), settings, commit, TERM, resets, &mut random);
        open(&mut slot, "t:a").lineage
    };
    let (one, other) = (lineage(0), lineage(5));
    assert_ne!(one.incarnation, other.incarnation);
    assert_eq!((one.resets, other.resets), (0, 5));
}

#[test]
fn only_the_latest_round_is_heard() {
    let mut slot = slot(Config::default());
    let first = open(&mut slot, "t:a").round;
    let second = open(&mut slot, "t:a").round;
    let dropped = |channel: &str| Effect::Dropped { channel: name(channel) };
    assert_eq!(turn(&mut slot, propose("t:a", first, vec![create()])), [dropped("t:a")]);
    assert_eq!(slot.committed(), Index(0));
    assert_eq!(
        turn(&mut slot, propose("t:b", second, vec![create()])),
        [dropped("t:b")],
        "nor another's"
    );
    assert_eq!(turn(&mut slot, propose("t:a", second, vec![create()])).len(), 1);
}

#[test]
fn a_refusal_tells_what_was_taken_before_it() {
    let mut slot = slot(Config::default());
    let round = open(&mut slot, "t:a").round;
    let changes = vec![create(), publish(1), publish_under(Term(2), 2), publish(3)];
    let effects = turn(&mut slot, propose("t:a", round, changes));
    let [
        Effect::Committed { through, .. },
        Effect::Refused { reason, opening, .. },
    ] = effects.as_slice()
    else {
        panic!("{effects:?}");
    };
    assert_eq!(*through, ticket(round, 1));
    assert_eq!(*reason, Refusal::Unavailable, "another owner's message is fenced");
    assert_eq!(opening.state.as_ref(), slot.channel(&name("t:a")));
    let late = turn(&mut slot, propose("t:a", round, vec![publish(2)]));
    let channel = name("t:a");
    assert_eq!(
        late,
        [Effect::Dropped { channel }],
        "what was built on the refused one is not heard"
    );
}

#[test]
fn channels_are_bounded() {
    let mut slot = slot(Config {
        channels_max: 2,
        ..Config::default()
    });
    filled(&mut slot, "t:a", 1);
    filled(&mut slot, "t:b", 1);
    let round = open(&mut slot, "t:c").round;
    let full = turn(&mut slot, propose("t:c", round, vec![create(), publish(1)]));
    assert!(
        matches!(
            full.as_slice(),
            [Effect::Refused {
                reason: Refusal::SlotFull,
                ..
            }]
        ),
        "{full:?}"
    );
    let round = open(&mut slot, "t:a").round;
    turn(&mut slot, propose("t:a", round, vec![publish(2), Change::ForgetHead]));
    filled(&mut slot, "t:c", 1);
}

#[test]
fn a_parked_channel_counts_and_past_the_bound_it_is_forgotten() {
    let settings = channel::Config {
        durability: Durability::Ephemeral,
        ..channel::Config::default()
    };
    let config = Config {
        channels_max: 1,
        ..Config::default()
    };
    let mut random = StdRng::seed_from_u64(1);
    let commit = CommitPoint::Standalone;
    let mut slot = Slot::new(config, Arc::new(settings), commit, TERM, 0, &mut random);
    let epoch = Epoch::parse("0-1").unwrap();
    for channel in ["t:a", "t:b"] {
        let round = open(&mut slot, channel).round;
        let retired = Retired {
            round,
            used: Some(start()),
            state: Some(Box::new(State::create(&epoch, false, start()))),
        };
        let channel = name(channel);
        assert_eq!(turn(&mut slot, Input::Park { channel, retired }), []);
    }
    assert!(open(&mut slot, "t:a").state.is_some());
    assert!(open(&mut slot, "t:a").state.is_none(), "it is the channel's now");
    assert!(open(&mut slot, "t:b").state.is_none());
}
