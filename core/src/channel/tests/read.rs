//! Reading back, a page at a time.

use super::*;

fn range(owner: &Owner, after: u64) -> Range {
    Range {
        epoch: Some(owner.view().epoch().clone()),
        after: Seq(after),
        bytes_max: 10_000,
        messages_max: 100,
    }
}

/// The seqs of a page.
fn seqs(page: Page) -> Vec<u64> {
    match page {
        Page::Messages { messages, .. } => messages.iter().map(|message| message.seq.0).collect(),
        other @ (Page::Lost { .. } | Page::Stored { .. }) => panic!("{other:?}"),
    }
}

/// Messages 1 to 9 of ten bytes, of which 5 to 9 are kept.
fn busy() -> Owner {
    let mut owner = Owner::new(Config {
        window: Window {
            messages: 5,
            ..Config::default().window
        },
        ..Config::default()
    });
    for _ in 0..9 {
        owner.say("0123456789");
    }
    owner
}

#[test]
fn a_page_goes_on_where_the_reader_stands() {
    let mut owner = busy();
    let all = range(&owner, 4);
    assert_eq!(seqs(owner.read(all)), [5, 6, 7, 8, 9]);
    let some = range(&owner, 7);
    assert_eq!(seqs(owner.read(some)), [8, 9]);
    let none = range(&owner, 9);
    let page = owner.read(none);
    let head = owner.at(9);
    assert_eq!(
        page,
        Page::Messages {
            after: head.clone(),
            messages: Vec::new(),
            head
        }
    );
}

#[test]
fn a_page_is_bounded_but_never_empty_before_the_head() {
    let mut owner = busy();
    let mut page = |bytes_max, messages_max| {
        let range = Range {
            bytes_max,
            messages_max,
            ..range(&owner, 4)
        };
        seqs(owner.read(range)).len()
    };
    assert_eq!(page(10_000, 2), 2);
    assert_eq!(page(2 * 58, 100), 2, "ten bytes and a frame each");
    assert_eq!(page(2 * 58 - 1, 100), 1);
    assert_eq!(page(0, 100), 1);
    assert_eq!(page(0, 0), 1);
}

#[test]
fn pages_join_without_a_gap() {
    let mut owner = busy();
    let (mut after, mut read) = (4, Vec::new());
    while after < 9 {
        let range = Range {
            messages_max: 2,
            ..range(&owner, after)
        };
        read.extend(seqs(owner.read(range)));
        after = *read.last().unwrap();
    }
    assert_eq!(read, [5, 6, 7, 8, 9]);
}

#[test]
fn what_cannot_be_read_has_a_reason() {
    let mut owner = busy();
    let head = owner.at(9);
    let mut lost = |range: Range, expected: Reason| {
        let position = head.clone();
        let reason = expected;
        assert_eq!(owner.read(range), Page::Lost { reason, position });
    };
    let present = |after| Range {
        epoch: Some(head.epoch.clone()),
        after: Seq(after),
        bytes_max: 1_000,
        messages_max: 10,
    };
    lost(present(3), Reason::Truncated);
    lost(present(10), Reason::PositionAhead);
    let other = Range {
        epoch: Some(Epoch::parse("other").unwrap()),
        ..present(5)
    };
    lost(other, Reason::UnknownEpoch);
}

#[test]
fn whoever_names_no_epoch_gets_what_there_is() {
    let mut owner = busy();
    let whatever = |after| Range {
        epoch: None,
        after: Seq(after),
        bytes_max: 10_000,
        messages_max: 100,
    };
    assert_eq!(seqs(owner.read(whatever(0))), [5, 6, 7, 8, 9]);
    assert_eq!(seqs(owner.read(whatever(7))), [8, 9]);
    assert_eq!(seqs(owner.read(whatever(70))), Vec::<u64>::new());
    let mut empty = Owner::new(Config::default());
    assert_eq!(seqs(empty.read(whatever(0))), Vec::<u64>::new());
}

#[test]
fn only_what_is_committed_is_read() {
    let mut owner = busy();
    owner.stalled = true;
    owner.say("not committed");
    let all = range(&owner, 4);
    assert_eq!(seqs(owner.read(all)), [5, 6, 7, 8, 9]);
}

#[test]
fn without_history_there_is_nothing_to_read() {
    let mut owner = Owner::new(Config {
        durability: Durability::Ephemeral,
        ..Config::default()
    });
    owner.say("a");
    owner.say("b");
    let behind = range(&owner, 1);
    let page = owner.read(behind);
    let position = owner.at(2);
    let reason = Reason::NoHistory;
    assert_eq!(page, Page::Lost { reason, position });
    let head = range(&owner, 2);
    assert_eq!(seqs(owner.read(head)), Vec::<u64>::new());
}
