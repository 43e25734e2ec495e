//! What is accepted, and what is refused: by hand, and of real updates that were spoiled from a seed.

use super::*;
use crate::document::golden::{self, Editors};

/// Subdocuments are understood, and refused for another reason than that they are not.
const LIMITS: Limits = Limits {
    subdocuments: 64,
    ..Limits::CLIENT
};

fn outline(bytes: &[u8]) -> Result<Outline, Flaw> {
    update(bytes, &LIMITS)
}

#[test]
fn everything_that_yjs_wrote_passes() {
    for (name, bytes) in golden::yjs() {
        match name.as_str() {
            "state vector of two" => assert_eq!(state_vector(&bytes, &LIMITS), Ok(2)),
            "second version" | "empty second version" => {
                assert_eq!(outline(&bytes), Err(Flaw::SecondVersion), "{name}")
            }
            _ => drop(outline(&bytes).unwrap_or_else(|flaw| panic!("{name}: the update {flaw}"))),
        }
    }
}

#[test]
fn everything_that_yrs_writes_passes() {
    let mut subdocuments = 0;
    for seed in 0..200 {
        let mut editors = Editors::new(seed, 3).with_subdocuments();
        for step in 0..60 {
            let bytes = if step % 5 == 4 { editors.hear() } else { editors.edit() };
            let outline = outline(&bytes).unwrap_or_else(|flaw| panic!("seed {seed}, step {step}: the update {flaw}"));
            subdocuments += outline.subdocuments;
        }
        for client in 0..3 {
            outline(&editors.whole(client)).unwrap_or_else(|flaw| panic!("seed {seed}: the update {flaw}"));
        }
    }
    assert!(subdocuments > 100);
}

#[test]
fn subdocuments_are_refused_unless_allowed() {
    let bytes = golden::yjs_of("subdocument 0");
    assert_eq!(outline(&bytes).unwrap().subdocuments, 1);
    let refused = Err(Flaw::Limit {
        limit: Limit::Subdocuments,
        max: 0,
    });
    assert_eq!(update(&bytes, &Limits::CLIENT), refused);
    assert_eq!(update(&bytes, &Limits::STORED), refused);
}

#[test]
fn an_outline_says_where_blocks_belong() {
    let bytes = golden::yjs_of("merged with a gap");
    let outline = outline(&bytes).unwrap();
    let sections: Vec<_> = outline
        .sections
        .iter()
        .map(|section| (section.client, section.blocks.clone()))
        .collect();
    assert_eq!(sections, [(4_294_967_295, 0..1), (7, 1..2)]);
    let links: Vec<_> = outline
        .blocks
        .iter()
        .map(|block| (block.clock..block.end, block.link))
        .collect();
    assert_eq!(links[0], (1..6, Link::Beside([Some((7, 1)), Some((7, 2))])));
    assert!(matches!(&links[1], (range, Link::Top(_)) if *range == (0..6)));
    assert_eq!(&bytes[outline.blocks[1].bytes.clone()], b"\x04\x01\x01t\x06from a");
}

#[test]
fn announcements_beyond_the_end_are_refused_before_anything_is_reserved() {
    // Costs 0.3 s and 130 MB of who believes it: 85 million clients.
    let hostile = [0x83, 0xf7, 0xd9, 0x28, 0xfa, 0xb1, 0x92];
    assert_eq!(
        outline(&hostile),
        Err(Flaw::Count {
            at: 0,
            count: 85_359_491,
            left: 3
        })
    );
    // A text of 2^40 bytes, and values of as many.
    let vast = [0x80, 0x80, 0x80, 0x80, 0x80, 0x20];
    let text = [&[0x01, 0x01, 0x01, 0x00, 0x08, 0x01, 0x01, 0x61, 0x01, 0x76][..], &vast].concat();
    assert_eq!(text.len(), 16);
    assert!(matches!(
        outline(&text),
        Err(Flaw::Count {
            at: 10,
            count: 0x100_0000_0000,
            left: 0
        })
    ));
    // So for the small messages, six bytes long.
    assert!(matches!(awareness(&vast, &LIMITS), Err(Flaw::Count { at: 0, .. })));
    assert!(matches!(state_vector(&vast, &LIMITS), Err(Flaw::Count { at: 0, .. })));
    // Blocks and deleted ranges.
    assert!(matches!(
        outline(&[1, 0xff, 0x7f, 1, 0, 0, 1, 0]),
        Err(Flaw::Count {
            at: 1,
            count: 16_383,
            ..
        })
    ));
    assert!(matches!(
        outline(&[0, 1, 1, 0xff, 0x7f, 0, 1]),
        Err(Flaw::Count {
            at: 3,
            count: 16_383,
            ..
        })
    ));
}

/// One block of client 1 at the top, with this kind and content.
fn block(info: u8, content: &[u8]) -> Vec<u8> {
    let top = [1, 1, 1, 0, info, 1, 1, b'a'];
    [&top[..], content, &[0]].concat()
}

#[test]
fn values_nested_without_end_use_no_stack() {
    let nested = |depth: usize| block(8, &[&[1][..], &[117, 1].repeat(depth), &[117, 0]].concat());
    assert!(outline(&nested(99)).is_ok());
    let too_deep = Err(Flaw::Limit {
        limit: Limit::ValueDepth,
        max: 100,
    });
    assert_eq!(outline(&nested(100)), too_deep);
    assert_eq!(outline(&nested(1_000_000)), too_deep);
    let objects = block(8, &[&[1][..], &[118, 1, 0].repeat(1_000_000), &[126]].concat());
    assert_eq!(outline(&objects), too_deep);
}

#[test]
fn kinds_that_nobody_writes_are_refused() {
    assert_eq!(outline(&block(11, &[])), Err(Flaw::Kind { at: 4, kind: 11 }));
    assert_eq!(
        outline(&block(0x14, &[1, b'x'])),
        Err(Flaw::Kind { at: 4, kind: 0x14 }),
        "the fifth bit"
    );
    assert_eq!(outline(&block(7, &[9])), Err(Flaw::Kind { at: 8, kind: 9 }), "a type");
    assert_eq!(
        outline(&block(8, &[1, 115])),
        Err(Flaw::Kind { at: 9, kind: 115 }),
        "a value"
    );
    assert!(matches!(
        outline(&block(2, &[1, 1, b'1'])),
        Err(Flaw::Outdated { at: 4, .. })
    ));
    assert!(matches!(
        outline(&block(7, &[5, 1, b'h'])),
        Err(Flaw::Outdated { at: 8, .. })
    ));
}

#[test]
fn clocks_stay_where_yrs_can_count() {
    let of_length = |length: &[u8]| outline(&[&[1, 1, 1, 1, COLLECTED][..], length, &[0]].concat());
    const COLLECTED: u8 = 0;
    assert!(of_length(&[0xfe, 0xff, 0xff, 0xff, 0x07]).is_ok());
    assert_eq!(of_length(&[0xff, 0xff, 0xff, 0xff, 0x07]), Err(Flaw::Clock { at: 4 }));
    assert_eq!(of_length(&[0]), Err(Flaw::Empty { at: 4 }));
    let large = [0x80, 0x80, 0x80, 0x80, 0x08];
    assert_eq!(
        state_vector(&[&[1, 1][..], &large].concat(), &LIMITS),
        Err(Flaw::Clock { at: 2 })
    );
    // A client of 54 bits.
    let client = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
    let flaw = state_vector(&[&[1][..], &client, &[0]].concat(), &LIMITS);
    assert_eq!(flaw, Err(Flaw::Read(ReadError::Number { at: 1 })));
}

#[test]
fn what_yrs_would_misread_is_refused() {
    let twice = [2, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0];
    assert_eq!(outline(&twice), Err(Flaw::Twice { client: 1 }));
    assert_eq!(outline(&[0, 2, 1, 1, 0, 1, 1, 1, 5, 1]), Err(Flaw::Twice { client: 1 }));
    assert_eq!(state_vector(&[2, 7, 1, 7, 2], &LIMITS), Err(Flaw::Twice { client: 7 }));
    assert_eq!(outline(&[0, 1, 1, 2, 5, 1, 1, 1]), Err(Flaw::Unordered { at: 6 }));
    assert_eq!(outline(&[0, 1, 1, 2, 0, 2, 1, 1]), Err(Flaw::Unordered { at: 6 }));
    assert_eq!(outline(&[0, 1, 1, 1, 5, 0]), Err(Flaw::Empty { at: 4 }));
    assert_eq!(outline(&[0, 0, 0]), Err(Flaw::Trailing { at: 2 }));
    assert_eq!(
        outline(&[1, 0, 1, 0, 0, 0, 0, 0]),
        Err(Flaw::Empty { at: 1 }),
        "a client without blocks"
    );
    let skips = |many: u8| [&[1, many, 1, 0][..], &[10, 1].repeat(usize::from(many) - 1), &[0, 1, 0]].concat();
    assert!(outline(&skips(17)).is_ok());
    assert!(
        matches!(outline(&skips(18)), Err(Flaw::Empty { .. })),
        "yrs would recurse"
    );
}

#[test]
fn every_limit_is_met() {
    let tight = Limits {
        bytes: 64,
        clients: 1,
        blocks: 2,
        deletes: 2,
        subdocuments: 1,
        value_depth: 1,
        awareness_bytes: 20,
        awareness_clients: 2,
        awareness_state_bytes: 4,
        ..LIMITS
    };
    let limit = |flaw: Result<(), Flaw>| match flaw {
        Err(Flaw::Limit { limit, .. }) => limit,
        other => panic!("{other:?}"),
    };
    let scanned = |bytes: &[u8]| update(bytes, &tight).map(drop);
    assert_eq!(limit(scanned(&[0; 65])), Limit::Bytes);
    assert_eq!(limit(scanned(&[2, 1, 1, 0, 0, 1, 1, 2, 0, 0, 1, 0])), Limit::Clients);
    assert_eq!(limit(scanned(&[1, 3, 1, 0, 0, 1, 0, 1, 0, 1, 0])), Limit::Blocks);
    assert_eq!(limit(scanned(&[0, 1, 1, 3, 0, 1, 2, 1, 4, 1])), Limit::Deletes);
    let documents = [&[1, 2, 1, 0][..], &[9, 1, 1, b'a', 0, 127].repeat(2), &[0]].concat();
    assert_eq!(limit(scanned(&documents)), Limit::Subdocuments);
    assert_eq!(limit(scanned(&block(8, &[1, 117, 1, 117, 0]))), Limit::ValueDepth);
    let spoken = |bytes: &[u8]| awareness(bytes, &tight).map(drop);
    assert_eq!(limit(spoken(&[0; 21])), Limit::AwarenessBytes);
    assert_eq!(limit(spoken(&[3, 1, 0, 0, 2, 0, 0, 3, 0, 0])), Limit::AwarenessClients);
    assert_eq!(
        limit(spoken(&[1, 1, 0, 5, b'"', b'a', b'b', b'c', b'"'])),
        Limit::AwarenessStateBytes
    );
    assert_eq!(limit(state_vector(&[2, 1, 1, 2, 1], &tight).map(drop)), Limit::Clients);
}

#[test]
fn awareness_messages_are_read() {
    let left = b"\x01\x01\x01\x04null";
    let entries = awareness(left, &LIMITS).unwrap();
    assert_eq!(
        entries,
        [Entry {
            client: 1,
            clock: 1,
            state: "null"
        }]
    );
    assert_eq!(
        awareness(b"\x02\x01\x00\x02{}\x01\x00\x02{}", &LIMITS),
        Err(Flaw::Twice { client: 1 })
    );
    assert!(matches!(awareness(b"\x01\x01\x00\x02{", &LIMITS), Err(Flaw::Read(_))));
    assert_eq!(awareness(b"\x00", &LIMITS), Ok(vec![]));
}
