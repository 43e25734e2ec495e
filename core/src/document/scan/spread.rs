//! Whether ids of clients can share a hash table that takes them as they are, as yrs does.
//!
//! Yjs draws ids at random. Ids that are chosen to have the same low bits all begin at one place of such a table, and looking
//! one up costs as many steps as there are others: the square of their number for all. A table has a power of two of slots,
//! seven in eight of them taken at most, and looks from the slot that an id has by its low bits on, 16 at a time and further
//! with each step (`hashbrown`, which is the standard library's). So it is fast if in no stretch of slots many more ids begin than
//! it has room for: no more than twice as many, at any size that the table has had while it grew.

/// The smallest table that is looked at. In a smaller one there are too few ids to matter.
const TABLE_BITS_MIN: u32 = 14;

/// A stretch of slots: 128 of them.
const STRETCH_BITS: u32 = 7;

/// Whether the last `new` of these ids are where others are as random ids would be, or better, as those that count up from 1.
/// That some of those before are not is no fault of theirs.
pub(super) fn is_spread(ids: &[u64], new: usize) -> bool {
    let slots = (ids.len() * 8 / 7).max(1).next_power_of_two();
    (TABLE_BITS_MIN..=slots.trailing_zeros()).all(|table_bits| {
        let stretch_of = |id: &u64| ((id & ((1 << table_bits) - 1)) >> STRETCH_BITS) as usize;
        let mut stretches = vec![0_usize; 1 << (table_bits - STRETCH_BITS)];
        for id in ids {
            stretches[stretch_of(id)] += 1;
        }
        let begin_max = begin_max(ids.len() / stretches.len());
        let mut new = ids[ids.len() - new..].iter();
        new.all(|id| stretches[stretch_of(id)] <= begin_max)
    })
}

/// How many ids may begin in a stretch: six standard deviations above the mean of random ones, and some more for those that are
/// few. It is above the room of a stretch in a table that is full.
fn begin_max(mean: usize) -> usize {
    mean + 6 * mean.isqrt() + 64
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    const COUNT: u64 = 100_000;

    fn random(below: u64) -> Vec<u64> {
        (0..COUNT).map(|id| xxh3_64(&id.to_le_bytes()) % below).collect()
    }

    fn all_spread(ids: &[u64]) -> bool {
        is_spread(ids, ids.len())
    }

    fn are_spread(id: impl Fn(u64) -> u64) -> bool {
        all_spread(&(0..COUNT).map(id).collect::<Vec<_>>())
    }

    #[test]
    fn ids_that_are_random_or_count_up_are_spread() {
        assert!(all_spread(&random(1 << 32)), "as Yjs draws them");
        assert!(all_spread(&random(1 << 53)));
        assert!(are_spread(|id| id + 1));
        assert!(all_spread(&[]));
    }

    #[test]
    fn ids_that_are_chosen_to_collide_are_not() {
        for shift in [8, 10, 12, 14, 17, 20, 33] {
            assert!(!are_spread(|id| id << shift), "{shift}");
        }
        assert!(
            !are_spread(|id| id & 0xfff | id >> 12 << 40),
            "in one part of the table"
        );
        let mut mixed = random(1 << 32);
        mixed.extend((0..1_000).map(|id| id << 20));
        assert!(!all_spread(&mixed), "a thousand among a hundred thousand");
        assert!(!is_spread(&mixed, 1), "one more where there are too many");
        mixed.push(0x1234_5678);
        assert!(is_spread(&mixed, 1), "another is not turned away for it");
    }
}
