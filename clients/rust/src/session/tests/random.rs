//! Servers that say anything: the client may hang up on them, and never breaks.

use fastrand::Rng;
use starling_protocol::frame::{decode_server, encode_server};

use super::presence::taken;
use super::*;

/// Frames of a run.
const FRAMES: usize = 300;

#[test]
fn nothing_a_server_says_breaks_a_client() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    let (mut messages, mut acknowledged, mut violations, mut told) = (0, 0, 0, 0);
    for seed in (0..400).map(|run| seed.wrapping_add(run)) {
        println!("SEED={seed}");
        let stats = run(&mut Rng::with_seed(seed), &mut told);
        messages += stats.messages;
        acknowledged += stats.acknowledged;
        violations += stats.violations;
    }
    // Nonsense that is refused at the door would prove little.
    assert!(
        messages > 200 && acknowledged > 200 && violations > 200 && told > 200,
        "{messages} {acknowledged} {violations} {told}"
    );
}

fn run(rng: &mut Rng, told: &mut usize) -> Stats {
    let mut bench = Bench::open();
    let mut server = Server::default();
    for _ in 0..FRAMES {
        let did = match rng.u8(..14) {
            12 if rng.bool() => bench.enter(&format!("demo:{}", rng.u8(..4)), "here"),
            12 => bench.update(rng.u64(..8), "there"),
            13 => bench.watch(&format!("demo:{}", rng.u8(..4)), WatchOptions::default()),
            0 => bench.subscribe(&format!("demo:{}", rng.u8(..4)), SubscribeOptions::default()),
            1 => bench.publish("hi"),
            2 if rng.bool() => bench.feed(Input::Unsubscribe(SubscriptionId(rng.u64(..8)))),
            2 => {
                let at = u64::try_from(bench.wakes_at()).expect("a short test");
                bench.wake(at.min(1_000_000))
            }
            choice => {
                let sensible = (choice > 3).then(|| server.sensible(rng)).flatten();
                let frame = encode_server(sensible.unwrap_or_else(|| nonsense(rng))).message();
                let bytes = frame.len();
                // What the protocol crate refuses does not reach the rules.
                match decode_server(frame) {
                    Ok(frame) => bench.feed(Input::Frame { frame, bytes }),
                    Err(error) => bench.feed(Input::BadFrame(error.to_string())),
                }
            }
        };
        server.asked.extend(did.sent);
        *told += did.told.len();
        if bench.session.is_closed() {
            break;
        }
        if did.hung_up {
            server = Server::default();
            server.asked.extend(bench.reconnect().sent);
        }
    }
    bench.session.stats()
}

/// A server that answers what it was asked, now and then not as it should.
#[derive(Default)]
struct Server {
    asked: Vec<client_frame::Body>,
    /// The channels that are attached, with the last seq of each.
    channels: Vec<(u32, u64)>,
    /// The channels whose presence is watched.
    watched: Vec<u32>,
}

impl Server {
    fn sensible(&mut self, rng: &mut Rng) -> Option<server_frame::Body> {
        if !self.asked.is_empty() && rng.bool() {
            return self.answer(rng);
        }
        if let Some(channel_id) = rng.choice(&self.watched).copied().filter(|_| rng.bool()) {
            return Some(presence(channel_id, rng));
        }
        let at = rng.usize(..self.channels.len().max(1));
        let (channel_id, seq) = self.channels.get_mut(at)?;
        *seq += 1 + u64::from(rng.u8(..6) == 0);
        Some(publication(*channel_id, *seq).into())
    }

    fn answer(&mut self, rng: &mut Rng) -> Option<server_frame::Body> {
        let asked = self.asked.swap_remove(rng.usize(..self.asked.len()));
        let refuse = rng.u8(..4) == 0;
        Some(match asked {
            client_frame::Body::Attach(asked) if refuse => refusal(asked.request, 0, ErrorCode::Busy).into(),
            client_frame::Body::Attach(asked) => {
                let seq = match asked.from {
                    Some(v1::attach::From::Position(position)) => position.seq,
                    _ => rng.u64(..5),
                };
                // The channels are named by their number.
                let channel_id = asked.channel.bytes().last().map_or(1, u32::from);
                self.channels.push((channel_id, seq));
                attached(asked.request, &asked.channel, channel_id, seq).into()
            }
            client_frame::Body::Enter(asked) if refuse => refusal(asked.request, 0, ErrorCode::Busy).into(),
            client_frame::Body::Enter(asked) => taken(asked.request).into(),
            client_frame::Body::Leave(asked) => v1::Left { request: asked.request }.into(),
            client_frame::Body::Watch(asked) => {
                let channel_id = 100 + asked.channel.bytes().last().map_or(1, u32::from);
                self.watched.push(channel_id);
                v1::Watched {
                    request: asked.request,
                    channel_id,
                    channel: asked.channel,
                }
                .into()
            }
            client_frame::Body::Detach(asked) => {
                self.watched.retain(|channel_id| *channel_id != asked.channel_id);
                self.channels.retain(|(channel_id, _)| *channel_id != asked.channel_id);
                v1::Detached {
                    request: asked.request,
                    channel_id: asked.channel_id,
                }
                .into()
            }
            client_frame::Body::Publish(asked) if refuse => {
                let code = [ErrorCode::SerialGap, ErrorCode::Forbidden, ErrorCode::Busy][rng.usize(..3)];
                v1::Error {
                    expected_serial: rng.u64(1..=asked.serial),
                    ..refusal(asked.request, 0, code)
                }
                .into()
            }
            client_frame::Body::Publish(v1::Publish { request, serial, .. }) => v1::Ack {
                request,
                serial,
                position: Some(wire(serial)),
                ..v1::Ack::default()
            }
            .into(),
            client_frame::Body::Skip(v1::Skip { request, serial, .. }) => v1::Ack {
                request,
                serial,
                skipped: true,
                ..v1::Ack::default()
            }
            .into(),
            client_frame::Body::Pull(asked) => {
                let entry = |seq| v1::PageEntry {
                    seq,
                    ..v1::PageEntry::default()
                };
                let through = asked.seq.checked_add(rng.u64(1..5))?;
                let channel = self
                    .channels
                    .iter_mut()
                    .find(|(channel_id, _)| *channel_id == asked.channel_id)?;
                channel.1 = through;
                let entries = (asked.seq + 1..=through).map(entry).collect();
                v1::Page {
                    channel_id: asked.channel_id,
                    after: asked.seq,
                    entries,
                }
                .into()
            }
            client_frame::Body::Ping(asked) => v1::Pong {
                nonce: asked.nonce,
                time_ms: 0,
            }
            .into(),
            _ => return None,
        })
    }
}

/// Something about who is in a channel.
fn presence(channel_id: u32, rng: &mut Rng) -> server_frame::Body {
    let present = |rng: &mut Rng| v1::Present {
        client: Bytes::copy_from_slice(&[rng.u8(..9); 16]),
        node: "a".into(),
        ..v1::Present::default()
    };
    match rng.u8(..5) {
        0 => v1::Roster {
            channel_id,
            first: rng.u8(..4) > 0,
            last: rng.u8(..4) > 0,
            clients: (0..rng.u8(..5)).map(|_| present(rng)).collect(),
        }
        .into(),
        1 => v1::PresenceChanges {
            channel_id,
            joined: vec![present(rng)],
            updated: vec![present(rng)],
            left: vec![v1::Absent {
                client: present(rng).client,
            }],
        }
        .into(),
        2 => v1::Occupancy {
            channel_id,
            members: 1,
            clients: number(rng).max(1),
        }
        .into(),
        3 => v1::Certainty {
            channel_id,
            stale: rng.bool(),
            ..v1::Certainty::default()
        }
        .into(),
        _ => {
            let said = v1::EphemeralState {
                client: present(rng).client,
                number: number(rng).max(1),
                ..v1::EphemeralState::default()
            };
            v1::Ephemerals {
                channel_id,
                states: vec![said],
            }
            .into()
        }
    }
}

/// A small number, often one that means something, sometimes the largest there is.
fn number(rng: &mut Rng) -> u64 {
    if rng.u8(..12) == 0 { u64::MAX } else { rng.u64(..8) }
}

/// A frame that has nothing to do with what was asked, except by chance.
fn nonsense(rng: &mut Rng) -> server_frame::Body {
    let channel_id = u32::from(b'0') + rng.u32(..4);
    let request = number(rng);
    let position = |rng: &mut Rng| {
        Some(v1::Position {
            epoch: format!("0-{}", rng.u8(..2)),
            seq: number(rng),
            term: number(rng),
        })
    };
    let reason = rng.i32(..12);
    match rng.u8(..18) {
        15 => presence(channel_id + 100 * rng.u32(..2), rng),
        16 => taken(request).into(),
        17 => v1::Watched {
            request,
            channel_id,
            channel: format!("demo:{}", rng.u8(..4)),
        }
        .into(),
        0 => v1::Publication {
            seq: number(rng),
            term: number(rng),
            time_ms: number(rng),
            ..publication(channel_id, 0)
        }
        .into(),
        1 => {
            let (serial, skipped) = (number(rng), rng.bool());
            let position = if skipped { None } else { position(rng) };
            v1::Ack {
                request,
                serial,
                position,
                skipped,
                time_ms: number(rng),
                ..v1::Ack::default()
            }
            .into()
        }
        2 => v1::Ping { nonce: number(rng) }.into(),
        3 => v1::Pong {
            nonce: number(rng),
            time_ms: number(rng),
        }
        .into(),
        4 => {
            let after = number(rng);
            let entry = |seq| v1::PageEntry {
                seq,
                ..v1::PageEntry::default()
            };
            let entries = (1..=rng.u64(1..4)).map(|n| entry(after.wrapping_add(n))).collect();
            v1::Page {
                channel_id,
                after,
                entries,
            }
            .into()
        }
        5 => {
            let entry = v1::SnapshotEntry {
                key: "k".into(),
                seq: number(rng),
                ..v1::SnapshotEntry::default()
            };
            let (replace, last) = (rng.bool(), rng.bool());
            v1::Snapshot {
                channel_id,
                replace,
                at: position(rng),
                entries: vec![entry],
                last,
            }
            .into()
        }
        6 => v1::Skipped {
            channel_id,
            to: number(rng),
            count: number(rng),
            reason,
        }
        .into(),
        7 => v1::Lagged {
            channel_id,
            seq: number(rng),
        }
        .into(),
        8..11 => {
            let seq = number(rng);
            let outcome = match rng.u8(..3) {
                0 => v1::attached::Outcome::Resumed(v1::Resumed {}),
                1 => v1::attached::Outcome::Rewound(v1::Rewound { count: number(rng) }),
                _ => v1::attached::Outcome::Discontinuity(v1::Lost { reason }),
            };
            let answer = attached(request, &format!("demo:{}", rng.u8(..4)), channel_id, seq);
            v1::Attached {
                outcome: Some(outcome),
                keyed: rng.bool(),
                ..answer
            }
            .into()
        }
        11 => v1::Detached { request, channel_id }.into(),
        12 => v1::Discontinuity {
            channel_id,
            reason,
            position: position(rng),
        }
        .into(),
        13 => {
            let code = [1, 4, 7, 8, 9, 13, 50, 100, 103, 150, 999][rng.usize(..11)];
            let expected_serial = number(rng);
            v1::Error {
                request,
                channel_id,
                code,
                expected_serial,
                retry_after_ms: rng.u32(..100),
                ..v1::Error::default()
            }
            .into()
        }
        _ => match rng.u8(..3) {
            0 => v1::Refreshed {
                request,
                expires_ms: number(rng),
            }
            .into(),
            1 => welcome().into(),
            _ => v1::Goodbye {
                code: rng.u32(4490..4510),
                ..v1::Goodbye::default()
            }
            .into(),
        },
    }
}
