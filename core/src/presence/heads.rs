//! How far feeds are, compared between an owner and those who follow it.
//!
//! A feed has no gaps that its follower would not see, but for its end: the last of it may be lost and nothing come
//! after. So the owner adds up how far everything is that a node follows, and the node adds up how far it has got.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::digest::{Place, Set, Tally};
use super::message::{HeadList, Scope, Stamp};

fn place(scope: &Scope) -> Place {
    Place(match scope {
        Scope::Slot(slot) => xxh3_64(&slot.0.to_le_bytes()),
        Scope::Channel(_, channel) => xxh3_64(channel.as_str().as_bytes()),
    })
}

/// Adds up how far some scopes are.
pub(super) fn tally<'a>(heads: impl Iterator<Item = (&'a Scope, Stamp)>) -> Tally {
    let mut tally = Tally::default();
    for (scope, stamp) in heads {
        tally.add(
            place(scope),
            xxh3_64_with_seed(&stamp.version.to_le_bytes(), stamp.term.0),
        );
    }
    tally
}

/// Those of some scopes that lie in the groups of a list that is asked for, one list for each group.
pub(super) fn lists(groups: Set, heads: &[(Scope, Stamp)]) -> Vec<HeadList> {
    let of_group = |group| {
        let groups = Set(1_u64 << group);
        let within = heads.iter().filter(|(scope, _)| groups.has(place(scope)));
        HeadList {
            groups,
            heads: within.cloned().collect(),
        }
    };
    groups.each().map(of_group).collect()
}

/// What a follower makes of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// It is not as far in these as the owner has told it, or the owner does not know that it follows them.
    pub(super) follow: Vec<Scope>,
    /// The owner believes that it follows these.
    pub(super) unfollow: Vec<Scope>,
}

/// Compares a list with what the node itself follows of that owner, where `None` waits for its first state.
pub(super) fn compare(list: &HeadList, mine: &BTreeMap<Scope, Option<Stamp>>) -> Difference {
    let theirs: BTreeMap<_, _> = list.heads.iter().map(|(scope, stamp)| (scope, *stamp)).collect();
    let is_apart = |scope: &Scope, stamp: &Option<Stamp>| match (theirs.get(scope), stamp) {
        // One that is ahead has its roster from an owner that tells it a count by now: what it asked before came late.
        (Some(theirs), Some(mine)) => mine != theirs,
        (None, Some(_)) => list.groups.has(place(scope)),
        (_, None) => false, // it has asked, and asks again by itself
    };
    let apart = mine.iter().filter(|(scope, stamp)| is_apart(scope, stamp));
    let unknown = theirs.keys().filter(|scope| !mine.contains_key(**scope));
    Difference {
        follow: apart.map(|(scope, _)| scope.clone()).collect(),
        unfollow: unknown.map(|scope| (*scope).clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{SlotId, Term};

    fn stamp(term: u64, version: u64) -> Stamp {
        Stamp {
            term: Term(term),
            version,
        }
    }

    #[test]
    fn what_differs_is_followed_anew_and_what_is_not_wanted_is_ended() {
        let theirs: Vec<_> = (0..6).map(|n| (Scope::Slot(SlotId(n)), stamp(3, 10))).collect();
        let mut mine: BTreeMap<_, _> = theirs
            .iter()
            .map(|(scope, stamp)| (scope.clone(), Some(*stamp)))
            .collect();
        let sums = |mine: &BTreeMap<Scope, Option<Stamp>>| {
            tally(mine.iter().filter_map(|(scope, stamp)| Some((scope, (*stamp)?))))
        };
        let owner = tally(theirs.iter().map(|(scope, stamp)| (scope, *stamp)));
        assert_eq!(owner, sums(&mine));
        mine.insert(Scope::Slot(SlotId(0)), Some(stamp(3, 9)));
        mine.insert(Scope::Slot(SlotId(1)), Some(stamp(2, 99)));
        mine.insert(Scope::Slot(SlotId(2)), None);
        mine.remove(&Scope::Slot(SlotId(3)));
        mine.insert(Scope::Slot(SlotId(4)), Some(stamp(3, 11)));
        mine.insert(Scope::Slot(SlotId(9)), Some(stamp(3, 1)));
        let differing = owner.groups.differing(&sums(&mine).groups);
        let mut all = Difference::default();
        for list in lists(Set(u64::MAX), &theirs) {
            if differing.0 & list.groups.0 != 0 {
                let one = compare(&list, &mine);
                all.follow.extend(one.follow);
                // Of another group it says nothing.
                all.unfollow.extend(one.unfollow);
            }
        }
        all.follow.sort();
        assert_eq!(all.follow, [0, 1, 4, 9].map(|n| Scope::Slot(SlotId(n))));
        assert_eq!(all.unfollow, [Scope::Slot(SlotId(3))]);
    }
}
