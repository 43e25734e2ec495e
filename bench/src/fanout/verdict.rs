//! Whether a run can be trusted.

use crate::Transport;
use crate::load::Outcome;

/// Share of messages that may leave late. A publisher that falls behind sends in bursts, which are cheaper to deliver.
const LATE_SHARE_MAX: f64 = 0.01;

/// Share of the time that the hypervisor may give to others. It stretches latencies, and spoils caches.
const STOLEN_SHARE_MAX: f64 = 0.02;

/// Share of its core that the load may need. Beyond it receivers fall behind, and the server waits for them.
const CLIENT_SHARE_MAX: f64 = 0.80;

/// Why a run is void; `None` if it stands.
pub(super) fn void_reason(outcome: &Outcome, transport: Transport) -> Option<String> {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let mut reasons = outcome.faults.clone();
    if outcome.delivered != outcome.expected {
        reasons.push(format!(
            "{} of {} deliveries arrived",
            outcome.delivered, outcome.expected
        ));
    }
    let late = outcome.lateness.share();
    if late > LATE_SHARE_MAX {
        reasons.push(format!("the publisher was late with {} of the messages", percent(late)));
    }
    // Lost datagrams are acknowledgements that cost the server nothing. Over TCP they belong to somebody else.
    if transport == Transport::WebTransport && outcome.datagrams_lost > 0 {
        reasons.push(format!(
            "receive buffers overflowed: {} datagrams lost",
            outcome.datagrams_lost
        ));
    }
    if outcome.stolen_share > STOLEN_SHARE_MAX {
        reasons.push(format!("{} of the time was stolen", percent(outcome.stolen_share)));
    }
    if outcome.client_share > CLIENT_SHARE_MAX {
        reasons.push(format!("the load needed {} of its core", percent(outcome.client_share)));
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::{Lateness, latencies};
    use crate::proc::cpu::Used;
    use crate::wire::admin::FannedOut;

    fn sound() -> Outcome {
        Outcome {
            expected: 1_000,
            delivered: 1_000,
            latency: latencies(),
            faults: Vec::new(),
            servers: vec![Used::default()],
            client_share: CLIENT_SHARE_MAX,
            others_share: 0.9,
            stolen_share: STOLEN_SHARE_MAX,
            datagrams_lost: 0,
            links: FannedOut::default(),
            lateness: Lateness {
                messages: 100,
                late: 1,
                worst: Duration::from_millis(9),
            },
        }
    }

    #[test]
    fn a_run_at_every_bound_stands() {
        assert_eq!(void_reason(&sound(), Transport::WebTransport), None);
    }

    #[test]
    fn each_bound_by_itself_makes_a_run_void() {
        type Spoil = fn(&mut Outcome);
        let cases: [(&str, Spoil); 7] = [
            ("999 of 1000 deliveries arrived", |outcome| outcome.delivered = 999),
            ("1001 of 1000 deliveries arrived", |outcome| outcome.delivered = 1_001),
            ("late with 2.0 %", |outcome| outcome.lateness.late = 2),
            ("3 datagrams lost", |outcome| outcome.datagrams_lost = 3),
            ("2.1 % of the time was stolen", |outcome| outcome.stolen_share = 0.021),
            ("80.1 % of its core", |outcome| outcome.client_share = 0.801),
            ("out of order", |outcome| outcome.faults.push("out of order".into())),
        ];
        for (expected, spoil) in cases {
            let mut outcome = sound();
            spoil(&mut outcome);
            let reason = void_reason(&outcome, Transport::WebTransport).expect("void");
            assert!(
                reason.contains(expected) && !reason.contains(';'),
                "{reason:?} for {expected:?}"
            );
        }
    }

    #[test]
    fn datagrams_that_others_lose_do_not_matter_over_tcp() {
        let outcome = Outcome {
            datagrams_lost: 3,
            ..sound()
        };
        assert_eq!(void_reason(&outcome, Transport::WebSocket), None);
    }

    #[test]
    fn all_reasons_are_told() {
        let outcome = Outcome {
            delivered: 0,
            stolen_share: 0.5,
            ..sound()
        };
        let reason = void_reason(&outcome, Transport::WebSocket).expect("void");
        assert_eq!(reason, "0 of 1000 deliveries arrived; 50.0 % of the time was stolen");
    }
}
