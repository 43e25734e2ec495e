//! What a channel says while its slot has other copies.

use super::*;

/// A channel of two messages at an owner that has to be confirmed, with nothing behind it.
fn shared() -> (Channel<u32>, Now) {
    let mut first = Owner::new(Config::default());
    first.anna(1);
    first.anna(2);
    let opening = Opening {
        term: Term(4),
        lineage: Lineage::of(first.view().epoch()).unwrap(),
        round: 9,
        seed: 1,
        copies: 2,
        standing: Ok(()),
        confirms: true,
        state: first.slot.channel(&name("t:a")).cloned(),
        tail: Vec::new(),
    };
    let channel = Channel::new(name("t:a"), Config::default(), opening, start());
    (channel, first.now)
}

fn attach(channel: &Channel<u32>, to: u32, epoch: Option<&str>, seq: u64, term: u64) -> Request<u32> {
    let epoch = epoch.map_or_else(
        || channel.view().unwrap().epoch().clone(),
        |epoch| Epoch::parse(epoch).unwrap(),
    );
    let (seq, term) = (Seq(seq), Term(term));
    let from = From::Position(Position { epoch, seq, term });
    Request::Attach { to, from }
}

fn retry(serial: u64) -> Request<u32> {
    Request::Publish(Publish {
        to: 1,
        origin: number(serial, serial),
        key: None,
        deleted: false,
        payload: Bytes::new(),
        since: NOON,
    })
}

/// The doubt of this number, of the opening above.
fn doubt(number: u64) -> Ticket {
    Ticket { round: 9, number }
}

fn turn(channel: &mut Channel<u32>, input: impl Into<Input<u32>>, now: Now) -> Effects {
    let mut out = Vec::new();
    channel.handle(input.into(), now, &mut out);
    out
}

#[test]
fn a_position_that_may_be_another_owners_is_asked_about() {
    let (mut channel, now) = shared();
    let foreign = "0-00000000deadbeef";
    // Ahead; of another term; of an epoch that another log, or this one later, made.
    for (number, (epoch, seq, term)) in (1..).zip([(None, 3, 4), (None, 2, 9), (Some(foreign), 1, 1)]) {
        let input = attach(&channel, number, epoch, seq, term);
        let through = doubt(u64::from(number));
        assert_eq!(turn(&mut channel, input, now), [Effect::Doubt { through }]);
    }
    assert!(!channel.is_idle(), "somebody waits");
    let before = Ticket { round: 8, number: 7 };
    let answered = turn(&mut channel, Input::Confirmed { through: before }, now);
    assert!(answered.is_empty(), "an earlier actor of the channel had asked");
    let answered = turn(&mut channel, Input::Confirmed { through: doubt(2) }, now);
    let reasons: Vec<_> = answered.iter().map(outcome).collect();
    assert_eq!(reasons, [Some(Reason::PositionAhead), Some(Reason::Forked)]);
    let answered = turn(&mut channel, Input::Confirmed { through: doubt(3) }, now);
    assert_eq!(
        answered.iter().map(outcome).collect::<Vec<_>>(),
        [Some(Reason::NodeRestarted)]
    );
    assert!(channel.is_idle());
}

fn outcome(effect: &Effect<u32>) -> Option<Reason> {
    match effect {
        Effect::Attached { attachment, .. } => match attachment.outcome {
            Outcome::Discontinuity(reason) => Some(reason),
            _ => None,
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_position_that_proves_nothing_is_answered_at_once() {
    let (mut channel, now) = shared();
    for (epoch, seq, term) in [(None, 2, 3), (None, 0, 0), (Some("never-ours"), 1, 1)] {
        let input = attach(&channel, 1, epoch, seq, term);
        let effects = turn(&mut channel, input, now);
        assert!(matches!(effects[..], [Effect::Attached { .. }]), "{effects:?}");
    }
    let range = |epoch: &Epoch, after| Range {
        epoch: Some(epoch.clone()),
        after: Seq(after),
        bytes_max: 100,
        messages_max: 9,
    };
    let epoch = channel.view().unwrap().epoch().clone();
    let read = Request::Read {
        to: 1,
        range: range(&epoch, 1),
    };
    assert!(matches!(turn(&mut channel, read, now)[..], [Effect::Page { .. }]));
    let ahead = Request::Read {
        to: 1,
        range: range(&epoch, 7),
    };
    assert_eq!(turn(&mut channel, ahead, now), [Effect::Doubt { through: doubt(1) }]);
}

#[test]
fn who_waits_for_a_confirmation_is_told_when_the_slot_is_gone() {
    let (mut channel, now) = shared();
    let input = attach(&channel, 5, None, 3, 4);
    turn(&mut channel, input, now);
    assert_eq!(channel.into_waiting().collect::<Vec<_>>(), [5]);
}

#[test]
fn nothing_is_acknowledged_without_copies() {
    let (mut channel, now) = shared();
    let proposed = turn(&mut channel, retry(3), now);
    assert!(matches!(proposed[..], [Effect::Propose(_)]));
    let lacking = Err(Refusal::InsufficientReplicas);
    let refused = |to| Effect::Refuse {
        to,
        refusal: Refusal::InsufficientReplicas,
    };
    assert_eq!(
        turn(&mut channel, Input::Standing(lacking), now),
        [refused(1)],
        "it waited"
    );
    // A repetition would be told that copies hold it; a new one has nowhere to go.
    for serial in [2, 3, 4] {
        assert_eq!(turn(&mut channel, retry(serial), now), [refused(1)]);
    }
    let input = attach(&channel, 1, None, 2, 3);
    assert!(
        matches!(turn(&mut channel, input, now)[..], [Effect::Attached { .. }]),
        "reads go on"
    );
    turn(&mut channel, Input::Standing(Ok(())), now);
    assert!(matches!(turn(&mut channel, retry(2), now)[..], [Effect::Ack { .. }]));
    assert!(
        turn(&mut channel, retry(3), now).is_empty(),
        "it may still be committed"
    );
}
