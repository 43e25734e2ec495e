//! The origins where WebTransport lost the race against the WebSocket.
//!
//! Where a network blocks UDP, every connection would pay the head start again. So the next race to such an origin is
//! an even one: both start at once, and WebTransport may still win it. All clients of a process share what one has
//! learnt, because they share the network.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

/// How long a loss is remembered. Long enough for whoever reconnects through an outage; short enough that a machine
/// that was carried to another network soon gives WebTransport its head start again.
const MEMORY: Duration = Duration::from_secs(300);

/// Origins remembered at once; beyond it the oldest is forgotten, and costs one head start more. A process talks to the
/// nodes of a few clusters.
const ORIGINS_MAX: usize = 64;

/// What this process knows.
pub(super) static LOSERS: Losers = Losers::new();

/// See the module. In order of time, the oldest first.
#[derive(Debug)]
pub(super) struct Losers(Mutex<VecDeque<(String, Instant)>>);

impl Losers {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    /// Whether WebTransport lost at this node lately.
    pub(super) fn knows(&self, base: &Url) -> bool {
        self.with(|losers| losers.iter().any(|(origin, _)| *origin == name(base)))
    }

    /// WebTransport had a head start and lost.
    pub(super) fn lost(&self, base: &Url) {
        self.with(|losers| {
            losers.retain(|(origin, _)| *origin != name(base));
            if losers.len() == ORIGINS_MAX {
                losers.pop_front();
            }
            losers.push_back((name(base), Instant::now() + MEMORY));
        });
    }

    /// WebTransport connects after all.
    pub(super) fn won(&self, base: &Url) {
        self.with(|losers| losers.retain(|(origin, _)| *origin != name(base)));
    }

    fn with<T>(&self, look: impl FnOnce(&mut VecDeque<(String, Instant)>) -> T) -> T {
        let mut losers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        losers.retain(|(_, until)| now < *until);
        look(&mut losers)
    }
}

/// Scheme, host and port: paths of one node lead to the same sockets.
fn name(base: &Url) -> String {
    base.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL of the test")
    }

    #[tokio::test(start_paused = true)]
    async fn a_loss_is_remembered_for_its_origin_and_for_a_while() {
        let losers = Losers::new();
        losers.lost(&url("https://a.example/path"));
        assert!(losers.knows(&url("https://a.example:443")));
        for other in ["http://a.example", "https://a.example:444", "https://b.example"] {
            assert!(!losers.knows(&url(other)), "{other}");
        }
        advance(MEMORY - Duration::from_millis(1)).await;
        assert!(losers.knows(&url("https://a.example")));
        advance(Duration::from_millis(1)).await;
        assert!(!losers.knows(&url("https://a.example")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_win_is_the_end_of_it() {
        let losers = Losers::new();
        losers.lost(&url("https://a.example"));
        losers.lost(&url("https://b.example"));
        losers.won(&url("https://a.example"));
        assert!(!losers.knows(&url("https://a.example")) && losers.knows(&url("https://b.example")));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_of_too_many_is_forgotten() {
        let losers = Losers::new();
        let origin = |number| url(&format!("https://n{number}.example"));
        (0..ORIGINS_MAX).for_each(|number| losers.lost(&origin(number)));
        losers.lost(&origin(0)); // again: it is the newest now
        losers.lost(&origin(ORIGINS_MAX));
        assert!(losers.knows(&origin(0)) && !losers.knows(&origin(1)) && losers.knows(&origin(2)));
        assert_eq!(losers.with(|losers| losers.len()), ORIGINS_MAX);
    }
}
