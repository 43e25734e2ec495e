//! What is queued for one subscription or one watch, and whether more has room.
//!
//! Live messages are bounded here. Pages and states are bounded by the client's page credit instead, which comes back
//! to the server only when the application took them: the queue holds at most what these rules allow, one event more,
//! and the credit.

use crate::credit::Credit;

/// What an event takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Bytes of memory, about.
    pub(crate) bytes: usize,
    /// Page credit that comes back to the server when the event is taken.
    pub(crate) credit: Credit,
}

/// What the application took from its queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
    pub(crate) credit: Credit,
}

impl Taken {
    pub(crate) fn add(&mut self, cost: Cost) {
        self.events += 1;
        self.bytes += cost.bytes;
        self.credit.add(cost.credit);
    }
}

/// How much the application takes from a queue before the rules hear of it.
///
/// A quarter of either bound: few wake-ups, and a full queue that is emptied always tells. A page tells at once,
/// because its credit is shared by all subscriptions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Telling {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

impl Telling {
    pub(crate) fn is_due(self, untold: Taken) -> bool {
        untold.events >= self.events || untold.bytes >= self.bytes || untold.credit.bytes > 0
    }
}

/// The room of one subscription's queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    events: usize,
    bytes: usize,
    credit: Credit,
    events_max: usize,
    bytes_max: usize,
}

impl Room {
    /// Room for so many events and bytes: for one at least.
    pub(crate) fn new(events_max: usize, bytes_max: usize) -> Self {
        Self {
            events: 0,
            bytes: 0,
            credit: Credit::default(),
            events_max: events_max.max(1),
            bytes_max: bytes_max.max(1),
        }
    }

    /// When the queue tells what was taken.
    pub(crate) fn telling(&self) -> Telling {
        Telling {
            events: (self.events_max / 4).max(1),
            bytes: (self.bytes_max / 4).max(1),
        }
    }

    /// Page credit that is held by what is queued.
    pub(crate) fn credit(&self) -> Credit {
        self.credit
    }

    /// Whether a live message may be queued.
    pub(crate) fn has_room(&self) -> bool {
        self.events < self.events_max && self.bytes < self.bytes_max
    }

    /// Whether a queue that was full may be filled again: when it is half empty, so that one Pull fetches many.
    pub(crate) fn has_room_again(&self) -> bool {
        self.events <= self.events_max / 2 && self.bytes <= self.bytes_max / 2
    }

    /// All that is queued, for a test whose application takes it.
    #[cfg(test)]
    pub(crate) fn taken_all(&self) -> Taken {
        Taken {
            events: self.events,
            bytes: self.bytes,
            credit: self.credit,
        }
    }

    pub(crate) fn queued(&mut self, cost: Cost) {
        self.events += 1;
        self.bytes += cost.bytes;
        self.credit.add(cost.credit);
    }

    /// The application took this: the page credit that is free again.
    pub(crate) fn taken(&mut self, taken: Taken) -> Credit {
        debug_assert!(
            taken.events <= self.events && taken.bytes <= self.bytes,
            "only what was queued can be taken"
        );
        self.events = self.events.saturating_sub(taken.events);
        self.bytes = self.bytes.saturating_sub(taken.bytes);
        self.credit.remove(taken.credit)
    }

    /// Gives up the page credit that is held by what is queued: it is free again before it was taken.
    pub(crate) fn release(&mut self) -> Credit {
        std::mem::take(&mut self.credit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_bound_fills_the_queue() {
        let mut events = Room::new(2, 1000);
        (0..2).for_each(|_| {
            events.queued(Cost {
                bytes: 1,
                ..Cost::default()
            })
        });
        assert!(!events.has_room());

        let mut bytes = Room::new(100, 1000);
        bytes.queued(Cost {
            bytes: 999,
            ..Cost::default()
        });
        assert!(bytes.has_room());
        bytes.queued(Cost {
            bytes: 1,
            ..Cost::default()
        });
        assert!(!bytes.has_room());
    }

    #[test]
    fn a_full_queue_that_is_emptied_always_tells_and_then_has_room_again() {
        for events_max in 1..=9 {
            let mut room = Room::new(events_max, 1000);
            let mut untold = Taken::default();
            (0..events_max).for_each(|_| {
                room.queued(Cost {
                    bytes: 1,
                    ..Cost::default()
                })
            });
            assert!(!room.has_room() && !room.has_room_again());
            for _ in 0..events_max {
                untold.add(Cost {
                    bytes: 1,
                    ..Cost::default()
                });
                if room.telling().is_due(untold) {
                    room.taken(std::mem::take(&mut untold));
                }
            }
            assert!(room.has_room_again(), "with a bound of {events_max}");
        }
    }

    #[test]
    fn bounds_of_zero_still_take_one_event() {
        let mut room = Room::new(0, 0);
        assert!(room.has_room() && room.has_room_again());
        room.queued(Cost {
            bytes: 5,
            ..Cost::default()
        });
        assert!(!room.has_room());
        room.taken(Taken {
            events: 1,
            bytes: 5,
            ..Taken::default()
        });
        assert!(room.has_room_again());
    }
}
