//! A slot of which other nodes hold copies.

use super::*;
use crate::slot::log::Mismatch;

/// An entry at `index` that was appended under `term`.
fn entry(index: u64, term: u64) -> Arc<Entry> {
    let change = match index {
        1 => create(),
        _ => publish_under(Term(term), index - 1),
    };
    Arc::new(Entry {
        term: Term(term),
        index: Index(index),
        channel: name("t:a"),
        change,
    })
}

fn place(index: u64, term: u64) -> Place {
    Place {
        index: Index(index),
        term: Term(term),
    }
}

/// The terms of what a copy holds.
fn held(slot: &Slot) -> Vec<u64> {
    slot.entries_after(Index(0))
        .unwrap()
        .map(|entry| entry.term.0)
        .collect()
}

fn reached(through: u64, copies: u8) -> Reached {
    Reached {
        through: Index(through),
        copies,
    }
}

#[test]
fn a_copy_takes_what_follows_and_applies_what_is_committed() {
    let mut copy = empty_copy();
    assert_eq!(copy.accept(Place::default(), &[entry(1, 1), entry(2, 1)]), Ok(Index(2)));
    assert!(copy.channel(&name("t:a")).is_none(), "nothing is committed");
    copy.learn(Index(1), start());
    assert_eq!(copy.committed(), Index(1));
    // Sent again, in part: nothing changes.
    assert_eq!(copy.accept(Place::default(), &[entry(1, 1), entry(2, 1)]), Ok(Index(2)));
    assert_eq!(copy.accept(place(1, 1), &[]), Ok(Index(1)), "no more was asked about");
    assert_eq!(held(&copy), [1, 1]);
    copy.learn(Index(9), start());
    assert_eq!(copy.committed(), Index(2), "no further than what is held");
    assert_eq!(copy.channel(&name("t:a")).unwrap().view().head(), Seq(1));
}

#[test]
fn entries_after_a_gap_are_not_taken() {
    let mut copy = empty_copy();
    let missing = |last| Err(Mismatch { last: Index(last) });
    assert_eq!(copy.accept(place(1, 1), &[entry(2, 1)]), missing(0));
    copy.accept(Place::default(), &[entry(1, 1)]).unwrap();
    assert_eq!(copy.accept(place(1, 1), &[entry(3, 1)]), missing(1), "a hole inside");
    assert_eq!(held(&copy), [1]);
}

#[test]
fn another_owners_tail_is_replaced_unless_it_is_committed() {
    let mut copy = empty_copy();
    copy.accept(Place::default(), &[entry(1, 1), entry(2, 1), entry(3, 1), entry(4, 1)])
        .unwrap();
    copy.learn(Index(2), start());
    // The owner of term 2 inherited no more than three, and appended its own.
    assert_eq!(copy.accept(place(4, 2), &[]), Err(Mismatch { last: Index(2) }));
    assert_eq!(held(&copy), [1, 1, 1], "what it asked about is not the owner's");
    assert_eq!(copy.accept(place(2, 1), &[entry(3, 2), entry(4, 2)]), Ok(Index(4)));
    assert_eq!(held(&copy), [1, 1, 2, 2]);
    // What is committed is in every owner's log, so it is not looked at again.
    assert_eq!(copy.accept(place(1, 1), &[entry(2, 1), entry(3, 2)]), Ok(Index(3)));
    assert_eq!(held(&copy), [1, 1, 2, 2]);
}

#[test]
fn a_new_owner_keeps_what_it_inherited_and_opens_nothing_until_it_is_safe() {
    let mut slot = empty_copy();
    slot.accept(Place::default(), &[entry(1, 1), entry(2, 1)]).unwrap();
    slot.learn(Index(1), start());
    let open = || Input::Open { channel: name("t:a") };
    let barred = turn(&mut slot, open());
    assert!(matches!(barred[..], [Effect::Barred { .. }]), "a copy opens nothing");
    slot.lead(Term(2));
    assert!(turn(&mut slot, open()).is_empty());
    let mut out = Vec::new();
    slot.commit_to(reached(2, 2), start(), &mut out);
    slot.serve(&mut out);
    let opening = out.into_iter().find_map(|effect| match effect {
        Effect::Opened { opening, .. } => Some(*opening),
        _ => None,
    });
    let opening = opening.unwrap();
    assert_eq!((opening.term, opening.copies, opening.confirms), (Term(2), 2, true));
    assert_eq!(opening.state.unwrap().view().head(), Seq(1));
    let round = opening.round;
    turn(&mut slot, propose("t:a", round, vec![publish_under(Term(2), 2)]));
    assert_eq!(held(&slot), [1, 1, 2], "it never rewrites a term");
    assert_eq!(slot.committed(), Index(2), "nobody else holds it");
}

#[test]
fn an_owner_that_is_alone_shows_what_was_committed_and_hands_on_the_rest() {
    let mut slot = empty_copy();
    slot.accept(Place::default(), &[entry(1, 1), entry(2, 1), entry(3, 1)])
        .unwrap();
    slot.learn(Index(2), start());
    slot.lead(Term(2));
    let mut out = Vec::new();
    slot.stand(Err(Refusal::InsufficientReplicas), &mut out);
    slot.serve(&mut out);
    let opening = open(&mut slot, "t:a");
    assert_eq!(opening.standing, Err(Refusal::InsufficientReplicas));
    assert_eq!(opening.state.unwrap().view().head(), Seq(1));
    let inherited = Ticket { round: 0, number: 3 };
    assert_eq!(
        opening.tail.iter().map(|one| one.ticket).collect::<Vec<_>>(),
        [inherited]
    );
    out.clear();
    slot.stand(Ok(()), &mut out);
    slot.commit_to(reached(3, 2), start(), &mut out);
    let channel = name("t:a");
    let expected = [
        Effect::Standing {
            channel: channel.clone(),
            standing: Ok(()),
        },
        Effect::Committed {
            channel,
            through: inherited,
            copies: 2,
        },
    ];
    out.retain(|effect| !matches!(effect, Effect::Wake { .. }));
    assert_eq!(out, expected);
}

#[test]
fn an_owner_that_steps_down_ends_its_channels_and_keeps_its_log() {
    let mut slot = empty_copy();
    slot.lead(Term(1));
    let mut out = Vec::new();
    slot.serve(&mut out);
    let round = open(&mut slot, "t:a").round;
    turn(&mut slot, propose("t:a", round, vec![create()]));
    let through = ticket(round, 1);
    let channel = name("t:a");
    assert!(turn(&mut slot, Input::Doubt { channel, through }).is_empty());
    slot.step_down(&mut out);
    assert!(
        matches!(
            out[..],
            [Effect::Closed {
                reason: Refusal::Moving,
                ..
            }]
        ),
        "{out:?}"
    );
    assert_eq!(held(&slot), [1]);
    assert!(slot.take_doubts().is_empty(), "nobody is left to be told");
    let dropped = turn(&mut slot, propose("t:a", round, vec![publish_under(Term(1), 1)]));
    assert!(matches!(dropped[..], [Effect::Dropped { .. }]), "{dropped:?}");
}

#[test]
fn a_doubt_is_confirmed_at_once_by_a_node_alone() {
    let mut slot = slot(Config::default());
    let (channel, through) = (name("t:a"), ticket(1, 3));
    let effects = turn(&mut slot, Input::Doubt { channel, through });
    assert!(matches!(effects[..], [Effect::Confirmed { .. }]), "{effects:?}");
}

#[test]
fn a_slot_that_lost_its_history_begins_in_another_lineage() {
    let mut copy = empty_copy();
    copy.accept(Place::default(), &[entry(1, 1), entry(2, 1)]).unwrap();
    copy.learn(Index(2), start());
    let lineage = Lineage {
        resets: 1,
        incarnation: 7,
    };
    copy.clear(lineage);
    assert!(copy.is_empty() && copy.channels().next().is_none());
    assert_eq!(copy.lineage(), lineage);
    assert_eq!(copy.accept(Place::default(), &[entry(1, 5)]), Ok(Index(1)));
}
