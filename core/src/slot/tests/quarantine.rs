//! Channels that are set aside.

use super::*;

fn quarantine(slot: &mut Slot) {
    let channel = name("t:a");
    assert_eq!(turn(slot, Input::Quarantine { channel }), []);
}

#[test]
fn nothing_is_taken_until_it_is_released() {
    let mut slot = slot(Config::default());
    filled(&mut slot, "t:a", 1);
    let round = open(&mut slot, "t:a").round;
    quarantine(&mut slot);
    assert!(slot.is_quarantined(&name("t:a")));
    let effects = turn(&mut slot, propose("t:a", round, vec![publish(2)]));
    assert!(
        matches!(
            effects.as_slice(),
            [Effect::Refused {
                reason: Refusal::Quarantined,
                ..
            }]
        ),
        "{effects:?}"
    );
    let channel = name("t:a");
    let barred = turn(&mut slot, Input::Open { channel });
    let channel = name("t:a");
    let reason = Refusal::Quarantined;
    assert_eq!(barred, [Effect::Barred { channel, reason }]);
    let channel = name("t:a");
    turn(&mut slot, Input::Release { channel });
    let round = open(&mut slot, "t:a").round;
    assert_eq!(turn(&mut slot, propose("t:a", round, vec![publish(2)])).len(), 1);
    assert_eq!(slot.channel(&name("t:a")).unwrap().view().head(), Seq(2));
}

#[test]
fn the_other_channels_go_on() {
    let mut slot = slot(Config::default());
    filled(&mut slot, "t:a", 1);
    quarantine(&mut slot);
    filled(&mut slot, "t:b", 3);
}

#[test]
fn what_does_not_fit_sets_its_channel_aside() {
    let unsound = [
        vec![publish(1)],
        vec![create(), create()],
        vec![create(), publish(2)],
        vec![create(), publish(1), publish(1)],
        vec![create(), Change::Truncate { floor: Seq(2) }],
        vec![create(), Change::ExpireKeys { through: Seq(1) }],
    ];
    for changes in unsound {
        let mut slot = slot(Config::default());
        let round = open(&mut slot, "t:a").round;
        let count = changes.len();
        let effects = turn(&mut slot, propose("t:a", round, changes));
        assert!(
            matches!(
                effects.last(),
                Some(Effect::Refused {
                    reason: Refusal::Quarantined,
                    ..
                })
            ),
            "{effects:?}"
        );
        assert!(slot.is_quarantined(&name("t:a")));
        assert_eq!(slot.committed(), Index(count as u64), "the log itself goes on");
    }
}

#[test]
fn what_a_quarantined_channel_owes_is_due_once_it_is_released() {
    let mut slot = slot(Config::default());
    filled(&mut slot, "t:a", 1);
    quarantine(&mut slot);
    let late = start() + Duration::from_secs(1_000);
    assert_eq!(turn_at(&mut slot, Input::Wake(Timer::Due), late), []);
    let channel = name("t:a");
    let released = turn_at(&mut slot, Input::Release { channel }, late);
    let channel = name("t:a");
    assert_eq!(released, [Effect::Due { channel }]);
}
