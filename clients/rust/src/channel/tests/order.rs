//! Order, gaps, and the jumps that are announced.

use super::*;

fn reader() -> Reader {
    Reader::attached(SubscribeOptions::default(), 10)
}

#[test]
fn messages_come_once_and_in_order() {
    let mut reader = reader();
    assert_eq!(seqs(&reader.publication(11)), [11]);
    assert!(reader.publication(11).is_empty());
    assert!(reader.publication(3).is_empty());
    assert_eq!(seqs(&reader.publication(12)), [12]);
    assert_eq!(reader.stats().duplicates, 2);
    assert_eq!(reader.stats().messages, 2);
}

#[test]
fn a_message_says_what_was_published_and_whether_it_is_of_the_past() {
    let mut reader = Reader::new(SubscribeOptions::default());
    reader.channel.attach(1);
    reader.attach(attached(10, 11)).expect("a good answer");
    let told = |effects| match events(effects).remove(0) {
        Event::Message(message) => message,
        other => panic!("{other:?}"),
    };
    let expected = Message {
        channel: "demo:lobby".into(),
        position: position(11, 3),
        time_ms: 1_011,
        key: None,
        deleted: false,
        payload: "message 11".into(),
        replayed: true,
    };
    assert_eq!(
        told(reader.publication(11)),
        expected,
        "published before the channel was attached"
    );
    assert!(!told(reader.publication(12)).replayed);
    assert!(told(reader.page(12, 13, 100)).replayed, "from history");
}

#[test]
fn a_gap_is_pulled_once_and_nothing_passes_it() {
    let mut reader = reader();
    let effects = reader.publication(12);
    assert_eq!((pulls(&effects), seqs(&effects)), (vec![10], vec![]));
    assert!(
        reader.publication(13).is_empty(),
        "on its way before the server read the Pull"
    );
    assert!(reader.page(12, 13, 100).is_empty());
    assert_eq!(seqs(&reader.page(10, 13, 100)), [11, 12, 13]);
    assert_eq!(seqs(&reader.publication(14)), [14]);
    assert_eq!((reader.stats().gaps, reader.stats().pulls), (1, 1));
    assert_eq!(pulls(&reader.page(15, 16, 100)), [14], "a page can reveal a gap too");
}

#[test]
fn a_page_may_repeat_what_is_known() {
    let mut reader = reader();
    assert_eq!(seqs(&reader.page(8, 12, 100)), [11, 12]);
    assert!(reader.page(8, 12, 100).is_empty());
    assert_eq!(reader.stats().duplicates, 6);
}

#[test]
fn lagging_ends_with_a_pull_from_the_last_message() {
    let mut reader = reader();
    reader.publication(11);
    assert_eq!(pulls(&reader.lagged(11)), [11]);
    assert_eq!(pulls(&reader.lagged(11)), [11], "lagged again, behind the Pull");
    assert_eq!(seqs(&reader.page(11, 14, 100)), [12, 13, 14]);

    assert_eq!(pulls(&reader.publication(16)), [14]);
    assert!(
        reader.lagged(17).is_empty(),
        "said before the server read the Pull, which ends it"
    );
}

#[test]
fn what_is_left_out_is_told() {
    let mut reader = reader();
    let effects = reader.skipped(15, 4);
    let events = events(effects);
    assert!(
        matches!(
            events[..],
            [Event::Skipped {
                to: 15,
                count: 4,
                reason: SkipReason::Slow
            }]
        ),
        "{events:?}"
    );
    assert!(reader.publication(15).is_empty());
    assert_eq!(seqs(&reader.publication(16)), [16]);
    assert!(reader.skipped(12, 1).is_empty(), "that was known already");
    assert_eq!(reader.stats().skipped, 4);
    reader.skipped(20, 4);
    reader.channel.detached(None);
    let from = reader.channel.attach(2).from;
    let unknown_term = v1::attach::From::Position(position(20, 0).to_wire());
    assert_eq!(
        from,
        Some(unknown_term),
        "nobody saw the message, so its term is not known"
    );
}

#[test]
fn a_jump_of_the_stream_before_a_pull_would_hide_what_came_before_it() {
    let mut reader = reader();
    assert_eq!(pulls(&reader.publication(12)), [10]);
    assert!(
        reader.skipped(20, 3).is_empty(),
        "it leaves out 18 to 20, and 11 to 17 are missing here"
    );
    assert_eq!(events(reader.skipped(20, 10)).len(), 1, "the answer to the Pull");
    assert_eq!(seqs(&reader.publication(21)), [21]);
}

#[test]
fn a_discontinuity_moves_the_reader_wherever_it_says() {
    let mut reader = reader();
    let lost = |epoch: &str, seq| v1::Discontinuity {
        channel_id: CHANNEL_ID,
        reason: v1::Reason::Truncated.into(),
        position: Some(v1::Position {
            epoch: epoch.into(),
            seq,
            term: 4,
        }),
    };
    let (outcome, effects) = reader.turn(|channel, turn| channel.discontinuity(lost("0-a", 50), turn));
    outcome.expect("on an attached channel");
    let told = events(effects);
    assert!(matches!(&told[..], [Event::Discontinuity { reason: Reason::Truncated, position }] if position.seq == 50));
    assert_eq!(seqs(&reader.publication(51)), [51]);

    let (outcome, effects) = reader.turn(|channel, turn| channel.discontinuity(lost("0-b", 2), turn));
    outcome.expect("on an attached channel");
    assert_eq!(events(effects).len(), 1);
    let message = events(reader.publication(3)).remove(0);
    assert!(matches!(message, Event::Message(message) if &*message.position.epoch == "0-b"));
}
