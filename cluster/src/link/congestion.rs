//! How much may be on its way to a peer: as QUIC's Cubic says, and never less than [`WINDOW_MIN`].
//!
//! Cubic takes each loss for a full queue somewhere, and halves. Between nodes a loss is a broken cable or a port that is
//! busy for a moment far more often than a queue that our few hundred kilobytes would fill; and who waits meanwhile is
//! everybody whose publish has to be copied. So links go on at a rate that does no harm where it was wrong: one window in a
//! round trip.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use quinn::congestion::{Controller, ControllerFactory, CubicConfig};
use quinn_proto::RttEstimator;

/// Bytes that may be on their way whatever was lost: some fifty packets, as much as a port's buffer in a switch takes from
/// one sender without a drop. At a round trip of 100 ms it is 640 kB/s, where Cubic comes down to 60 at a loss of 5 %.
pub(super) const WINDOW_MIN: u64 = 64 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Floored(Arc<CubicConfig>);

struct Floor(Box<dyn Controller>);

impl ControllerFactory for Floored {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        Box::new(Floor(Arc::clone(&self.0).build(now, mtu)))
    }
}

impl Controller for Floor {
    fn on_sent(&mut self, now: Instant, bytes: u64, last: u64) {
        self.0.on_sent(now, bytes, last);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.0.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest: Option<u64>) {
        self.0.on_end_acks(now, in_flight, app_limited, largest);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, is_persistent: bool, lost: u64) {
        self.0.on_congestion_event(now, sent, is_persistent, lost);
    }

    fn on_mtu_update(&mut self, mtu: u16) {
        self.0.on_mtu_update(mtu);
    }

    fn window(&self) -> u64 {
        self.0.window().max(WINDOW_MIN)
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self(self.0.clone_box()))
    }

    fn initial_window(&self) -> u64 {
        self.0.initial_window().max(WINDOW_MIN)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn losses_do_not_stop_a_link() {
        let begun = Instant::now();
        let mut floored = Arc::new(Floored::default()).build(begun, 1_200);
        let mut cubic = Arc::new(CubicConfig::default()).build(begun, 1_200);
        for second in 1..20 {
            let now = begun + Duration::from_secs(second);
            floored.on_congestion_event(now, now, true, 1_200);
            cubic.on_congestion_event(now, now, true, 1_200);
        }
        assert!(cubic.window() < 4 * 1_200, "Cubic alone sends next to nothing");
        assert_eq!(floored.window(), WINDOW_MIN);
    }
}
