//! Good histories that are altered must not pass: a checker that cannot fail checks nothing.

use std::sync::Arc;

use super::super::fact::{Fact, Seen};
use super::super::scene::History;
use super::super::setup::Setup;
use super::super::world;
use super::super::{Options, Scenario};
use super::{Checker, Rule};
use crate::fault::Faults;

/// A run in which nothing is broken, with all that happened.
fn recorded(seed: u64) -> (Arc<Setup>, History) {
    let options = Options {
        seed,
        scenario: Some(Scenario::Steady),
        faults: Faults::default(),
        trace: false,
    };
    world::record(Scenario::Steady, &options)
}

/// The rule that `history` breaks.
fn judged(setup: &Arc<Setup>, history: &History) -> Option<Rule> {
    let mut checker = Checker::new(Arc::clone(setup));
    let broken = history.iter().find_map(|(now, fact)| checker.observe(fact, *now).err());
    broken.map(|violation| violation.rule)
}

/// Where readers were given messages, somewhat into the run.
fn messages(history: &History) -> Vec<usize> {
    let is_message = |fact: &Fact| {
        matches!(
            fact,
            Fact::Seen {
                seen: Seen::Message { .. },
                ..
            }
        )
    };
    let found = history.iter().enumerate().filter(|(_, (_, fact))| is_message(fact));
    found.map(|(at, _)| at).collect()
}

fn of_reader(history: &History, at: usize) -> String {
    match &history[at].1 {
        Fact::Seen { reader, .. } => format!("{reader:?}"),
        other => panic!("not seen by a reader: {other:?}"),
    }
}

/// Two messages in a row of one reader.
fn neighbours(history: &History) -> (usize, usize) {
    let all = messages(history);
    let pairs = all
        .iter()
        .flat_map(|first| all.iter().map(move |second| (*first, *second)));
    let mut of_one =
        pairs.filter(|(first, second)| first < second && of_reader(history, *first) == of_reader(history, *second));
    of_one.next().expect("a reader saw two messages")
}

#[test]
fn a_good_history_passes_again() {
    for seed in 0..5 {
        let (setup, history) = recorded(seed);
        assert_eq!(judged(&setup, &history), None, "seed {seed}");
    }
}

#[test]
fn a_message_that_a_reader_missed_is_found() {
    let (setup, mut history) = recorded(1);
    let (first, _) = neighbours(&history);
    history.remove(first);
    assert_eq!(judged(&setup, &history), Some(Rule::ReaderOrder));
}

#[test]
fn a_message_that_a_reader_saw_twice_is_found() {
    let (setup, mut history) = recorded(2);
    let (first, _) = neighbours(&history);
    let again = history[first].clone();
    history.insert(first + 1, again);
    assert_eq!(judged(&setup, &history), Some(Rule::ReaderOrder));
}

#[test]
fn messages_that_changed_places_are_found() {
    let (setup, mut history) = recorded(3);
    let (first, second) = neighbours(&history);
    let (one, other) = (history[first].1.clone(), history[second].1.clone());
    history[first].1 = other;
    history[second].1 = one;
    let broken = judged(&setup, &history);
    assert!(
        matches!(broken, Some(Rule::ReaderOrder | Rule::OutputGate | Rule::Phantom)),
        "{broken:?}"
    );
}

#[test]
fn a_message_that_nobody_committed_is_found() {
    let (setup, mut history) = recorded(4);
    let committed = history
        .iter()
        .position(|(_, fact)| matches!(fact, Fact::FannedOut { .. }));
    let fanned_out = committed.expect("messages were fanned out");
    let Fact::FannedOut {
        channel,
        epoch,
        message,
    } = history[fanned_out].1.clone()
    else {
        unreachable!("found as such");
    };
    let mut phantom = (*message).clone();
    phantom.payload = bytes::Bytes::from_static(b"phantom");
    history[fanned_out].1 = Fact::FannedOut {
        channel,
        epoch,
        message: Arc::new(phantom),
    };
    assert!(judged(&setup, &history).is_some());
}

#[test]
fn an_acknowledged_publish_that_the_log_lost_is_found() {
    let (setup, mut history) = recorded(5);
    let acked = history.iter().position(|(_, fact)| matches!(fact, Fact::Committed(entry) if matches!(entry.change, crate::slot::Change::Publish { .. })));
    history.remove(acked.expect("publishes were committed"));
    assert!(judged(&setup, &history).is_some());
}
