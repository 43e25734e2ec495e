//! Who does what, and when: who enters at first, who watches, whose turn it is to leave and to come back.

/// Something that one session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// It enters the channel.
    Enter(usize),
    /// It leaves the channel.
    Leave(usize),
    /// It watches who is there.
    WatchRoster(usize),
    /// It watches how many there are.
    WatchCount(usize),
}

impl Act {
    /// Whether it is told from then on what is so in the channel.
    pub(super) const fn is_watch(self) -> bool {
        matches!(self, Self::WatchRoster(_) | Self::WatchCount(_))
    }

    /// Whose act it is.
    pub(super) const fn session(self) -> usize {
        match self {
            Self::Enter(session) | Self::Leave(session) | Self::WatchRoster(session) | Self::WatchCount(session) => {
                session
            }
        }
    }
}

/// How many sessions there are, and what becomes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Sessions that are in the channel at any time.
    pub(crate) entries: usize,
    /// Of these, the sessions that watch who is there. They stay.
    pub(crate) watchers: usize,
    /// The sessions after them that watch how many there are. They come and go as all others.
    pub(crate) counting: usize,
    /// Sessions that are out of the channel at any time, and come back in turn.
    pub(crate) outside: usize,
}

impl Parts {
    /// All of them.
    pub(crate) const fn sessions(self) -> usize {
        self.entries + self.outside
    }

    /// Those enter that are to be there from the first to before this one.
    pub(crate) fn enter(self, from: usize, before: usize) -> Vec<Act> {
        (from..before.min(self.entries)).map(Act::Enter).collect()
    }

    /// Those watch who are to, whether in the channel or not.
    pub(crate) fn watch(self) -> Vec<Act> {
        let watch = |session| match session < self.watchers {
            true => Act::WatchRoster(session),
            false => Act::WatchCount(session),
        };
        (0..self.watchers + self.counting).map(watch).collect()
    }
}

/// Who comes and goes: all but the watchers stand in a ring, of which an arc as long as those outside moves on by one session
/// a turn. So there are as many in the channel after each block of turns, and whoever has left stays away for about as many turns as
/// there are outside.
///
/// In a block all come and then as many go: were each followed by another, there would always be as many, and who watches how many
/// there are would be told nothing.
#[derive(Debug)]
pub(crate) struct Turns {
    parts: Parts,
    taken: usize,
}

impl Turns {
    /// Nobody has left yet, and those outside have not come.
    pub(crate) const fn new(parts: Parts) -> Self {
        Self { parts, taken: 0 }
    }

    /// So many turns, each of a session that comes and one that goes.
    pub(crate) fn take(&mut self, turns: usize) -> Vec<Act> {
        let Parts {
            entries,
            watchers,
            outside,
            ..
        } = self.parts;
        let stay = entries - watchers;
        let at = |place: usize| watchers + place % (stay + outside);
        let end = self.taken + turns;
        let mut acts = Vec::with_capacity(2 * turns);
        while self.taken < end {
            let block = self.taken..end.min(self.taken + self.block());
            acts.extend(block.clone().map(|turn| Act::Enter(at(turn + stay))));
            acts.extend(block.clone().map(|turn| Act::Leave(at(turn))));
            self.taken = block.end;
        }
        acts
    }

    /// Turns of a block: a tenth of those outside, so that each is away for nine tenths of the time or more.
    fn block(&self) -> usize {
        (self.parts.outside / 10).max(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const PARTS: Parts = Parts {
        entries: 7,
        watchers: 2,
        counting: 4,
        outside: 3,
    };

    #[test]
    fn the_first_are_told_who_is_there_and_the_next_how_many() {
        let watch = PARTS.watch();
        assert_eq!(watch.len(), 6);
        assert_eq!(
            watch[..3],
            [Act::WatchRoster(0), Act::WatchRoster(1), Act::WatchCount(2)]
        );
        assert!(watch.iter().all(|act| act.is_watch()) && !Act::Enter(0).is_watch());
    }

    #[test]
    fn those_who_enter_step_by_step_are_everybody_who_is_to_be_there() {
        let mut entered = PARTS.enter(0, 4);
        entered.extend(PARTS.enter(4, usize::MAX));
        assert_eq!(entered, (0..7).map(Act::Enter).collect::<Vec<_>>());
    }

    #[test]
    fn as_many_are_there_after_each_block_and_whoever_has_left_stays_away() {
        let parts = Parts {
            entries: 70,
            watchers: 20,
            counting: 0,
            outside: 30,
        };
        let mut turns = Turns::new(parts);
        let block = turns.block();
        let mut acts = turns.take(130);
        acts.extend(turns.take(272));
        let mut left_at: BTreeMap<usize, Option<usize>> = (70..100).map(|session| (session, None)).collect();
        let mut least = parts.outside;
        for (number, act) in acts.iter().enumerate() {
            assert!(act.session() >= parts.watchers, "those who watch stay");
            match act {
                Act::Enter(session) => {
                    let left = left_at.remove(session).expect("it was outside");
                    assert!(left.is_none_or(|left| number - left > 9 * 2 * parts.outside / 10));
                }
                Act::Leave(session) => {
                    let was_out = left_at.insert(*session, Some(number));
                    assert_eq!(was_out, None, "{session} was in");
                }
                watch => panic!("{watch:?}"),
            }
            least = least.min(left_at.len());
        }
        assert_eq!(left_at.len(), parts.outside);
        assert_eq!(least, parts.outside - block, "how many there are changes");
    }
}
