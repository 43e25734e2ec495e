//! Updates that no client makes, by hand.

use super::*;
use crate::document::lib0::put_uint;
use crate::document::scan;

const LIMITS: Limits = Limits::CLIENT;

/// A document, and what was applied to it.
#[derive(Default)]
struct Known(Structure);

impl Known {
    fn plan(&self, update: &[u8]) -> Result<Plan, Flaw> {
        self.0.plan(&scan::update(update, &LIMITS).unwrap(), &LIMITS)
    }

    fn apply(&mut self, update: &[u8]) {
        let outline = scan::update(update, &LIMITS).unwrap();
        let plan = self.0.plan(&outline, &LIMITS).unwrap();
        assert!(plan.is_whole(&outline), "all of it");
        self.0.remember(plan);
    }
}

/// An update of one client with one block: info, and what follows.
fn one(client: u8, clock: u8, block: &[u8]) -> Vec<u8> {
    [&[1, 1, client, clock][..], block, &[0]].concat()
}

/// The text "ab" in the part `a` by client 1, and the text "cd" in the part `b` by client 2.
fn two_parts() -> Known {
    let mut known = Known::default();
    known.apply(&one(1, 0, b"\x04\x01\x01a\x02ab"));
    known.apply(&one(2, 0, b"\x04\x01\x01b\x02cd"));
    known
}

#[test]
fn a_block_between_two_parts_is_refused() {
    let mut known = two_parts();
    let torn = one(3, 0, &[0xc4, 1, 0, 2, 0, 1, b'x']);
    assert_eq!(known.plan(&torn).err(), Some(Flaw::Torn { client: 3, clock: 0 }));
    known.apply(&one(3, 0, &[0xc4, 1, 0, 1, 1, 1, b'x']));
    // A key is a place of its own.
    let mut known = two_parts();
    known.apply(&one(4, 0, b"\x24\x01\x01a\x01k\x01v"));
    let torn = one(3, 0, &[0xc4, 4, 0, 1, 0, 1, b'x']);
    assert_eq!(known.plan(&torn).err(), Some(Flaw::Torn { client: 3, clock: 0 }));
}

#[test]
fn a_block_that_goes_on_elsewhere_than_it_began_is_refused() {
    let known = two_parts();
    // Two clocks of it are here, in part `a`; the third is said to be in `b`.
    let torn = one(1, 0, b"\x04\x01\x01b\x03abx");
    assert_eq!(known.plan(&torn).err(), Some(Flaw::Torn { client: 1, clock: 0 }));
    assert!(known.plan(&one(1, 0, b"\x04\x01\x01a\x03abx")).unwrap().has_news);
}

#[test]
fn nothing_is_put_into_a_value() {
    let mut known = two_parts();
    let inside = |client: u8| one(3, 0, &[0x04, 0, client, 0, 1, b'x']);
    assert_eq!(known.plan(&inside(1)).err(), Some(Flaw::NoType { client: 3, clock: 0 }));
    // But into a type, and into what may have been one.
    known.apply(&one(5, 0, &[7, 1, 1, b'a', 0]));
    known.apply(&one(6, 0, &[0, 1]));
    known.apply(&one(7, 0, &[1, 1, 1, b'a', 1]));
    for client in 5..8 {
        assert!(known.plan(&inside(client)).unwrap().has_news, "{client}");
    }
}

#[test]
fn what_is_not_here_is_cut_off_and_named() {
    let mut known = two_parts();
    let update = [
        &[2, 3, 9, 0][..],                   // three blocks of client 9
        &[0x04, 1, 1, b'a', 1, b'1'],        // of which the first can be applied
        &[0x84, 8, 4, 1, b'2'],              // the second is beside what has not come
        &[0x84, 1, 0, 1, b'3'],              // and the third comes after it
        &[1, 1, 2, 0x84, 1, 1, 1, b'4'],     // one of client 1
        &[2, 9, 2, 0, 1, 1, 1, 1, 1, 1, 99], // and deletions, of which some are of what is here
    ]
    .concat();
    let outline = scan::update(&update, &LIMITS).unwrap();
    let plan = known.0.plan(&outline, &LIMITS).unwrap();
    assert!(!plan.is_whole(&outline) && plan.has_news && !plan.is_idle());
    let rests: Vec<_> = plan.rest(&update, &outline).collect();
    assert_eq!(rests.len(), 1);
    assert_eq!(
        (rests[0].client, rests[0].clocks.clone(), rests[0].blocks),
        (9, 1..3, 2)
    );
    assert_eq!(rests[0].bytes, [0x84, 8, 4, 1, b'2', 0x84, 1, 0, 1, b'3']);
    assert_eq!(plan.later(), [(9, 1..2), (1, 3..100)]);

    let now = scan::update(&plan.now(&update, &outline), &LIMITS).unwrap();
    assert_eq!(now.blocks.len(), 2);
    assert_eq!(now.deletes, [(9, 0..1), (1, 1..3)]);
    known.0.remember(plan);
    assert_eq!((known.0.end(9), known.0.end(1), known.0.clients()), (1, 3, 3));
}

#[test]
fn a_client_whose_id_collides_with_too_many_is_turned_away_and_another_is_not() {
    let limits = Limits {
        crowded_clients: 16_000,
        ..LIMITS
    };
    let first_of = |client: u64| {
        let mut update = vec![1, 1];
        put_uint(&mut update, client);
        update.extend(b"\0\x04\x01\x01a\x01x\0");
        update
    };
    let mut known = Known::default();
    // As many as may begin at one place of a table.
    for client in 1..=16_000 {
        known.apply(&first_of(client << 20));
    }
    let plan = |client: u64| {
        let outline = scan::update(&first_of(client), &limits).unwrap();
        known.0.plan(&outline, &limits).err()
    };
    assert_eq!(plan(20_000 << 20), Some(Flaw::Crowded { clients: 16_001 }));
    assert_eq!(plan(0x1234_5678), None);
}

#[test]
fn who_has_written_goes_on_where_nobody_else_may_begin() {
    let mut known = Known::default();
    for client in 1..=3 {
        known.apply(&one(client, 0, b"\x04\x01\x01a\x01x"));
    }
    let limits = Limits { clients: 2, ..LIMITS };
    let plan = |update: &[u8]| known.0.plan(&scan::update(update, &LIMITS).unwrap(), &limits);
    let full = Flaw::Limit {
        limit: Limit::Clients,
        max: 2,
    };
    assert_eq!(plan(&one(4, 0, b"\x04\x01\x01a\x01x")).err(), Some(full));
    assert!(plan(&one(3, 1, b"\x84\x03\x00\x01x")).unwrap().has_news);
    assert!(plan(&[0, 0]).is_ok());
    assert_eq!(known.0.may_write(3, &limits), Ok(()));
    assert_eq!(known.0.may_write(4, &limits), Err(full));
}

#[test]
fn references_in_a_circle_lead_nowhere() {
    let known = Known::default();
    let circle = [
        &[2, 1, 1, 0, 0x84, 2, 0, 1, b'x'][..],
        &[1, 2, 0, 0x84, 1, 0, 1, b'y'],
        &[0],
    ]
    .concat();
    let itself = one(1, 0, &[0x84, 1, 0, 1, b'x']);
    for update in [circle, itself] {
        let outline = scan::update(&update, &LIMITS).unwrap();
        let plan = known.0.plan(&outline, &LIMITS).unwrap();
        assert!(plan.is_idle() && !plan.is_whole(&outline));
    }
}

#[test]
fn a_long_chain_of_references_uses_no_stack() {
    // Each of 60,000 clients writes beside the next one's block.
    let mut update = Vec::new();
    let limits = Limits::STORED;
    put_uint(&mut update, 60_000);
    for client in 1..=60_000u64 {
        update.push(1);
        put_uint(&mut update, client);
        update.push(0);
        if client == 60_000 {
            update.extend(b"\x04\x01\x01a\x01x");
        } else {
            update.push(0x84);
            put_uint(&mut update, client + 1);
            update.extend(b"\x00\x01x");
        }
    }
    update.push(0);
    let outline = scan::update(&update, &limits).unwrap();
    let plan = Structure::default().plan(&outline, &limits).unwrap();
    assert!(plan.is_whole(&outline));
}
