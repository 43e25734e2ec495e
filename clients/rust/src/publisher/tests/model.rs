//! A publisher against a model of the owner (R10, R11) on a line that breaks, with gateways that refuse at will: what
//! is reported as published is in the log once and in order, what is reported as failed is not, and all is reported.

use std::collections::{BTreeMap, VecDeque};

use fastrand::Rng;

use super::*;

/// Publishes of a run.
const MESSAGES: u64 = 60;

/// Results that an owner remembers of a publisher.
const RESULTS_MAX: u64 = 64;

/// The owner of one channel, and what it knows of the one publisher.
#[derive(Default)]
struct Owner {
    log: Vec<String>,
    highest: Option<u64>,
    /// Seq of what was published, 0 for what was skipped.
    results: BTreeMap<u64, u64>,
}

enum Answer {
    Ack(v1::Ack),
    Error { serial: u64, error: v1::Error },
}

impl Owner {
    fn take(&mut self, sent: &Sent) -> Answer {
        let (Sent::Publish {
            request, serial, base, ..
        }
        | Sent::Skip {
            request, serial, base, ..
        }) = *sent;
        let refuse = |code: ErrorCode, expected_serial| {
            let error = v1::Error {
                request,
                code: code.into(),
                expected_serial,
                ..Default::default()
            };
            Answer::Error { serial, error }
        };
        let next = self.highest.map_or(base, |highest| highest + 1);
        if serial > next || (self.highest.is_none() && serial != base) {
            return refuse(ErrorCode::SerialGap, next);
        }
        let duplicate = serial < next;
        if duplicate && !self.results.contains_key(&serial) {
            return refuse(ErrorCode::OutcomeUnknown, 0);
        }
        if !duplicate {
            let seq = match sent {
                Sent::Publish { payload, .. } => {
                    self.log.push(payload.clone());
                    self.log.len() as u64
                }
                Sent::Skip { .. } => 0,
            };
            self.results.insert(serial, seq);
            self.highest = Some(serial);
            self.results.retain(|kept, _| kept + RESULTS_MAX > serial);
        }
        let seq = self.results[&serial];
        if seq == 0 && matches!(sent, Sent::Publish { .. }) {
            return refuse(ErrorCode::SerialSkipped, 0);
        }
        let position = (seq > 0).then(|| v1::Position {
            epoch: "0-a".into(),
            seq,
            term: 1,
        });
        Answer::Ack(v1::Ack {
            request,
            serial,
            skipped: seq == 0,
            position,
            duplicate,
            copies: 1,
            time_ms: 0,
        })
    }
}

#[test]
fn every_message_is_published_once_or_reported_as_failed() {
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
    let mut bench = Bench::connected();
    let mut owner = Owner::default();
    let (mut up, mut down): (VecDeque<Sent>, VecDeque<Answer>) = Default::default();
    let mut outcomes: BTreeMap<u64, Result<Published, PublishError>> = BTreeMap::new();
    let mut settled = 0;
    let mut ms = 0;
    for step in 0.. {
        assert!(step < 100_000, "stuck with {} of {MESSAGES} reported", outcomes.len());
        if settled == MESSAGES {
            break;
        }
        let did = match rng.u8(..16) {
            0..4 if bench.tickets < MESSAGES && bench.tickets - settled < 64 => {
                let timeout = Duration::from_millis(if rng.bool() { 30_000 } else { 300 });
                let payload = bench.tickets.to_string();
                bench.publish_with(PublishOptions {
                    timeout,
                    ..PublishOptions::new(LOBBY, payload)
                })
            }
            4..9 => {
                if let Some(sent) = up.pop_front() {
                    down.push_back(at_the_gateway(&mut owner, &sent, rng));
                }
                continue;
            }
            9..14 => match down.pop_front() {
                Some(Answer::Ack(ack)) => bench.answer(ack),
                Some(Answer::Error { serial, error }) => bench.refused_with(serial, error),
                None => continue,
            },
            14 if rng.u8(..6) == 0 => {
                // Frames on the line may have been read or not; their answers are lost.
                let read = rng.usize(..=up.len());
                up.drain(..).take(read).for_each(|sent| drop(owner.take(&sent)));
                down.clear();
                bench.disconnect();
                bench.connect(rng.usize(1..64))
            }
            _ => {
                ms += rng.u64(..60);
                bench.wake(ms)
            }
        };
        up.extend(did.sent);
        settled += did.settled.len() as u64;
        for (ticket, outcome) in did.answers {
            assert!(
                outcomes.insert(ticket, outcome).is_none(),
                "two outcomes for one message"
            );
        }
    }
    check(&owner, &outcomes);
}

/// Gateways are busy or forbid now and then; what they refuse does not reach the owner.
fn at_the_gateway(owner: &mut Owner, sent: &Sent, rng: &mut Rng) -> Answer {
    let (Sent::Publish { request, serial, .. } | Sent::Skip { request, serial, .. }) = *sent;
    let refusal = match (rng.u8(..40), sent) {
        (0..3, _) => ErrorCode::Busy,
        (3, Sent::Publish { .. }) => ErrorCode::PayloadTooLarge,
        _ => return owner.take(sent),
    };
    Answer::Error {
        serial,
        error: v1::Error {
            request,
            code: refusal.into(),
            ..Default::default()
        },
    }
}

fn check(owner: &Owner, outcomes: &BTreeMap<u64, Result<Published, PublishError>>) {
    let order: Vec<u64> = owner
        .log
        .iter()
        .map(|payload| payload.parse().expect("a number of the test"))
        .collect();
    assert!(
        order.is_sorted_by(|a, b| a < b),
        "once each, in the order of the calls: {order:?}"
    );
    for (ticket, outcome) in outcomes {
        let payload = ticket - 1;
        match outcome {
            Ok(published) => assert_eq!(order[published.position.seq as usize - 1], payload),
            Err(PublishError::OutcomeUnknown) => {}
            Err(error) => assert!(
                !order.contains(&payload),
                "{payload} is in the log, and failed: {error}"
            ),
        }
    }
}
