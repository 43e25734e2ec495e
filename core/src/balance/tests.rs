//! The rule alone, and several nodes that go by it with counts that are old.

use std::collections::VecDeque;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};

use super::*;

fn surplus(own: u32, others: &[u32]) -> u32 {
    Census::of(own, others.iter().copied()).surplus()
}

#[test]
fn who_has_its_share_sends_nobody() {
    assert_eq!(surplus(0, &[]), 0);
    assert_eq!(surplus(90_000, &[]), 0, "alone");
    assert_eq!(surplus(1_100, &[1_000, 900]), 0, "a tenth above the mean");
    assert_eq!(surplus(100, &[0]), 0, "so few are not worth it");
    assert_eq!(surplus(300, &[0, 300]), 0, "a hundred above the mean");
    assert_eq!(surplus(0, &[3_000, 3_000]), 0);
}

#[test]
fn who_has_more_sends_half_of_it_or_what_others_take_in() {
    assert_eq!(surplus(302, &[0, 1]), 101, "half");
    assert_eq!(surplus(1_500, &[1_500, 0]), 150, "both send, and one has room");
    assert_eq!(surplus(3_000, &[0, 0]), 600, "two have room");
    assert_eq!(surplus(90_000, &[0]), 300, "no more than another takes in");
    let many = [&[1_000; 400][..], &[0]].concat();
    assert_eq!(surplus(1_200, &many), 101, "half, for no other is crowded");
    let many = [&[1_000_u32; 400][..], &[0; 200]].concat();
    assert_eq!(surplus(1_000, &many), 149);
    let one_has_room = [&[2_000_u32; 400][..], &[0]].concat();
    assert_eq!(surplus(2_500, &one_has_room), 252);
    assert_eq!(surplus(u32::MAX, &[u32::MAX, 0]), 150, "no number overflows");
}

#[test]
fn those_have_room_that_have_less_than_the_mean() {
    let census = Census::of(1_500, [1_500, 0].into_iter());
    assert!(census.has_room(0) && census.has_room(999) && !census.has_room(1_000));
}

#[test]
fn in_vain_it_asks_less_and_less_often() {
    let mut balancer = Balancer::default();
    let census = Census::of(1_000, [0].into_iter());
    let mut rounds = (0..3_000).filter(|_| balancer.round(&census) > 0);
    let mut last = rounds.next().expect("it tries");
    let mut gaps = Vec::new();
    for round in rounds {
        gaps.push(round - last);
        last = round;
    }
    assert_eq!(gaps[..7], [1, 2, 4, 6, 10, 18, 34]);
    assert_eq!(gaps.iter().max(), Some(&(PAUSE_MAX + 2)));
    let mut days = Balancer {
        before: 1_000,
        calm: CALM,
        in_vain: 40,
        ..Balancer::default()
    };
    assert_eq!(
        [days.round(&census), days.round(&census), days.round(&census)],
        [250, 0, 0]
    );
    assert_eq!(days.pause, PAUSE_MAX - 1);
}

#[test]
fn when_it_helps_at_last_it_goes_on() {
    let mut balancer = Balancer {
        before: 1_000,
        calm: CALM,
        in_vain: 4,
        ..Balancer::default()
    };
    let mut round = |own: u32| balancer.round(&Census::of(own, [1_000 - own].into_iter()));
    assert_eq!([round(1_000), round(750)], [250, 0], "it sees first");
    assert_eq!([round(750), round(625)], [125, 63]);
    assert_eq!(balancer.in_vain, 0);
}

#[test]
fn as_long_as_clients_come_in_numbers_it_waits() {
    let mut balancer = Balancer::default();
    let mut round = |own| balancer.round(&Census::of(own, [0, 0].into_iter()));
    // The others have as many, and have not said so.
    assert_eq!([round(250), round(500), round(750), round(800)], [0; 4]);
    assert_eq!(round(800), 267, "it is true");
    assert_eq!([round(1_500), round(1_500)], [0; 2]);
    assert_eq!(round(1_500), 500, "a crowd that came meanwhile was not sent in vain");
}

/// Nodes that go by the rule. What each knows of the others is up to two rounds old.
struct Nodes {
    loads: Vec<u32>,
    said: VecDeque<Vec<u32>>,
    balancers: Vec<Balancer>,
    moved: u32,
    path: Path,
}

/// Where clients come to that are sent away.
enum Path {
    /// To a node with room.
    Told,
    /// So too, but that they cannot get in at the last node, and come to another instead.
    LastClosed,
    /// To whichever a load balancer draws.
    Drawn,
}

impl Nodes {
    fn new(loads: Vec<u32>) -> Self {
        Self {
            said: VecDeque::from([loads.clone(), loads.clone()]),
            balancers: vec![Balancer::default(); loads.len()],
            loads,
            moved: 0,
            path: Path::Told,
        }
    }

    /// Each node decides once, in any order; whoever is sent away comes to one that was said to have room.
    fn round(&mut self, random: &mut StdRng) {
        let mut order: Vec<_> = (0..self.loads.len()).collect();
        order.shuffle(random);
        for node in order {
            let heard: Vec<_> = (0..self.loads.len())
                .map(|other| self.said[random.random_range(..self.said.len())][other])
                .collect();
            let others = (0..heard.len())
                .filter(|other| *other != node)
                .map(|other| heard[other]);
            let census = Census::of(self.loads[node], others);
            let sent = self.balancers[node].round(&census);
            let roomy: Vec<_> = (0..heard.len())
                .filter(|other| *other != node && census.has_room(heard[*other]))
                .collect();
            for _ in 0..sent {
                self.loads[node] -= 1;
                let told = *roomy.choose(random).expect("one has room");
                let to = match self.path {
                    Path::LastClosed if told == self.loads.len() - 1 => random.random_range(..told),
                    Path::LastClosed | Path::Told => told,
                    Path::Drawn => random.random_range(..self.loads.len()),
                };
                self.loads[to] += 1;
            }
            self.moved += sent;
        }
        self.said.pop_front();
        self.said.push_back(self.loads.clone());
    }

    fn is_even(&self) -> bool {
        let mean = self.loads.iter().sum::<u32>() / self.loads.len() as u32;
        self.loads.iter().all(|load| !is_crowded(*load, mean))
    }
}

#[test]
fn nodes_that_go_by_it_are_soon_even_and_then_rest() {
    for seed in 0..2_000 {
        let mut random = StdRng::seed_from_u64(seed);
        let loads: Vec<_> = (0..random.random_range(2..12_usize))
            .map(|_| {
                if random.random() {
                    random.random_range(..20_000)
                } else {
                    0
                }
            })
            .collect();
        let mean = loads.iter().sum::<u32>() / loads.len() as u32;
        let too_many: u32 = loads.iter().map(|load| load.saturating_sub(mean)).sum();
        let mut nodes = Nodes::new(loads.clone());
        let (mut rounds, mut quiet) = (0, 0);
        // As long as nothing moves nothing changes, but for a node that waits because it helped nothing.
        while quiet < 40 {
            let before = nodes.moved;
            nodes.round(&mut random);
            quiet = if nodes.moved == before { quiet + 1 } else { 0 };
            rounds += 1;
            assert!(rounds < 300, "seed {seed}: {loads:?} became {:?}", nodes.loads);
        }
        assert!(nodes.is_even(), "seed {seed}: {loads:?} became {:?}", nodes.loads);
        let moved = nodes.moved;
        assert!(
            moved <= too_many + too_many / 4 + 600,
            "seed {seed}: {moved} moved where {too_many} were too many"
        );
    }
}

#[test]
fn a_crowd_that_comes_to_all_is_left_where_it_is() {
    for seed in 0..500 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut nodes = Nodes::new(vec![0; 3]);
        let pace = random.random_range(1..3_000);
        for _ in 0..random.random_range(1..20) {
            nodes.loads.iter_mut().for_each(|load| *load += pace);
            nodes.round(&mut random);
        }
        (0..20).for_each(|_| nodes.round(&mut random));
        assert_eq!(nodes.moved, 0, "seed {seed}: {pace} a round");
    }
}

#[test]
fn three_nodes_of_which_one_came_back_are_even_within_half_a_minute() {
    let mut random = StdRng::seed_from_u64(3);
    let mut nodes = Nodes::new(vec![1_500, 1_500, 0]);
    for _ in 0..9 {
        nodes.round(&mut random);
    }
    assert!(nodes.is_even(), "{:?}", nodes.loads);
}

#[test]
fn a_node_that_clients_cannot_reach_does_not_have_the_others_swing() {
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut nodes = Nodes::new(vec![3_000, 0, 0]);
        nodes.path = Path::LastClosed;
        (0..1_000).for_each(|_| nodes.round(&mut random));
        let moved = nodes.moved;
        (0..1_000).for_each(|_| nodes.round(&mut random));
        let more = nodes.moved - moved;
        assert!(more < 3_000, "seed {seed}: {more} moved in fifty minutes, for nothing");
    }
}

#[test]
fn behind_a_load_balancer_they_become_even_too() {
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut nodes = Nodes::new(vec![15_000, 15_000, 0]);
        nodes.path = Path::Drawn;
        let mut rounds = 0;
        while !nodes.is_even() {
            nodes.round(&mut random);
            rounds += 1;
            assert!(rounds < 600, "seed {seed}: {:?} after half an hour", nodes.loads);
        }
    }
}
