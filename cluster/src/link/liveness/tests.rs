//! Beats that come, fail to come, or are not looked at in time.

use super::*;

const BEAT: Duration = Duration::from_millis(200);
const HEARING: Duration = Duration::ZERO;

/// A peer that was linked at the start.
struct Watch {
    liveness: Liveness,
    start: Instant,
}

impl Watch {
    fn new() -> Self {
        let start = Instant::now();
        let mut liveness = Liveness::new(Heartbeats::default(), start);
        let mut out = Vec::new();
        liveness.linked(start, &mut out);
        assert_eq!(out, [Effect::Now(PeerState::Up, None)]);
        Self { liveness, start }
    }

    /// A tick so many milliseconds after the start, when the peer was heard last at `heard`.
    fn tick(&mut self, now: u64, heard: u64, deaf: Duration) -> Vec<Effect> {
        let at = |ms| self.start + Duration::from_millis(ms);
        let mut out = Vec::new();
        self.liveness.tick(at(now), at(heard), deaf, &mut out);
        out
    }

    /// Ticks on time over `span`, and when what was told of it.
    fn ticks(&mut self, span: std::ops::RangeInclusive<u64>, heard: u64) -> Vec<(u64, Effect)> {
        let times = span.step_by(200);
        times
            .flat_map(|now| {
                self.tick(now, heard, HEARING)
                    .into_iter()
                    .map(move |effect| (now, effect))
            })
            .collect()
    }
}

#[test]
fn a_silent_peer_is_suspected_after_three_beats_and_dead_after_a_second_and_a_half() {
    let mut watch = Watch::new();
    let told = watch.ticks(0..=3_000, 0);
    assert_eq!(
        told,
        [
            (800, Effect::Now(PeerState::Suspect, None)),
            (800, Effect::Probe),
            (1_600, Effect::Now(PeerState::Down, Some(Cause::Silent))),
        ]
    );
}

#[test]
fn a_port_that_refuses_ends_the_wait_and_one_that_answers_does_not() {
    for (answer, then) in [
        (
            Probed::Refused,
            vec![Effect::Now(PeerState::Down, Some(Cause::Refused))],
        ),
        (Probed::Unclear, vec![]),
    ] {
        let mut watch = Watch::new();
        watch.ticks(0..=800, 0);
        let mut out = Vec::new();
        watch.liveness.probed(answer, &mut out);
        assert_eq!(out, then);
    }
    let mut watch = Watch::new();
    let mut out = Vec::new();
    watch.liveness.probed(Probed::Refused, &mut out);
    assert!(out.is_empty(), "who is heard lives, whatever its port says");
}

#[test]
fn a_peer_that_is_heard_again_is_cleared() {
    let mut watch = Watch::new();
    watch.ticks(0..=1_200, 0);
    assert_eq!(watch.tick(1_400, 1_390, HEARING), [Effect::Now(PeerState::Up, None)]);
    assert!(watch.ticks(1_600..=1_800, 1_600).is_empty());
}

#[test]
fn a_starved_node_accuses_nobody() {
    for pause in [450, 1_000, 5_000, 60_000] {
        let mut watch = Watch::new();
        watch.ticks(0..=1_000, 1_000);
        // Nothing was read meanwhile, so nothing was heard.
        let back = 1_000 + pause;
        assert!(watch.tick(back, 1_000, HEARING).is_empty(), "{pause} ms");
        // What lay in the socket is read within the next beats.
        assert!(watch.tick(back + 200, 1_000, HEARING).is_empty(), "{pause} ms");
        assert!(
            watch
                .ticks(back + 400..=back + 2_000, back + 210)
                .iter()
                .all(|(now, _)| *now > back + 800)
        );
    }
}

#[test]
fn a_starved_node_finds_the_dead_a_little_later() {
    let mut watch = Watch::new();
    watch.ticks(0..=200, 200);
    let told = [watch.tick(1_400, 200, HEARING), Vec::new()].concat();
    assert!(told.is_empty());
    let told = watch.ticks(1_600..=12_000, 200);
    let down = told
        .iter()
        .find(|(_, effect)| matches!(effect, Effect::Now(PeerState::Down, _)));
    let (at, _) = down.expect("it is dead");
    assert!(*at > 2_600 && *at <= 4_000, "{at}");
}

#[test]
fn a_peer_that_does_not_hear_us_counts_as_silent() {
    let mut watch = Watch::new();
    let deaf = |ms| Duration::from_millis(ms);
    assert!(watch.tick(200, 190, deaf(300)).is_empty());
    assert_eq!(
        watch.tick(400, 390, deaf(700))[0],
        Effect::Now(PeerState::Suspect, None)
    );
    assert!(watch.tick(600, 590, deaf(900)).is_empty());
    let mut out = Vec::new();
    watch.liveness.broken(false, &mut out);
    assert!(out.is_empty(), "it is suspected already");
    // Without a link it does not hear us any better.
    assert!(watch.tick(1_000, 590, deaf(900)).is_empty());
    let told = watch.tick(1_200, 590, deaf(900));
    assert_eq!(told, [Effect::Now(PeerState::Down, Some(Cause::Deaf))]);
}

#[test]
fn a_node_that_was_starved_could_not_be_heard_and_does_not_blame_the_peer() {
    let mut watch = Watch::new();
    watch.ticks(0..=200, 200);
    assert!(watch.tick(5_200, 5_190, Duration::from_millis(5_000)).is_empty());
    assert!(watch.ticks(5_400..=7_000, 7_000).is_empty());
}

#[test]
fn a_broken_link_is_suspicious_at_once_and_a_farewell_is_the_end() {
    let mut watch = Watch::new();
    let mut out = Vec::new();
    watch.liveness.broken(false, &mut out);
    assert_eq!(out, [Effect::Now(PeerState::Suspect, None), Effect::Probe]);
    assert!(watch.ticks(200..=400, 0).is_empty(), "no link, so it cannot be heard");
    out.clear();
    watch.liveness.linked(watch.start + 2 * BEAT, &mut out);
    assert_eq!(out, [Effect::Now(PeerState::Up, None)]);
    out.clear();
    watch.liveness.broken(true, &mut out);
    assert_eq!(out, [Effect::Now(PeerState::Down, Some(Cause::Farewell))]);
    assert!(watch.ticks(600..=3_000, 0).is_empty());
}
