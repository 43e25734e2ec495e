//! Connections that come, speak for themselves and for others, and go.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::id::{Generation, NodeName};

fn gateway(nth: u64) -> NodeId {
    NodeId {
        name: NodeName::parse("gateway").unwrap(),
        generation: Generation(nth),
    }
}

fn holder(connection: u64) -> Holder {
    Holder {
        gateway: gateway(1),
        connection,
    }
}

/// A document, and whoever is told.
struct Room(Awareness);

impl Room {
    fn new() -> Self {
        Self(Awareness::new(Limits::CLIENT))
    }

    fn turn(&mut self, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        self.0.handle(input, &mut out);
        out
    }

    fn says(&mut self, by: u64, entries: &[(u64, u64, &str)]) -> Vec<Effect> {
        let states = encode(entries);
        self.turn(Input::Said { by: holder(by), states })
    }

    fn all(&mut self) -> Bytes {
        match &self.turn(Input::Asked { by: holder(99) })[..] {
            [Effect::Answer { states, .. }] => states.clone(),
            other => panic!("{other:?}"),
        }
    }
}

fn tell(entries: &[(u64, u64, &str)]) -> Effect {
    Effect::Tell(encode(entries))
}

#[test]
fn the_newer_clock_wins_and_all_are_told_once_encoded() {
    let mut room = Room::new();
    assert_eq!(room.all(), encode(&[]));
    let golden = Bytes::from_static(b"\x01\x01\x00\x02{}");
    let effects = room.turn(Input::Said {
        by: holder(1),
        states: golden.clone(),
    });
    assert_eq!(effects, [Effect::Tell(golden)], "as it came");
    assert_eq!(room.says(1, &[(1, 2, "\"b\"")]), [tell(&[(1, 2, "\"b\"")])]);
    for old in [(1, 1, "\"a\""), (1, 2, "\"c\""), (1, 1, "null")] {
        assert_eq!(room.says(1, &[old]), []);
    }
    assert_eq!(room.all(), encode(&[(1, 2, "\"b\"")]));
    assert_eq!(room.all().as_ptr(), room.all().as_ptr(), "shared by all who ask");
    // Taking a state away needs no newer clock.
    assert_eq!(room.says(1, &[(1, 2, "null")]), [tell(&[(1, 2, "null")])]);
    assert_eq!((room.all(), room.0.is_empty()), (encode(&[]), true));
    assert_eq!(room.says(1, &[(1, 3, "{}")]), [tell(&[(1, 3, "{}")])]);
}

#[test]
fn nobody_speaks_for_the_client_of_another() {
    let mut room = Room::new();
    room.says(1, &[(1, 1, "{}")]);
    // An echo of client 1 beside an own state, as y-websocket sends it.
    assert_eq!(
        room.says(2, &[(1, 9, "\"forged\""), (2, 1, "{}")]),
        [tell(&[(2, 1, "{}")])]
    );
    assert_eq!(room.says(2, &[(1, 9, "null")]), []);
    assert_eq!(room.all(), encode(&[(1, 1, "{}"), (2, 1, "{}")]));
}

#[test]
fn states_go_with_their_connection_and_with_their_gateway() {
    let mut room = Room::new();
    room.says(1, &[(1, 4, "{}"), (7, 0, "{}")]);
    room.says(2, &[(2, 1, "{}")]);
    let other = Holder {
        gateway: gateway(2),
        connection: 1,
    };
    let states = encode(&[(3, 8, "{}")]);
    room.turn(Input::Said { by: other, states });
    assert_eq!(
        room.turn(Input::Left(holder(1))),
        [tell(&[(1, 5, "null"), (7, 1, "null")])]
    );
    assert_eq!(room.turn(Input::Left(holder(1))), [], "once");
    assert_eq!(room.turn(Input::GatewayGone(gateway(1))), [tell(&[(2, 2, "null")])]);
    assert_eq!(
        room.all(),
        encode(&[(3, 8, "{}")]),
        "another process of that name stays"
    );
}

#[test]
fn a_late_echo_brings_no_ghost_back_and_who_returns_counts_on() {
    let mut room = Room::new();
    room.says(1, &[(1, 4, "{}")]);
    room.says(2, &[(2, 1, "{}")]);
    room.turn(Input::Left(holder(1)));
    assert_eq!(room.says(2, &[(1, 4, "{}"), (1 << 40, 0, "null")]), [], "an echo");
    // The client itself, on a new connection, with the clock it had.
    let returned = room.says(3, &[(1, 4, "{}")]);
    let states = encode(&[(1, 5, "null")]);
    assert_eq!(returned, [Effect::Answer { to: holder(3), states }]);
    assert_eq!(room.says(3, &[(1, 6, "{}")]), [tell(&[(1, 6, "{}")])]);
    assert_eq!(room.0.len(), 2);
}

#[test]
fn there_is_room_for_so_many_clients() {
    let mut room = Room::new();
    let limit = |effects: &[Effect]| match effects {
        [
            Effect::Refuse {
                flaw: Flaw::Limit { limit, max },
                ..
            },
        ] => (*limit, *max),
        other => panic!("{other:?}"),
    };
    let many: Vec<_> = (0..17).map(|client| (client, 1, "{}")).collect();
    assert_eq!(
        limit(&room.says(1, &many)),
        (Limit::AwarenessClients, CLIENTS_OF_A_CONNECTION_MAX)
    );
    assert_eq!(room.0.len(), 0, "none of it");
    for connection in 0..64 {
        let many: Vec<_> = (0..16).map(|client| (connection * 16 + client, 1, "{}")).collect();
        assert_eq!(room.says(connection, &many).len(), 1);
    }
    assert_eq!(
        limit(&room.says(64, &[(5_000, 1, "{}")])),
        (Limit::AwarenessClients, 1_024)
    );
    assert_eq!(room.says(0, &[(0, 2, "{}")]).len(), 1, "those who are in it go on");
    assert!(matches!(
        room.says(0, &[(0, 3, &"x".repeat(20_000))])[..],
        [Effect::Refuse { .. }]
    ));
    assert_eq!(room.turn(Input::GatewayGone(gateway(1))).len(), 1);
    assert!(room.0.is_empty());
}

#[test]
fn those_who_went_are_forgotten_in_time() {
    let mut room = Room::new();
    for client in 0..5_000 {
        room.says(client, &[(client, 1, "{}")]);
        room.turn(Input::Left(holder(client)));
    }
    assert_eq!((room.0.gone.len(), room.0.gone_order.len()), (GONE_MAX, GONE_MAX));
    assert_eq!(
        room.says(1, &[(0, 1, "{}")]),
        [tell(&[(0, 1, "{}")])],
        "nobody knows that it was here"
    );
}

/// Whoever heard everything knows what one who asks is told.
#[test]
fn what_was_told_adds_up_to_what_is_answered() {
    for seed in 0..200 {
        let mut dice = SmallRng::seed_from_u64(seed);
        let mut room = Room::new();
        let mut heard: BTreeMap<u64, (u64, String)> = BTreeMap::new();
        for clock in 0..300 {
            let connection = dice.random_range(0..6);
            let effects = match dice.random_range(0..12) {
                0 => room.turn(Input::Left(holder(connection))),
                1 if dice.random_bool(0.1) => room.turn(Input::GatewayGone(gateway(1))),
                _ => {
                    let state = ["{}", "null", "\"here\""][dice.random_range(0..3)];
                    let clock = clock - dice.random_range(0..3).min(clock);
                    room.says(connection, &[(dice.random_range(0..8), clock, state)])
                }
            };
            for effect in effects {
                let Effect::Tell(states) = effect else {
                    continue;
                };
                for entry in scan::awareness(&states, &Limits::CLIENT).unwrap() {
                    let known = heard.get(&entry.client);
                    let is_newer = known.is_none_or(|(clock, _)| entry.clock > *clock);
                    assert!(is_newer || entry.state == "null", "seed {seed}: told what nobody takes");
                    heard.insert(entry.client, (entry.clock, entry.state.to_owned()));
                }
            }
        }
        let shown = heard.iter().filter(|(_, (_, state))| state != "null");
        let shown: Vec<_> = shown
            .map(|(client, (clock, state))| (*client, *clock, state.as_str()))
            .collect();
        assert_eq!(room.all(), encode(&shown), "seed {seed}");
    }
}
