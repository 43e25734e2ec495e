//! Single rules.

use super::*;

fn handle(relay: &mut Relay<u64>, input: Input<u64>, now: Instant) -> Vec<Effect<u64>> {
    let mut out = Vec::new();
    relay.handle(input, now, &mut out);
    out.retain(|effect| !matches!(effect, Effect::Wake { .. }));
    out
}

fn anonymous(to: u64) -> Request<u64> {
    Request::Publish(Publish {
        to,
        origin: Origin::Anonymous,
        key: None,
        deleted: false,
        payload: Bytes::new(),
        since: WallTime(0),
    })
}

fn refused(to: u64, refusal: Refusal) -> Effect<u64> {
    Effect::Answer {
        to,
        answer: Answer::Refused(refusal),
    }
}

#[test]
fn what_may_have_been_published_and_is_not_recognised_is_not_sent_again() {
    let now = start();
    let mut relay = Relay::new(0, Some(node(0)), None);
    handle(&mut relay, Input::Request(anonymous(1)), now);
    let out = handle(&mut relay, Input::Route(Some(node(1))), now);
    assert_eq!(out, [refused(1, Refusal::Unavailable)]);
    assert!(relay.is_idle());
}

#[test]
fn what_was_never_sent_waits_for_an_owner_and_is_refused_in_the_end() {
    let now = start();
    let mut relay = Relay::new(0, None, None);
    assert_eq!(handle(&mut relay, Input::Request(anonymous(1)), now), []);
    let out = handle(&mut relay, Input::Wake, now + PATIENCE - Duration::from_millis(1));
    assert_eq!(out, []);
    let out = handle(&mut relay, Input::Wake, now + PATIENCE);
    assert_eq!(out, [refused(1, Refusal::Unavailable)]);
    handle(&mut relay, Input::Request(anonymous(2)), now);
    let out = handle(&mut relay, Input::Route(Some(node(1))), now);
    assert!(matches!(&out[..], [Effect::Send { to, .. }] if *to == node(1)));
}

#[test]
fn a_way_that_is_full_is_told() {
    let now = start();
    let mut relay = Relay::new(0, Some(node(0)), None);
    handle(&mut relay, Input::Request(anonymous(1)), now);
    let out = handle(&mut relay, Input::Unsent { number: 1 }, now);
    assert_eq!(out, [refused(1, Refusal::Busy)]);
}

#[test]
fn messages_that_nobody_reads_are_answered_with_leave() {
    let now = start();
    let mut relay = Relay::new(0, Some(node(0)), None);
    let told = Told::Live {
        epoch: epoch(0),
        messages: Vec::new(),
    };
    let from = node(0);
    let out = handle(&mut relay, Input::Told { from, told }, now);
    assert!(matches!(
        &out[..],
        [Effect::Send {
            asked: Asked::Leave,
            ..
        }]
    ));
}

#[test]
fn what_is_left_goes_to_the_channel_itself_in_order() {
    let now = start();
    let mut relay = Relay::new(0, Some(node(0)), None);
    for to in 1..=3 {
        handle(&mut relay, Input::Request(anonymous(to)), now);
    }
    let (requests, joining) = relay.into_requests();
    assert_eq!(
        requests.into_iter().map(Request::into_asker).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert!(joining.is_empty());
}

#[test]
fn an_answer_to_a_relay_that_was_here_before_is_none_to_this_one() {
    let now = start();
    let number_of_first = |nth| {
        let mut relay = Relay::new(nth, Some(node(0)), None);
        let out = handle(&mut relay, Input::Request(anonymous(1)), now);
        match &out[..] {
            [
                Effect::Send {
                    asked: Asked::Request(request),
                    ..
                },
            ] => request.number(),
            out => panic!("it is asked of the owner: {out:?}"),
        }
    };
    assert_ne!(number_of_first(1), number_of_first(2));
}
