//! When the slot asks to be woken, and whom it asks then.

use super::*;

fn at(seconds: u64) -> Instant {
    start() + Duration::from_secs(seconds)
}

fn wakes(slot: &mut Slot, input: Input, now: Instant) -> Vec<Instant> {
    let mut out = Vec::new();
    slot.handle(input, now, &mut out);
    let wakes = out.into_iter().filter_map(|effect| match effect {
        Effect::Wake { at, timer } => {
            assert_eq!(timer, Timer::Due);
            Some(at)
        }
        _ => None,
    });
    wakes.collect()
}

fn due(slot: &mut Slot, seconds: u64) -> Vec<ChannelName> {
    let effects = turn_at(slot, Input::Wake(Timer::Due), at(seconds));
    let names = effects.into_iter().map(|effect| match effect {
        Effect::Due { channel } => channel,
        other => panic!("{other:?}"),
    });
    names.collect()
}

#[test]
fn a_wake_is_asked_for_when_the_first_due_comes_earlier() {
    let mut slot = slot(Config::default());
    let channel = name("t:a");
    assert_eq!(wakes(&mut slot, Input::Open { channel }, at(0)), [], "nothing is due");
    let day = 24 * 3600;
    let round = slot.rounds[&name("t:a")];
    assert_eq!(
        wakes(&mut slot, propose("t:a", round, vec![create()]), at(0)),
        [at(day)]
    );
    assert_eq!(
        wakes(&mut slot, propose("t:a", round, vec![publish(1)]), at(1)),
        [at(136)]
    );
    assert_eq!(wakes(&mut slot, propose("t:a", round, vec![publish(2)]), at(2)), []);
    let early = wakes(&mut slot, Input::Wake(Timer::Due), at(100));
    assert_eq!(early, [], "it is not what was asked for, and that is on its way");
    assert_eq!(wakes(&mut slot, Input::Restarted, at(101)), [at(136)], "it is lost");
}

#[test]
fn a_channel_is_asked_when_something_is_due_and_again_if_nothing_came_of_it() {
    let mut slot = slot(Config::default());
    filled(&mut slot, "t:a", 1);
    assert_eq!(due(&mut slot, 134), []);
    assert_eq!(due(&mut slot, 135), [name("t:a")]);
    assert_eq!(due(&mut slot, 136), []);
    assert_eq!(due(&mut slot, 165), [name("t:a")]);
    let round = open(&mut slot, "t:a").round;
    let truncate = Change::Truncate { floor: Seq(2) };
    turn_at(&mut slot, propose("t:a", round, vec![truncate]), at(166));
    assert_eq!(due(&mut slot, 195), []);
    assert_eq!(due(&mut slot, 24 * 3600 - 1), []);
    assert_eq!(due(&mut slot, 24 * 3600), [name("t:a")], "then its head");
}

#[test]
fn a_use_that_left_no_entry_counts() {
    let mut slot = slot(Config::default());
    let round = open(&mut slot, "t:a").round;
    turn(&mut slot, propose("t:a", round, vec![create()]));
    let channel = name("t:a");
    turn(&mut slot, Input::Used { channel, at: at(1_000) });
    let channel = name("t:a");
    turn(&mut slot, Input::Used { channel, at: at(500) });
    assert_eq!(due(&mut slot, 24 * 3600), []);
    assert_eq!(due(&mut slot, 24 * 3600 + 999), []);
    assert_eq!(due(&mut slot, 24 * 3600 + 1_000), [name("t:a")]);
}

#[test]
fn few_channels_are_looked_at_in_one_turn() {
    let mut slot = slot(Config::default());
    for n in 0..LOOKS_MAX + 10 {
        filled(&mut slot, &format!("t:{n}"), 1);
    }
    assert_eq!(due(&mut slot, 135).len(), LOOKS_MAX);
    assert_eq!(wakes(&mut slot, Input::Wake(Timer::Due), at(135)), [at(165)]);
    assert_eq!(due(&mut slot, 164), []);
}

#[test]
fn a_forgotten_channel_is_not_asked() {
    let mut slot = slot(Config::default());
    filled(&mut slot, "t:a", 1);
    let round = open(&mut slot, "t:a").round;
    turn(&mut slot, propose("t:a", round, vec![Change::ForgetHead]));
    assert_eq!(due(&mut slot, 30 * 3600), []);
    assert_eq!(slot.channels().count(), 0);
}
