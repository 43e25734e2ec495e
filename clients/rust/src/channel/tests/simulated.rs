//! A reader against a server that lags, repeats and jumps, on a line with delay: every message once and in order.

use std::collections::VecDeque;

use fastrand::Rng;

use super::*;

/// Messages of a run: several times what any queue or line holds.
const MESSAGES: u64 = 400;

/// A server that keeps all of history, serves one reader, and makes no mistakes but the allowed ones.
struct Server {
    head: u64,
    cursor: u64,
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Live,
    Paging,
    Lagged,
}

enum Frame {
    Publication(u64),
    Page(u64, u64),
    Lagged(u64),
}

impl Server {
    fn step(&mut self, rng: &mut Rng, line: &mut VecDeque<Frame>) {
        match self.mode {
            Mode::Live if self.head - self.cursor > 8 => {
                self.mode = Mode::Lagged;
                line.push_back(Frame::Lagged(self.cursor));
            }
            Mode::Live if self.cursor < self.head => {
                // A mistake: the line lost a frame, or the server sent one twice.
                self.cursor = match rng.u8(..20) {
                    0 => (self.cursor + 2).min(self.head),
                    1 => self.cursor.max(1),
                    _ => self.cursor + 1,
                };
                line.push_back(Frame::Publication(self.cursor));
            }
            Mode::Paging => {
                let after = if rng.u8(..6) == 0 {
                    self.cursor.saturating_sub(3)
                } else {
                    self.cursor
                };
                let through = (self.cursor + rng.u64(1..30)).min(self.head);
                if through > after {
                    line.push_back(Frame::Page(after, through));
                }
                self.cursor = through;
                if self.cursor == self.head {
                    self.mode = Mode::Live;
                }
            }
            Mode::Live | Mode::Lagged => {}
        }
    }

    fn pulled(&mut self, seq: u64) {
        assert!(seq <= self.head, "a Pull ahead of the channel");
        (self.cursor, self.mode) = (seq, Mode::Paging);
    }
}

#[test]
fn every_message_comes_once_and_in_order() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    for seed in (0..300).map(|run| seed.wrapping_add(run)) {
        println!("SEED={seed}");
        run(&mut Rng::with_seed(seed));
    }
}

fn run(rng: &mut Rng) {
    let options = SubscribeOptions {
        queue_events: rng.usize(1..20),
        ..SubscribeOptions::default()
    };
    let mut reader = Reader::attached(options, 0);
    let mut server = Server {
        head: 0,
        cursor: 0,
        mode: Mode::Live,
    };
    let (mut down, mut up) = (VecDeque::new(), VecDeque::new());
    let mut queue: VecDeque<Effect> = VecDeque::new();
    let all = reader.channel.room().taken_all();
    reader.turn(|channel, turn| channel.taken(all, turn));

    let mut seen = 0;
    for step in 0.. {
        assert!(step < 200_000, "stuck after {seen} of {MESSAGES}");
        if seen == MESSAGES {
            break;
        }
        if server.head < MESSAGES && rng.u8(..4) == 0 {
            server.head += 1;
        }
        if down.len() < 12 {
            server.step(rng, &mut down);
        }
        // The last messages can get lost only if more follow, so the end is repeated.
        if server.head == MESSAGES && down.is_empty() && server.mode == Mode::Live && server.cursor == MESSAGES {
            down.push_back(Frame::Publication(MESSAGES));
        }
        let effects = match rng.u8(..3) {
            0 => match down.pop_front() {
                Some(Frame::Publication(seq)) => reader.publication(seq),
                Some(Frame::Page(after, through)) => reader.page(after, through, 10),
                Some(Frame::Lagged(seq)) => reader.lagged(seq),
                None => Vec::new(),
            },
            1 => {
                if let Some(seq) = up.pop_front() {
                    server.pulled(seq);
                }
                Vec::new()
            }
            _ => match queue.pop_front() {
                Some(Effect::Deliver {
                    item:
                        crate::queue::Item {
                            event: Event::Message(message),
                            cost,
                            ..
                        },
                    ..
                }) => {
                    seen += 1;
                    assert_eq!(message.position.seq, seen, "once and in order");
                    let mut taken = Taken::default();
                    taken.add(cost);
                    reader.turn(|channel, turn| channel.taken(taken, turn)).1
                }
                Some(other) => panic!("{other:?}"),
                None => Vec::new(),
            },
        };
        if let Some(grant) = reader.common.credit.grant() {
            assert!(grant.bytes > 0);
        }
        for effect in effects {
            match effect {
                Effect::Send(client_frame::Body::Pull(pull)) => up.push_back(pull.seq),
                other => queue.push_back(other),
            }
        }
    }
}
