//! Finding what two nodes hold differently, without telling what they hold.
//!
//! Everything has a *place*: the hash of its key. Places are cut into 64 groups, and a group into 64 cells. Each side adds
//! up the hashes of what lies in a group; sums that are equal mean, but for one chance in 2^64, that both hold the same. A
//! comparison costs the same however much there is to compare, and what differs is found in two steps: the groups, then
//! the cells of those. It is a hash tree of three levels with a sum in place of a hash at each node, so that a
//! change costs one addition; sums over ranges of keys are those of range-based set reconciliation (Meyer, 2022).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::entry::Key;

/// Groups of all places, and cells of a group.
pub const GROUPS: usize = 64;

/// Where something lies among all that is compared: the hash of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

impl Place {
    const fn group(self) -> usize {
        (self.0 >> 58) as usize
    }

    const fn cell(self) -> usize {
        ((self.0 >> 52) & 63) as usize
    }

    /// What is added up for something at this place that has this version.
    fn mark(self, version: u64) -> u64 {
        xxh3_64_with_seed(&version.to_le_bytes(), self.0)
    }
}

/// Some groups or cells of 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Set(pub u64);

impl Set {
    /// Their numbers.
    pub fn each(self) -> impl Iterator<Item = u8> {
        (0..64).filter(move |n| self.0 >> n & 1 == 1)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a place lies in one of these groups.
    #[must_use]
    pub const fn has(self, place: Place) -> bool {
        self.0 >> place.group() & 1 == 1
    }
}

/// One sum for each group, or for each cell of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums(pub Box<[u64; GROUPS]>);

impl Default for Sums {
    fn default() -> Self {
        Self(Box::new([0; GROUPS]))
    }
}

impl Sums {
    /// Which differ.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Set {
        let bits = (0..GROUPS).filter(|n| self.0[*n] != other.0[*n]);
        Set(bits.fold(0, |set, n| set | 1 << n))
    }
}

/// How much there is, and its sums.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// How much there is.
    pub count: u64,
    /// The sums of its groups.
    pub groups: Sums,
}

impl Tally {
    /// Counts something in.
    pub fn add(&mut self, place: Place, version: u64) {
        self.count += 1;
        let sum = &mut self.groups.0[place.group()];
        *sum = sum.wrapping_add(place.mark(version));
    }

    /// Counts something out that was counted in.
    pub fn remove(&mut self, place: Place, version: u64) {
        self.count = self.count.saturating_sub(1);
        let sum = &mut self.groups.0[place.group()];
        *sum = sum.wrapping_sub(place.mark(version));
    }

    /// Counts in all that another counted.
    pub fn add_all(&mut self, other: &Self) {
        self.count += other.count;
        for (sum, more) in self.groups.0.iter_mut().zip(other.groups.0.iter()) {
            *sum = sum.wrapping_add(*more);
        }
    }
}

/// Places from one to another, both included.
pub type Range = RangeInclusive<Place>;

/// The places of a group.
fn group(group: u8) -> Range {
    let from = (u64::from(group) & 63) << 58;
    Place(from)..=Place(from | (u64::MAX >> 6))
}

/// The places of some groups, those that lie side by side as one range.
#[must_use]
pub fn ranges_of_groups(groups: Set) -> Vec<Range> {
    let mut ranges = Vec::new();
    groups.each().for_each(|n| push(&mut ranges, group(n)));
    ranges
}

/// The same of some cells of one group, after `ranges`.
pub fn push_cells(ranges: &mut Vec<Range>, of: u8, cells: Set) {
    for cell in cells.each() {
        let from = *group(of).start();
        let from = from.0 | u64::from(cell) << 52;
        push(ranges, Place(from)..=Place(from | (u64::MAX >> 12)));
    }
}

fn push(ranges: &mut Vec<Range>, next: Range) {
    match ranges.last_mut() {
        Some(last) if last.end().0.checked_add(1) == Some(next.start().0) => *last = *last.start()..=*next.end(),
        _ => ranges.push(next),
    }
}

/// Entries in the order of their places, with their sums.
#[derive(Debug)]
pub(super) struct Ledger<V> {
    /// A key is always there: without one, a place comes before all that lies at it.
    entries: BTreeMap<(Place, Option<Key>), (u64, V)>,
    tally: Tally,
}

impl<V> Default for Ledger<V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            tally: Tally::default(),
        }
    }
}

impl<V> Ledger<V> {
    pub(super) const fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn get(&self, key: &Key) -> Option<&(u64, V)> {
        self.entries.get(&(key.place(), Some(key.clone())))
    }

    pub(super) fn put(&mut self, key: Key, counter: u64, value: V) {
        let place = key.place();
        if let Some((before, _)) = self.entries.insert((place, Some(key)), (counter, value)) {
            self.tally.remove(place, before);
        }
        self.tally.add(place, counter);
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<V> {
        let place = key.place();
        let (counter, value) = self.entries.remove(&(place, Some(key.clone())))?;
        self.tally.remove(place, counter);
        Some(value)
    }

    /// What lies in a range, in order.
    pub(super) fn range(&self, range: &Range) -> impl Iterator<Item = (Place, &Key, u64, &V)> {
        let (from, to) = (*range.start(), *range.end());
        let whole = self.entries.range((from, None)..);
        let within = whole.take_while(move |((place, _), _)| *place <= to);
        within.filter_map(|((place, key), (counter, value))| Some((*place, key.as_ref()?, *counter, value)))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.entries.keys().filter_map(|(_, key)| key.as_ref())
    }

    /// Adds what lies in the cells of a group to `cells`.
    pub(super) fn add_cells(&self, of: u8, cells: &mut Sums) {
        for (place, _, counter, _) in self.range(&group(of)) {
            let sum = &mut cells.0[place.cell()];
            *sum = sum.wrapping_add(place.mark(counter));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::tests::key;

    fn ledger(connections: impl IntoIterator<Item = u64>) -> Ledger<()> {
        let mut ledger = Ledger::default();
        for connection in connections {
            ledger.put(key("chat:a", "anna", connection), 10 + connection, ());
        }
        ledger
    }

    /// What two ledgers hold differently, as two nodes find it.
    fn differing(a: &Ledger<()>, b: &Ledger<()>) -> Vec<Range> {
        let mut ranges = Vec::new();
        for of in a.tally().groups.differing(&b.tally().groups).each() {
            let (mut here, mut there) = (Sums::default(), Sums::default());
            a.add_cells(of, &mut here);
            b.add_cells(of, &mut there);
            push_cells(&mut ranges, of, here.differing(&there));
        }
        ranges
    }

    #[test]
    fn sums_do_not_depend_on_the_way_they_came_about() {
        let (plain, mut other) = (ledger(0..500), ledger((0..700).rev()));
        assert_ne!(plain.tally(), other.tally());
        for connection in 500..700 {
            assert!(other.remove(&key("chat:a", "anna", connection)).is_some());
            assert!(other.remove(&key("chat:a", "anna", connection)).is_none());
        }
        other.put(key("chat:a", "anna", 3), 99, ());
        assert_ne!(plain.tally(), other.tally());
        other.put(key("chat:a", "anna", 3), 13, ());
        assert_eq!(plain.tally(), other.tally());
        assert_eq!(ledger([]).tally(), &Tally::default());
    }

    #[test]
    fn one_difference_in_ten_thousand_is_narrowed_to_a_few() {
        let (a, mut b) = (ledger(0..10_000), ledger(0..10_000));
        assert_eq!(differing(&a, &b), []);
        let gone = key("chat:a", "anna", 4_711);
        b.remove(&gone);
        let ranges = differing(&a, &b);
        assert_eq!(ranges.len(), 1);
        assert!(ranges[0].contains(&gone.place()));
        let listed = a.range(&ranges[0]).count();
        assert!((1..20).contains(&listed), "{listed}");
    }

    #[test]
    fn ranges_side_by_side_are_one() {
        assert_eq!(ranges_of_groups(Set(u64::MAX)), [Place(0)..=Place(u64::MAX)]);
        assert_eq!(ranges_of_groups(Set(0b101)).len(), 2);
        let mut ranges = Vec::new();
        push_cells(&mut ranges, 1, Set(1 << 63));
        push_cells(&mut ranges, 2, Set(1));
        assert_eq!(ranges.len(), 1, "the last cell of a group and the first of the next");
        let all = ledger(0..1_000);
        let in_groups = ranges_of_groups(Set(0b101))
            .iter()
            .map(|range| all.range(range).count())
            .sum::<usize>();
        assert!((10..60).contains(&in_groups), "{in_groups}");
    }
}
