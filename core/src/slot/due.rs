//! Which channels have something due, and when to look again.
//!
//! The slot only asks: what is dropped is the channel's decision and becomes an entry. What is
//! parked is in no log, so the slot forgets it by itself.

use std::time::{Duration, Instant};

use super::Slot;
use super::turn::{Effect, Timer};
use crate::id::ChannelName;

/// Channels looked at in one turn because something may be due. A look costs microseconds; more
/// than this would hold up publishes, so the rest is looked at in the next turn.
pub(super) const LOOKS_MAX: usize = 256;

/// How long to wait before a channel is told again that something is due. It may know better (a
/// reader came by), or its actor may have failed before it proposed.
const DUE_AGAIN: Duration = Duration::from_secs(30);

impl Slot {
    /// Looks at the channels whose time may have come.
    pub(super) fn look(&mut self, now: Instant, out: &mut Vec<Effect>) {
        for _ in 0..LOOKS_MAX {
            let Some(channel) = self.expiry.take(now) else {
                return;
            };
            self.look_at(&channel, now, out);
        }
    }

    pub(super) fn look_at(&mut self, channel: &ChannelName, now: Instant, out: &mut Vec<Effect>) {
        let settings = self.settings.of(channel);
        if let Some(state) = self.parked.get(channel) {
            match state.used().checked_add(settings.head_age) {
                Some(due) if due <= now => {
                    self.parked.remove(channel);
                }
                Some(due) => self.expiry.expect(channel, due),
                None => {}
            }
            return;
        }
        if self.quarantined.contains(channel) {
            return; // looked at again when it is released
        }
        match self.channel(channel).and_then(|state| state.next_due(settings)) {
            Some(due) if due <= now => {
                let channel = channel.clone();
                self.expiry.expect(&channel, now + DUE_AGAIN);
                out.push(Effect::Due { channel });
            }
            Some(due) => {
                self.expiry.expect(channel, due);
                self.mark(channel, out);
            }
            None => {}
        }
    }

    pub(super) fn ask_to_be_woken(&mut self, out: &mut Vec<Effect>) {
        if !self.is_owner() {
            return; // what time demands, the owner decides
        }
        let Some(at) = self.expiry.first() else {
            return;
        };
        if self.wake.is_none_or(|wake| at < wake) {
            self.wake = Some(at);
            out.push(Effect::Wake { at, timer: Timer::Due });
        }
    }
}
