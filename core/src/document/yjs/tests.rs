//! Real updates, and what became of them on the way.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::document::engine::Cold as _;
use crate::document::golden::{self, Editors, spoil, timed};
use crate::document::lib0::put_uint;
use crate::document::scan::{Flaw, Limit};

fn document() -> YjsDocument {
    YjsDocument::new(0x5eed, Limits::CLIENT)
}

/// What is in it, for people to compare.
fn shown(document: &YjsDocument) -> [Option<String>; 2] {
    [("text", Shape::Text), ("xml", Shape::Xml)].map(|(part, shape)| document.read(part, shape).unwrap())
}

#[test]
fn everything_that_yrs_writes_is_applied() {
    for seed in 0..200 {
        let mut editors = Editors::new(seed, 3);
        let mut document = document();
        for step in 0..60 {
            let update = if step % 5 == 4 { editors.hear() } else { editors.edit() };
            document
                .apply(&update)
                .unwrap_or_else(|error| panic!("seed {seed}, step {step}: {error}"));
        }
        assert_eq!((document.size().pending, document.size().let_go), (0, 0), "seed {seed}");
    }
}

/// How many spoiled updates are tried; `DOCUMENT_MUTATIONS=1000000` tries more.
fn mutations() -> u64 {
    std::env::var("DOCUMENT_MUTATIONS").map_or(100_000, |many| many.parse().expect("a number"))
}

/// The most that may be spent on one spoiled update of a few hundred bytes, in a build of tests on a busy machine.
const SLOWEST: Duration = Duration::from_millis(500);

#[test]
fn what_passes_the_scan_neither_panics_nor_lingers_in_yrs() {
    let (mut passed, mut applied) = (0u64, 0u64);
    for round in 0..mutations().div_ceil(1_000) {
        let mut dice = SmallRng::seed_from_u64(round);
        let mut editors = Editors::new(round, 3);
        let mut updates: Vec<_> = (0..20).map(|_| editors.edit()).collect();
        updates.extend((0..3).map(|_| editors.hear()));
        updates.push(editors.whole(0));
        let mut target = document();
        for update in &updates[..10] {
            target.apply(update).unwrap();
        }
        for mutation in 0..1_000 {
            let mut spoiled = updates[dice.random_range(0..updates.len())].clone();
            spoil(&mut spoiled, &mut dice);
            if scan::update(&spoiled, &Limits::CLIENT).is_err() {
                continue;
            }
            passed += 1;
            let attempt = AssertUnwindSafe(|| {
                let is_applied = target.apply(&spoiled).is_ok();
                let _ = YjsBytes::merge(&[&updates[0], &spoiled, &updates[1]], &Limits::CLIENT);
                let _ = YjsBytes::diff(&spoiled, &target.state_vector().unwrap(), &Limits::CLIENT);
                let _ = YjsBytes::state_vector(&spoiled, &Limits::CLIENT);
                is_applied
            });
            let (tried, took) = timed(|| catch_unwind(attempt));
            let hex: String = spoiled.iter().map(|byte| format!("{byte:02x}")).collect();
            applied += u64::from(tried.unwrap_or_else(|_| panic!("round {round}, mutation {mutation}: {hex}")));
            assert!(
                took < SLOWEST,
                "round {round}, mutation {mutation} took {took:?}: {hex}"
            );
        }
    }
    eprintln!("{passed} spoiled updates passed the scan, {applied} were applied");
    assert!(applied > 1_000);
}

/// The golden sequences of hostile bytes, replayed on a document.
#[test]
fn hostile_sequences_are_refused_at_once() {
    let mut target = document();
    for (name, hostile) in golden::hostile() {
        let (applied, took) = timed(|| target.apply(&hostile));
        assert!(
            matches!(applied, Err(EngineError::Refused(_))) && took < SLOWEST,
            "{name}: {took:?}"
        );
    }
    assert_eq!(target.size(), Size::default());
}

/// Arrays in arrays: `depth` of them, by client 1 from `clock` on, the first at the top or inside of the one before.
fn nested(clock: u32, depth: u32) -> Vec<u8> {
    let mut update = vec![1];
    put_uint(&mut update, depth.into());
    update.push(1);
    put_uint(&mut update, clock.into());
    for at in clock..clock + depth {
        update.push(7);
        match at.checked_sub(1) {
            None => update.extend([1, 1, b'a']),
            Some(above) => {
                update.extend([0, 1]);
                put_uint(&mut update, above.into());
            }
        }
        update.push(0);
    }
    update.push(0);
    update
}

#[test]
fn types_nested_without_end_are_refused_before_anything_recurses() {
    let limit = |result: Result<Applied, EngineError>| match result {
        Err(EngineError::Refused(Flaw::Limit { limit, .. })) => limit,
        other => panic!("{other:?}"),
    };
    let mut target = document();
    assert_eq!(limit(target.apply(&nested(0, 200_000))), Limit::TypeDepth);
    target.apply(&nested(0, 60)).unwrap();
    assert_eq!(limit(target.apply(&nested(60, 41))), Limit::TypeDepth, "in two pieces");
    target.apply(&nested(60, 40)).unwrap();
    assert!(target.read("a", Shape::Array).unwrap().unwrap().starts_with("[[[["));
    let delete_all = [0, 1, 1, 1, 0, 100];
    assert!(target.apply(&delete_all).unwrap().news != News::Nothing);
    assert_eq!(target.read("a", Shape::Array).unwrap().unwrap(), "[]");
}

#[test]
fn types_nested_from_the_inside_out_are_refused_when_the_last_comes() {
    let mut target = document();
    assert!(target.apply(&nested(60, 60)).unwrap().is_pending);
    assert_eq!(target.size().pending, 60);
    // What came last is honest; what had waited for it is let go.
    let applied = target.apply(&nested(0, 60)).unwrap();
    assert_eq!(applied.news, News::Whole);
    assert!(!applied.is_pending);
    assert_eq!((target.size().pending, target.size().let_go), (0, 1));
    assert!(target.read("a", Shape::Array).unwrap().unwrap().starts_with("[[[["));
}

#[test]
fn what_cannot_be_decoded_does_not_wait() {
    let mut target = document();
    // A format behind a block that has not come, with a value that is no JSON; then that block.
    let format = |value: &[u8]| [&[1, 1, 2, 0, 0x86, 1, 0, 1, b'b', 4][..], value, &[0]].concat();
    assert!(matches!(
        target.apply(&format(b"tzue")),
        Err(EngineError::Undecodable(_))
    ));
    assert_eq!(target.size(), Size::default());
    assert!(target.apply(&format(b"true")).unwrap().is_pending);
    let first = [1, 1, 1, 0, 4, 1, 1, b't', 1, b'x', 0];
    assert!(!target.apply(&first).unwrap().is_pending);
    assert_eq!(target.size().let_go, 0);
}

#[test]
fn blocks_that_wait_have_a_bound() {
    let limits = Limits {
        pending_blocks: 50,
        ..Limits::CLIENT
    };
    let mut target = YjsDocument::new(1, limits);
    assert!(target.apply(&nested(10, 50)).unwrap().is_pending);
    let more = target.apply(&nested(61, 1));
    assert!(matches!(
        more,
        Err(EngineError::Refused(Flaw::Limit {
            limit: Limit::PendingBlocks,
            ..
        }))
    ));
}

#[test]
fn a_document_has_a_bound_on_its_clients() {
    let limits = Limits {
        clients: 2,
        ..Limits::CLIENT
    };
    let mut target = YjsDocument::new(1, limits);
    let of_client = |client: u8| [1, 1, client, 0, 4, 1, 1, b't', 1, b'x', 0];
    target.apply(&of_client(1)).unwrap();
    target.apply(&of_client(2)).unwrap();
    let third = target.apply(&of_client(3));
    assert!(matches!(
        third,
        Err(EngineError::Refused(Flaw::Limit {
            limit: Limit::Clients,
            ..
        }))
    ));
    assert_eq!(target.size().clients, 2);
}

#[test]
fn a_document_is_the_same_in_whatever_order_its_updates_come() {
    for seed in 0..100 {
        let mut editors = Editors::new(seed, 3);
        let mut updates = Vec::new();
        for step in 0..80 {
            updates.push(if step % 8 == 7 { editors.hear() } else { editors.edit() });
        }
        let mut dice = SmallRng::seed_from_u64(seed);
        let mut shuffled = updates.clone();
        for at in (1..shuffled.len()).rev() {
            shuffled.swap(at, dice.random_range(0..=at));
        }
        let [mut one, mut other] = [1, 2].map(|author| YjsDocument::new(author, Limits::CLIENT));
        updates.iter().for_each(|update| drop(one.apply(update).unwrap()));
        shuffled.iter().for_each(|update| drop(other.apply(update).unwrap()));
        let size = other.size();
        assert_eq!(
            (size.pending, size.let_go),
            (0, 0),
            "seed {seed}: nothing waits when all have come"
        );
        assert_eq!(shown(&one), shown(&other), "seed {seed}");

        // And when bytes alone were merged, and when one is told by the other what it lacks.
        let logged: Vec<_> = updates.iter().map(Vec::as_slice).collect();
        let merged = YjsBytes::merge(&logged, &Limits::CLIENT).unwrap();
        let mut third = document();
        third.apply(&merged).unwrap();
        assert_eq!(shown(&one), shown(&third), "seed {seed}");
        let mut fourth = document();
        fourth.apply(&updates[0]).unwrap();
        fourth
            .apply(&one.diff(&fourth.state_vector().unwrap()).unwrap())
            .unwrap();
        assert_eq!(shown(&one), shown(&fourth), "seed {seed}");
        assert!(YjsBytes::covers(&fourth.state_vector().unwrap(), &one.state_vector().unwrap()).unwrap());
        // Nothing of it is news by now.
        for update in &updates {
            assert!(!one.has_news(update).unwrap(), "seed {seed}");
            assert_eq!(one.apply(update).unwrap().news, News::Nothing, "seed {seed}");
        }
    }
}

#[test]
fn everything_that_yjs_wrote_is_applied_or_refused_for_its_subdocuments() {
    let mut target = document();
    let mut name_before = String::new();
    for (name, update) in golden::yjs() {
        // Each line's name ends with which of a document's updates it is.
        let of = name.rsplit_once(' ').map_or(name.as_str(), |(of, _)| of);
        if of != name_before {
            target = document();
            of.clone_into(&mut name_before);
        }
        match (target.apply(&update), name.as_str()) {
            (Ok(_), _) | (Err(_), "state vector of two" | "second version" | "empty second version") => {}
            (Err(EngineError::Refused(Flaw::Limit { limit, .. })), _) => {
                assert_eq!((limit, of), (Limit::Subdocuments, "subdocument"));
            }
            (Err(error), _) => panic!("{name}: {error}"),
        }
        assert_eq!(target.size().let_go, 0, "{name}");
    }
}

#[test]
fn documents_of_yjs_read_as_yjs_reads_them() {
    let read = |name: &str, part: &str, shape: Shape| {
        let mut target = document();
        target.apply(&golden::yjs_of(name)).unwrap();
        target.read(part, shape).unwrap()
    };
    assert_eq!(
        read("text whole", "t", Shape::Text).as_deref(),
        Some("\u{fffd}x\u{fffd}üi"),
        "a pair cut in two"
    );
    assert_eq!(read("undo whole", "t", Shape::Text).as_deref(), Some("threeone"));
    assert_eq!(read("nested whole", "m", Shape::Map).as_deref(), Some("{}"));
    assert_eq!(
        read("xml whole", "prosemirror", Shape::Xml).as_deref(),
        Some(r#"<paragraph align="left"><strong>Hello</strong></paragraph>tail"#)
    );
    assert_eq!(read("text whole", "other", Shape::Text), None, "it has no such part");
    assert_eq!(read("two clients", "t", Shape::Text), read("merged", "t", Shape::Text));
}

#[test]
fn offsets_are_those_of_javascript() {
    let mut target = document();
    let begun = [golden::yjs_of("text 0"), golden::yjs_of("text 1")];
    begun.iter().for_each(|update| drop(target.apply(update).unwrap()));
    assert_eq!(target.read("t", Shape::Text).unwrap().as_deref(), Some("h😀üi"));
    let insert = |index, text: &str| Insert {
        index,
        text: text.to_owned(),
    };
    let written = [
        target.insert_text("t", &[insert(Some(3), "|")]).unwrap(),
        // Each where the ones before it have left its place.
        target
            .insert_text("t", &[insert(None, "!"), insert(Some(0), ""), insert(Some(1_000), "!")])
            .unwrap(),
    ];
    let mut other = YjsDocument::new(7, Limits::CLIENT);
    begun
        .iter()
        .chain(&written)
        .for_each(|update| drop(other.apply(update).unwrap()));
    assert_eq!(other.read("t", Shape::Text).unwrap().as_deref(), Some("h😀|üi!!"));
    assert_eq!(target.parts().unwrap(), ["t"]);
}

#[test]
fn bytes_answer_without_a_document() {
    assert!(YjsBytes::is_empty_state_vector(&document().state_vector().unwrap()));
    assert_eq!(YjsBytes::merge(&[], &Limits::CLIENT).unwrap(), YjsBytes::EMPTY);
    let whole = golden::yjs_of("two clients");
    assert_eq!(
        YjsBytes::diff(&whole, &[0], &Limits::CLIENT).unwrap(),
        whole,
        "as it is stored"
    );
    let vector = YjsBytes::state_vector(&whole, &Limits::CLIENT).unwrap();
    let mut target = document();
    target.apply(&whole).unwrap();
    let loaded = target.state_vector().unwrap();
    assert!(YjsBytes::covers(&vector, &loaded).unwrap() && YjsBytes::covers(&loaded, &vector).unwrap());
    assert!(!YjsBytes::covers(&[0], &vector).unwrap());
    assert!(YjsBytes::covers(&vector, &[0]).unwrap());
}

/// What the scan and the plan of a large update cost, beside taking it in; `--nocapture` prints it.
#[test]
fn the_scan_costs_little_beside_the_crdt() {
    let mut editors = Editors::new(1, 4);
    let mut updates: Vec<_> = (0..4_000).map(|_| editors.edit()).collect();
    let logged: Vec<_> = updates.iter().map(Vec::as_slice).collect();
    let whole = YjsBytes::merge(&logged, &Limits::CLIENT).unwrap();
    updates.truncate(1_000);
    for (name, updates) in [("one large", vec![whole]), ("1,000 small", updates)] {
        let bytes: usize = updates.iter().map(Vec::len).sum();
        let scanning = || {
            updates
                .iter()
                .map(|update| scan::update(update, &Limits::CLIENT).unwrap().blocks.len())
                .sum::<usize>()
        };
        let (blocks, scan) = timed(scanning);
        let mut target = document();
        let ((), all) = timed(|| updates.iter().for_each(|update| drop(target.apply(update).unwrap())));
        let [scan_ns, all_ns] = [scan, all].map(|took| took.as_nanos() as f64 / bytes as f64);
        eprintln!(
            "{name}: {bytes} bytes, {blocks} blocks; scan {scan_ns:.2} ns a byte, scanned and applied {all_ns:.2}"
        );
        assert!(
            scan < all / 2 || all < Duration::from_millis(20),
            "{name}: {scan:?} of {all:?}"
        );
    }
}
