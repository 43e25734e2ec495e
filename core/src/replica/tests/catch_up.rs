//! A copy that lacks more than the log keeps.

use super::*;

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
