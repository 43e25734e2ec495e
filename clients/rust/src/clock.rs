//! Arithmetic on instants.

use std::time::{Duration, Instant};

/// Stands for "never" where an instant is needed: about thirty years.
const NEVER: Duration = Duration::from_secs(1_000_000_000);

/// So much later. An application may say [`Duration::MAX`] for "without a limit", which no instant can be later by.
pub(crate) fn later(now: Instant, by: Duration) -> Instant {
    now.checked_add(by).unwrap_or_else(|| now + NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_duration_is_too_long() {
        let now = Instant::now();
        assert_eq!(later(now, Duration::from_secs(1)), now + Duration::from_secs(1));
        assert_eq!(later(now, Duration::MAX), now + NEVER);
    }
}
