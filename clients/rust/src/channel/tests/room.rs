//! A slow application.

use super::*;

fn reader(queue_events: usize) -> Reader {
    let options = SubscribeOptions {
        queue_events,
        ..SubscribeOptions::default()
    };
    let mut reader = Reader::attached(options, 10);
    // The application took the news that it is attached.
    let attached = reader.channel.room().taken_all();
    reader.turn(|channel, turn| channel.taken(attached, turn));
    reader
}

#[test]
fn what_has_no_room_is_left_with_the_server_and_pulled_later() {
    let mut reader = reader(4);
    for seq in 11..=14 {
        assert_eq!(seqs(&reader.publication(seq)), [seq]);
    }
    assert!(reader.publication(15).is_empty());
    assert!(reader.publication(16).is_empty());
    assert!(reader.skipped(17, 1).is_empty());
    assert_eq!((reader.stats().overflows, reader.stats().gaps), (1, 0));

    assert!(reader.taken(1, 0).is_empty(), "not for one message");
    assert_eq!(pulls(&reader.taken(1, 600)), [14], "half empty");
    assert!(reader.publication(18).is_empty());
    assert_eq!(
        seqs(&reader.page(14, 18, 100)),
        [15, 16, 17, 18],
        "a page is taken whole"
    );
    assert!(reader.publication(19).is_empty(), "and leaves no room");
    assert_eq!(reader.stats().overflows, 2);
}

#[test]
fn bytes_fill_a_queue_too() {
    let options = SubscribeOptions {
        queue_bytes: 400,
        ..SubscribeOptions::default()
    };
    let mut reader = Reader::attached(options, 10);
    assert_eq!(seqs(&reader.publication(11)), [11]);
    assert_eq!(seqs(&reader.publication(12)), [12]);
    assert!(reader.publication(13).is_empty());
    let all = reader.channel.room().taken_all();
    assert_eq!(pulls(&reader.turn(|channel, turn| channel.taken(all, turn)).1), [12]);
}

#[test]
fn a_lagging_reader_pulls_only_when_its_queue_can_take_it() {
    let mut reader = reader(4);
    (11..=14).for_each(|seq| drop(reader.publication(seq)));
    assert!(reader.lagged(14).is_empty());
    assert!(reader.taken(1, 0).is_empty());
    assert_eq!(pulls(&reader.taken(1, 0)), [14]);
}

#[test]
fn a_discontinuity_without_room_is_asked_for_again() {
    let mut reader = reader(1);
    reader.publication(11);
    let lost = v1::Discontinuity {
        channel_id: CHANNEL_ID,
        reason: v1::Reason::Truncated.into(),
        position: Some(position(50, 3).to_wire()),
    };
    let (outcome, effects) = reader.turn(|channel, turn| channel.discontinuity(lost, turn));
    outcome.expect("on an attached channel");
    assert!(effects.is_empty());
    assert!(reader.publication(51).is_empty(), "the reader has not moved");
    let all = reader.channel.room().taken_all();
    assert_eq!(pulls(&reader.turn(|channel, turn| channel.taken(all, turn)).1), [11]);
}

#[test]
fn a_full_queue_is_not_attached_again_before_there_is_room() {
    let mut reader = reader(2);
    reader.publication(11);
    reader.publication(12);
    reader.channel.detached(None);
    assert!(!reader.channel.wants_attach());
    let all = reader.channel.room().taken_all();
    assert!(
        reader.turn(|channel, turn| channel.taken(all, turn)).1.is_empty(),
        "not attached: nothing to pull"
    );
    assert!(reader.channel.wants_attach());
}

#[test]
fn the_credit_of_a_page_comes_back_with_its_last_message_or_at_once() {
    let mut reader = reader(100);
    let size = 200_000;
    let effects = reader.page(10, 12, size);
    let credits: Vec<_> = effects.iter().map(credit).collect();
    assert_eq!(credits, [0, size as u32]);
    assert_eq!(reader.common.credit.grant(), None, "nothing was taken");
    let all = reader.channel.room().taken_all();
    reader.turn(|channel, turn| channel.taken(all, turn));
    assert_eq!(reader.common.credit.grant(), Some(v1::Credit { bytes: size as u32 }));

    reader.page(10, 12, size);
    assert_eq!(
        reader.common.credit.grant(),
        Some(v1::Credit { bytes: size as u32 }),
        "known already"
    );
    reader.page(20, 22, size);
    assert_eq!(
        reader.common.credit.grant(),
        Some(v1::Credit { bytes: size as u32 }),
        "behind a gap"
    );
    reader.channel.detached(None);
    reader.page(12, 14, size);
    assert_eq!(
        reader.common.credit.grant(),
        Some(v1::Credit { bytes: size as u32 }),
        "not attached"
    );
}

fn credit(effect: &Effect) -> u32 {
    match effect {
        Effect::Deliver { item, .. } => item.cost.credit.bytes,
        other => panic!("{other:?}"),
    }
}
